//! Reads a provider's answer whole, within bounds of size and time.

use bytes::Bytes;
use http::response::Parts;
use hyper::body::Incoming;

use crate::answer::Answer;
use crate::body::collect::{CollectError, Collected, Patience, collect};
use crate::body::unpack::{UnpackError, is_packed, unpack};
use crate::error::GatewayError;

/// Largest size that an answer may have or unpack to. Compressed answers are not asked for.
pub(super) const UNPACKED: usize = 16 * 1024 * 1024;

/// An answer, or its beginning.
pub(super) enum Read {
    /// All of it, unpacked.
    Whole(Bytes),
    /// More than the bound.
    Larger { start: Vec<Bytes>, rest: Incoming },
}

/// Reads an answer that is to be passed on, up to `bound` bytes.
///
/// # Errors
/// [`GatewayError`] when it breaks off, or cannot be unpacked.
pub(super) async fn read(head: &Parts, body: Incoming, bound: usize, patience: Patience) -> Result<Read, GatewayError> {
    let body = match collect(body, bound, patience).await {
        Ok(Collected::Whole(body)) => body,
        Ok(Collected::Larger { .. }) if is_packed(&head.headers) => {
            return Err(GatewayError::Unusable("it is compressed, which was not asked for, and large"));
        }
        Ok(Collected::Larger { start, rest }) => return Ok(Read::Larger { start, rest }),
        Err(CollectError::Broken(_)) => return Err(GatewayError::Cut),
        Err(CollectError::TimedOut) => return Err(GatewayError::Timeout),
    };
    unpack(&head.headers, body, UNPACKED).map(Read::Whole).map_err(|error| match error {
        UnpackError::Unknown(_) => GatewayError::Unusable("its content-encoding is not known"),
        UnpackError::TooLarge => GatewayError::Unusable("it unpacks to more than 16 MiB"),
        UnpackError::Damaged | UnpackError::NoRoom => GatewayError::Unusable("its compression is damaged"),
    })
}

/// Reads an answer that is to be translated.
///
/// # Errors
/// [`GatewayError`] when it breaks off, or is too large to be held.
pub(super) async fn whole(head: &Parts, body: Incoming, patience: Patience) -> Result<Bytes, GatewayError> {
    match collect(body, UNPACKED, patience).await {
        Ok(Collected::Whole(body)) => unpack(&head.headers, body, UNPACKED)
            .map_err(|_| GatewayError::Unusable("its compression is damaged, unknown, or too much")),
        Ok(Collected::Larger { .. }) => Err(GatewayError::Unusable("it is larger than 16 MiB")),
        Err(CollectError::Broken(_)) => Err(GatewayError::Cut),
        Err(CollectError::TimedOut) => Err(GatewayError::Timeout),
    }
}

/// Reads an answer that the gateway takes for itself and does not pass on. The caller notes its usage.
///
/// # Errors
/// [`GatewayError`] when it breaks off, or is too large to be held.
pub async fn take(answer: Answer, patience: Patience) -> Result<Bytes, GatewayError> {
    whole(&answer.head, answer.body, patience).await
}
