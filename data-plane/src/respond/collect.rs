//! A body read whole, within bounds of size and time.

use std::io::Read as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::{GzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body::Body;
use http_body_util::BodyExt as _;
use thiserror::Error;
use tokio::time::timeout;

/// The largest window that a zstd frame may ask for: 8 MiB (RFC 9659), which bounds what unpacking holds.
const ZSTD_WINDOW_LOG: u32 = 23;

/// A body, or its beginning.
#[derive(Debug)]
pub enum Collected<B> {
    /// All of it.
    Whole(Bytes),
    /// More than the bound.
    Larger {
        /// What was read, more than the bound by less than one frame.
        start: Bytes,
        /// The rest.
        rest: B,
    },
}

/// Why a body was not read.
#[derive(Debug, Error)]
pub enum CollectError<E> {
    /// It broke off.
    #[error("it broke off: {0}")]
    Broken(E),
    /// It paused too long.
    #[error("it paused too long")]
    TimedOut,
}

/// Reads `body` up to `bound` bytes; each part of it has `pause` to come. A body of one frame, as small ones are, is not copied.
///
/// # Errors
/// [`CollectError`].
pub async fn collect<B>(mut body: B, bound: usize, pause: Duration) -> Result<Collected<B>, CollectError<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    loop {
        let frame = timeout(pause, body.frame()).await.map_err(|_elapsed| CollectError::TimedOut)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(CollectError::Broken)?.into_data() else { continue };
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                let expected = usize::try_from(body.size_hint().lower()).unwrap_or(bound);
                all.reserve((first.len() + data.len() + expected).min(bound));
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
        if first.len() + all.len() > bound {
            let start = if all.is_empty() { first } else { all.freeze() };
            return Ok(Collected::Larger { start, rest: body });
        }
    }
    Ok(Collected::Whole(if all.is_empty() { first } else { all.freeze() }))
}

/// Why a body was not unpacked.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UnpackError {
    /// Its encoding is not served.
    #[error("the content-encoding {0:?} is not served")]
    Unknown(String),
    /// More than the bound.
    #[error("it is too large")]
    TooLarge,
    /// It is not what its encoding says.
    #[error("it is damaged")]
    Damaged,
}

/// Whether the headers name an encoding to undo.
pub fn is_packed(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Undoes `Content-Encoding`, up to `bound` bytes.
///
/// # Errors
/// [`UnpackError`].
pub fn unpack(headers: &HeaderMap, packed: Bytes, bound: usize) -> Result<Bytes, UnpackError> {
    if !is_packed(headers) {
        return Ok(packed);
    }
    let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoding = encoding.trim().to_ascii_lowercase();
    let mut unpacked = Vec::new();
    let limit = bound as u64 + 1;
    let read = match encoding.as_str() {
        "gzip" | "x-gzip" => GzDecoder::new(&*packed).take(limit).read_to_end(&mut unpacked),
        "deflate" => ZlibDecoder::new(&*packed).take(limit).read_to_end(&mut unpacked),
        "zstd" => zstd::stream::read::Decoder::with_buffer(&*packed).and_then(|mut decoder| {
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            decoder.take(limit).read_to_end(&mut unpacked)
        }),
        _ => return Err(UnpackError::Unknown(encoding)),
    };
    match read {
        Ok(_) if unpacked.len() > bound => Err(UnpackError::TooLarge),
        Ok(_) => Ok(unpacked.into()),
        Err(_) => Err(UnpackError::Damaged),
    }
}

#[cfg(test)]
mod tests;
