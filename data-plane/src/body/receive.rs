//! Reads the body of a client's request, within bounds of size and time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use super::collect::{CollectError, Collected, Patience, collect};
use super::unpack::{UnpackError, unpack};
use crate::error::GatewayError;
use crate::limits::RequestLimits;

/// How much of a body that nobody wants is read, in bytes, and for how long.
const DISCARDED: usize = 256 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// Reads a body that does not matter any more. A body that is left unread closes the connection behind the answer: a
/// client that sends its next request there gets no answer to it, and a client that is still sending may not see this
/// answer.
pub async fn discard(body: Body) {
    let mut body = Limited::new(body, DISCARDED);
    let read = async { while let Some(Ok(_)) = body.frame().await {} };
    // The answer is the same, however this ends.
    drop(timeout(DISCARD_TIME, read).await);
}

/// The value of `result` together with the body, for the caller to go on with. With an error, the body is read and
/// thrown away.
///
/// # Errors
/// That of `result`.
pub async fn or_discard<T>(result: Result<T, GatewayError>, body: Body) -> Result<(T, Body), GatewayError> {
    match result {
        Ok(value) => Ok((value, body)),
        Err(error) => {
            discard(body).await;
            Err(error)
        }
    }
}

/// Reads a body and unpacks it. A body whose announced or unpacked length is over the limit is refused as soon as that
/// is known.
///
/// # Errors
/// [`GatewayError`]: the body is too large, too late, broken off, or in an encoding that is not served.
pub async fn read(headers: &HeaderMap, body: Body, limits: &RequestLimits) -> Result<Bytes, GatewayError> {
    let limit = limits.max_body_bytes;
    let too_large = || GatewayError::BodyTooLarge { limit };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        discard(body).await;
        return Err(too_large());
    }
    // There is one deadline for the whole body, which a client that sends a byte at a time does not extend.
    let packed = match collect(body, limit, Patience::within(limits.body_timeout)).await {
        Ok(Collected::Whole(body)) => body,
        Ok(Collected::Larger { .. }) => return Err(too_large()),
        Err(CollectError::TimedOut) => return Err(GatewayError::BodyTimeout),
        Err(CollectError::Broken(error)) => return Err(GatewayError::BodyUnreadable(error.to_string())),
    };
    unpack(headers, packed, limit).map_err(|error| match error {
        UnpackError::TooLarge => too_large(),
        UnpackError::Unknown(encoding) => GatewayError::Encoding(encoding),
        UnpackError::Damaged => GatewayError::BodyUnreadable("it is not what its content-encoding says".to_owned()),
    })
}
