//! Finds out who calls: by the token in the `Authorization` header, or else by the one in the cookie.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};

use super::logins::Logins;
use super::principal::Principal;
use crate::error::ApiError;
use crate::web::extract::client_address;

/// Name of the cookie that carries the token of a browser.
pub(crate) const COOKIE: &str = "authToken";

/// Extracts whoever is logged in, whatever their rights.
impl<S> FromRequestParts<S> for Principal
where
    S: Send + Sync,
    Logins: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let token = token(parts)?;
        let logins = Logins::from_ref(state);
        let mut principal = logins.sessions().check(logins.store(), token).await?;
        principal.client_ip = client_address(&parts.extensions).map(|address| address.to_string()).unwrap_or_default();
        tracing::Span::current().record("user", principal.username.as_str());
        Ok(principal)
    }
}

/// The token that a request carries.
pub(super) fn token(parts: &Parts) -> Result<&str, ApiError> {
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        return bearer(value.to_str().unwrap_or_default())
            .ok_or(ApiError::Unauthenticated("the header authorization must be \"Bearer <token>\""));
    }
    let token = cookie(&parts.headers)
        .ok_or(ApiError::Unauthenticated("send the token of POST /auth/login as \"authorization: Bearer <token>\""))?;
    if !parts.method.is_safe() && !same_origin(&parts.headers, &parts.uri) {
        return Err(ApiError::Forbidden("a change with the cookie must come from this site's own pages"));
    }
    Ok(token)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| !token.is_empty())
}

pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && !value.is_empty())
        .map(|(_, value)| value)
}

/// Whether a browser sent the request from a page of ours. The browser sets `sec-fetch-site` and `origin` itself; a
/// page cannot.
pub(crate) fn same_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(http::uri::Authority::as_str));
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok())
        .and_then(|origin| origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")));
    matches!((origin, host), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}
