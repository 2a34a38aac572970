//! What an answer looks like. Its label is not believed against its content: some vendors, and proxies in front of
//! them, label streams as JSON or text, and JSON as a stream.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use translation::Format;

use super::ProviderBody;
use crate::error::GatewayError;

/// What the first bytes of an answer look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// A stream of the format.
    Stream,
    /// A JSON document.
    Json,
    /// None of these.
    Other,
    /// There is nothing but white space.
    Nothing,
}

/// How the lines of server-sent events begin.
const FIELDS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];

/// The most white space in front of an answer, in bytes. Some vendors keep the connection alive with empty lines.
const MOST_BLANKS: usize = 64 * 1024;

/// Whether a provider labels its answer as a stream.
pub fn is_stream(headers: &HeaderMap) -> bool {
    const STREAMS: [&[u8]; 2] = [b"text/event-stream", b"application/vnd.amazon.eventstream"];
    let value = headers.get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    STREAMS.iter().any(|stream| value.get(..stream.len()).is_some_and(|start| start.eq_ignore_ascii_case(stream)))
}

/// Whether a provider labels its answer as JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// Waits for the first bytes of an answer of `format`, `until` then at the latest.
///
/// # Errors
/// [`GatewayError`] when none come.
pub(super) async fn look<B: Body<Data = Bytes> + Unpin>(
    format: Format,
    mut body: ProviderBody<B>,
    until: Instant,
) -> Result<(ProviderBody<B>, Looks), GatewayError> {
    let binary = !format.facts().stream_type.starts_with("text/");
    let mut read: Vec<Bytes> = Vec::new();
    let mut blanks = 0;
    loop {
        let piece = match timeout_at(until, body.frame()).await {
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(Some(Err(_))) => return Err(GatewayError::Cut),
            Ok(None) => {
                let looks = read.last().map_or(Looks::Nothing, |start| of(start, binary, true));
                return Ok((body.ended().behind(read), looks));
            }
            Err(_elapsed) => return Err(GatewayError::Timeout),
        };
        // The beginning may come byte by byte. White space in front of it says nothing.
        let piece = match read.pop() {
            Some(start) => [&start[..], &piece[..]].concat().into(),
            None => piece,
        };
        let start = if binary { piece } else { piece.slice_ref(unmarked(&piece)) };
        if start.is_empty() {
            blanks += 1;
            if blanks > MOST_BLANKS {
                return Err(GatewayError::Unusable("it is nothing but white space"));
            }
            continue;
        }
        let looks = of(&start, binary, false);
        read.push(start);
        if looks != Looks::Nothing {
            return Ok((body.behind(read), looks));
        }
    }
}

/// What follows white space and a byte order mark.
fn unmarked(bytes: &[u8]) -> &[u8] {
    let rest = bytes.trim_ascii_start();
    rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest).trim_ascii_start()
}

/// What an answer looks like that begins with `start`; nothing where that is not known before more comes, unless that
/// is `all`.
fn of(start: &[u8], binary: bool, all: bool) -> Looks {
    match start.first() {
        None => Looks::Nothing,
        Some(b'{' | b'[') => Looks::Json,
        Some(_) if !binary && !all && b"\xef\xbb\xbf".starts_with(start) => Looks::Nothing,
        // The length of the first frame, which is less than 16 MiB.
        Some(first) if binary => {
            if *first == 0 {
                Looks::Stream
            } else {
                Looks::Other
            }
        }
        Some(_) if FIELDS.iter().any(|field| start.starts_with(field)) => Looks::Stream,
        Some(_) if !all && FIELDS.iter().any(|field| field.starts_with(start)) => Looks::Nothing,
        Some(_) => Looks::Other,
    }
}
