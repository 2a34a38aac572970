//! Undoes the `Content-Encoding` of a body, within a bound.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{GzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use thiserror::Error;

/// The largest window that a zstd frame may ask for: 8 MiB (RFC 9659), which bounds what unpacking holds.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Why a body was not unpacked.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UnpackError {
    /// The encoding is not served.
    #[error("the content-encoding {0:?} is not served")]
    Unknown(String),
    /// The body unpacks to more than the bound.
    #[error("it is too large")]
    TooLarge,
    /// The body is not what its encoding says.
    #[error("it is damaged")]
    Damaged,
    /// There is no room for what the body unpacks to.
    #[error("there is no room for it")]
    NoRoom,
}

/// Whether the headers name an encoding to undo.
pub fn is_packed(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Undoes the `Content-Encoding` of `packed`, up to `bound` bytes.
///
/// # Errors
/// [`UnpackError`].
pub fn unpack(headers: &HeaderMap, packed: Bytes, bound: usize) -> Result<Bytes, UnpackError> {
    unpack_into(headers, packed, bound, |_length| true)
}

/// Does the same if `has_room` for as many bytes as the body unpacks to.
///
/// # Errors
/// [`UnpackError`].
pub fn unpack_into(
    headers: &HeaderMap,
    packed: Bytes,
    bound: usize,
    has_room: impl FnOnce(usize) -> bool,
) -> Result<Bytes, UnpackError> {
    if !is_packed(headers) {
        return Ok(packed);
    }
    let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoding = encoding.trim().to_ascii_lowercase();
    // The length is measured first, so that a body that unpacks to too much costs time but no memory.
    let length = std::io::copy(&mut unpacking(&encoding, &packed, bound)?, &mut std::io::sink());
    let length = usize::try_from(length.map_err(|_| UnpackError::Damaged)?).unwrap_or(usize::MAX);
    if length > bound {
        return Err(UnpackError::TooLarge);
    }
    if !has_room(length) {
        return Err(UnpackError::NoRoom);
    }
    let mut unpacked = Vec::with_capacity(length);
    unpacking(&encoding, &packed, bound)?.read_to_end(&mut unpacked).map_err(|_| UnpackError::Damaged)?;
    Ok(unpacked.into())
}

/// Reads what `packed` unpacks to, up to one byte more than `bound`.
fn unpacking<'p>(encoding: &str, packed: &'p [u8], bound: usize) -> Result<Box<dyn Read + 'p>, UnpackError> {
    let limit = bound as u64 + 1;
    Ok(match encoding {
        "gzip" | "x-gzip" => Box::new(GzDecoder::new(packed).take(limit)),
        "deflate" => Box::new(ZlibDecoder::new(packed).take(limit)),
        "zstd" => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(|_| UnpackError::Damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| UnpackError::Damaged)?;
            Box::new(decoder.take(limit))
        }
        _ => return Err(UnpackError::Unknown(encoding.to_owned())),
    })
}

#[cfg(test)]
mod tests;
