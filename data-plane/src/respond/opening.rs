//! How a provider's stream begins.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout_at;

use crate::body::collect::Patience;
use crate::body::unpack::is_packed;
use crate::error::GatewayError;

/// Whether a provider's answer is a stream.
pub fn is_stream(headers: &HeaderMap) -> bool {
    const STREAMS: [&[u8]; 2] = [b"text/event-stream", b"application/vnd.amazon.eventstream"];
    let value = headers.get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    STREAMS.iter().any(|stream| value.get(..stream.len()).is_some_and(|start| start.eq_ignore_ascii_case(stream)))
}

/// Waits for the first bytes of a stream.
///
/// # Errors
/// [`GatewayError`] when none come, or they cannot be read.
pub(super) async fn first_portion(
    head: &Parts,
    body: &mut Incoming,
    patience: Patience,
) -> Result<Bytes, GatewayError> {
    if is_packed(&head.headers) {
        return Err(GatewayError::Unusable("it is a compressed stream, which was not asked for"));
    }
    portion(body, patience).await
}

/// Waits for further bytes of a stream.
///
/// # Errors
/// [`GatewayError`] when none come.
pub(super) async fn portion(body: &mut Incoming, patience: Patience) -> Result<Bytes, GatewayError> {
    loop {
        match timeout_at(patience.first, body.frame()).await {
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Ok(data),
                Err(_trailers) => {}
            },
            Ok(Some(Err(_))) => return Err(GatewayError::Cut),
            Ok(None) => return Err(GatewayError::Unusable("it is an empty stream")),
            Err(_elapsed) => return Err(GatewayError::Timeout),
        }
    }
}
