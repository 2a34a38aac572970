//! Reads a provider's answer whole, within bounds of size and time.

use bytes::Bytes;
use http::response::Parts;
use memchr::memmem;

use super::ProviderBody;
use crate::body::collect::{CollectError, Collected, Patience, collect};
use crate::body::unpack::{UnpackError, is_packed, unpack};
use crate::error::GatewayError;

/// Largest size that an answer may have or unpack to. Compressed answers are not asked for.
pub const UNPACKED: usize = 16 * 1024 * 1024;

/// An answer, or its beginning.
pub enum Read {
    /// All of it, unpacked.
    Whole(Bytes),
    /// More than the bound.
    Larger {
        /// What was read, in pieces.
        start: Vec<Bytes>,
        /// The rest of it.
        rest: ProviderBody,
    },
}

/// Reads an answer that is to be passed on, up to `bound` bytes.
///
/// # Errors
/// [`GatewayError`] when it breaks off, or cannot be unpacked.
pub async fn read(head: &Parts, body: ProviderBody, bound: usize, patience: Patience) -> Result<Read, GatewayError> {
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
pub async fn whole(head: &Parts, body: ProviderBody, patience: Patience) -> Result<Bytes, GatewayError> {
    match collect(body, UNPACKED, patience).await {
        Ok(Collected::Whole(body)) => unpack(&head.headers, body, UNPACKED)
            .map_err(|_| GatewayError::Unusable("its compression is damaged, unknown, or too much")),
        Ok(Collected::Larger { .. }) => Err(GatewayError::Unusable("it is larger than 16 MiB")),
        Err(CollectError::Broken(_)) => Err(GatewayError::Cut),
        Err(CollectError::TimedOut) => Err(GatewayError::Timeout),
    }
}

/// The most bytes of an error document that comes in place of an answer.
pub(super) const LONGEST_ERROR: usize = 64 * 1024;

/// How an answer begins that is an error and nothing else.
const ERRORS: [&[&[u8]]; 4] = [
    &[b"{", b"\"error\"", b":", b"{"],
    &[b"{", b"\"error\"", b":", b"\""],
    &[b"{", b"\"type\"", b":", b"\"error\""],
    &[b"[", b"{", b"\"error\"", b":", b"{"],
];

/// Whether an answer is an error and nothing else. Some vendors send errors with the status 200, and clients would take
/// them for an answer without content.
pub(super) fn is_error(body: &[u8]) -> bool {
    ERRORS.iter().any(|tokens| {
        tokens.iter().try_fold(body, |rest, token| rest.trim_ascii_start().strip_prefix(*token)).is_some()
    })
}

/// Whether an answer that begins with `start` may be an error and nothing else.
pub(super) fn may_begin_error(start: &[u8]) -> bool {
    start.len() < 64 || is_error(start)
}

/// Whether an answer may hold an error beside other fields. The search finds fields and values of that name, but no
/// words of the model, since quotes within a text are escaped.
pub(super) fn may_be_error(body: &[u8]) -> bool {
    memmem::find_iter(body, b"\"error\"").any(|at| {
        let rest = body[at + b"\"error\"".len()..].trim_ascii_start();
        rest.strip_prefix(b":").is_none_or(|value| !value.trim_ascii_start().starts_with(b"n"))
    })
}
