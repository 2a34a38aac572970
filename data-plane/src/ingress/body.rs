//! Reads a request's body, within bounds of size and time.

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;

use crate::error::GatewayError;
use crate::limits::Limits;
use crate::respond::collect::{CollectError, Collected, Patience, UnpackError, collect, unpack};

/// The body, unpacked. One whose announced or unpacked length is over the limit is refused as soon as that is known.
///
/// # Errors
/// [`GatewayError`]: too large, too late, broken off, or in an encoding that is not served.
pub(super) async fn read(headers: &HeaderMap, body: Body, limits: &Limits) -> Result<Bytes, GatewayError> {
    let limit = limits.max_body_bytes;
    let too_large = || GatewayError::BodyTooLarge { limit };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    // The deadline is one for the whole body: a client that sends a byte at a time does not extend it.
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
