//! What handlers take from a request. What cannot be taken is refused with a problem document.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::{Bytes, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use http_body_util::LengthLimitError;
use serde_json::{Map, Value};

use super::fields::{Fields, Known};
use crate::error::ApiError;

/// Largest body of an admin request, in bytes.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;

/// Largest body of a request that imports a list, in bytes.
const LARGE_BODY_LIMIT: usize = 8 * 1024 * 1024;

/// Time in which a client has to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A body that is sent as JSON. It may be any value.
pub(crate) struct JsonBody(pub(crate) Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = json_bytes(request, BODY_LIMIT).await?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self(value)),
            Err(_) if bytes.is_empty() => Err(ApiError::Malformed("the body is empty, JSON is needed".to_owned())),
            Err(error) => Err(ApiError::Malformed(malformed(&error))),
        }
    }
}

/// The bytes of a body that is sent as JSON.
async fn json_bytes(request: Request, limit: usize) -> Result<Bytes, ApiError> {
    if !is_json(request.headers()) {
        return Err(ApiError::NotJson);
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, to_bytes(request.into_body(), limit));
    read.await.map_err(|_| ApiError::BodyTimeout)?.map_err(|error| {
        if error.into_inner().is::<LengthLimitError>() {
            ApiError::TooLarge(limit)
        } else {
            ApiError::Malformed("the body could not be read to its end".to_owned())
        }
    })
}

/// A body that is sent as JSON, and may be as large as a public list of prices. It is not read yet.
pub(crate) struct LargeBody(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for LargeBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        json_bytes(request, LARGE_BODY_LIMIT).await.map(Self)
    }
}

/// A body that is sent as JSON, or none at all, which is read as null.
pub(crate) struct OptionalJsonBody(pub(crate) Value);

impl<S: Send + Sync> FromRequest<S> for OptionalJsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if request.body().is_end_stream() {
            return Ok(Self(Value::Null));
        }
        JsonBody::from_request(request, state).await.map(|JsonBody(value)| Self(value))
    }
}

/// Where the body stops being JSON. The parser's own words could quote the body, so only the place is taken from it.
fn malformed(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "ends too early" } else { "is not JSON" };
    format!("the body {what} at line {}, column {}", error.line(), error.column())
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(kind)) = headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// The `{id}` in the path.
pub(crate) struct ResourceId(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for ResourceId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::Malformed("the path is not UTF-8".to_owned()))?;
        Ok(Self(id))
    }
}

/// The query of a request as fields.
pub(crate) fn query(parts: &Parts, known: &[Known]) -> Result<Fields, ApiError> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|_| ApiError::Malformed("the query cannot be read".to_owned()))?;
    let mut values = Map::new();
    for (name, value) in pairs {
        if values.insert(name.clone(), Value::String(value)).is_some() {
            return Err(ApiError::field(name, "is given twice"));
        }
    }
    Ok(Fields::named(String::new(), values, known))
}

/// A whole number in the query, where it stands as text.
pub(crate) fn query_integer(fields: &mut Fields, name: &str, least: i64, most: i64) -> Option<i64> {
    let text = fields.text(name, 64)?;
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        fields.error(name, format!("must be a whole number from {least} to {most}"));
    }
    number
}

/// A time in the query: epoch milliseconds or RFC 3339.
pub(crate) fn query_time(fields: &mut Fields, name: &str) -> Option<i64> {
    let text = fields.text(name, 64)?;
    let time =
        text.parse::<i64>().ok().or_else(|| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond));
    if time.is_none() {
        fields.error(name, "must be a time: epoch milliseconds, or a text such as 2027-01-31T12:00:00Z");
    }
    time
}

/// Address of the connection. What a client says of itself in headers is not believed.
pub(crate) fn client_address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}
