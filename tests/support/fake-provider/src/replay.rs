//! Answers from recorded exchanges.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::script::Script;

/// Headers that the sender sets, or that are not true of the recorded text any more.
const FRAMING: &[&str] = &["content-length", "transfer-encoding", "content-encoding", "connection", "date"];

#[derive(Debug, Deserialize)]
struct Exchange {
    response: Recorded,
}

#[derive(Debug, Deserialize)]
struct Recorded {
    status: u16,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    /// The body as it stands in the file, so that its numbers do not lose a digit.
    #[serde(default)]
    body: Option<Box<RawValue>>,
    #[serde(default)]
    sse: Option<String>,
}

/// Puts the recorded answer into `script`. Events go out in pieces of pseudo-random size, because recordings do not
/// keep where the pieces of a stream ended. If the file cannot be read, the answer says so with status 599.
pub(crate) async fn load(script: &mut Script) {
    let Some(path) = script.recording.take() else { return };
    let read = tokio::fs::read(&path).await.map_err(|error| error.to_string());
    let exchange = read.and_then(|bytes| serde_json::from_slice::<Exchange>(&bytes).map_err(|error| error.to_string()));
    let recorded = match exchange {
        Ok(exchange) => exchange.response,
        Err(error) => {
            script.status = 599;
            script.content_type = Some("text/plain".to_owned());
            script.body = Some(format!("no recording in {}: {error}", path.display()));
            return;
        }
    };
    script.status = recorded.status;
    let mut content_type = None;
    for (name, value) in recorded.headers {
        let Value::String(value) = value else { continue };
        if name.eq_ignore_ascii_case("content-type") {
            content_type = Some(value);
        } else if !FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
            script.headers.push((name, value));
        }
    }
    let (body, usual) = match (recorded.sse, recorded.body) {
        (Some(events), _) => {
            script.seed = script.seed.or(Some(0));
            script.headers.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
            (events, "text/event-stream; charset=utf-8")
        }
        (None, Some(body)) => match serde_json::from_str(body.get()) {
            Ok(text) => (text, "text/plain"),
            Err(_) => (body.get().to_owned(), "application/json"),
        },
        (None, None) => (String::new(), "application/json"),
    };
    script.body = Some(body);
    script.content_type = Some(content_type.unwrap_or_else(|| usual.to_owned()));
}
