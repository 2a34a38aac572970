use std::path::PathBuf;

use serde_json::{Value, json};

use super::{openai, provider};
use crate::queue::Target;
use crate::script::Script;

/// A recording in a file that is removed when this is dropped.
struct Recording(PathBuf);

impl Recording {
    fn new(name: &str, exchange: &Value) -> Self {
        let path = std::env::temp_dir().join(format!("fake-provider-{}-{name}.json", std::process::id()));
        std::fs::write(&path, exchange.to_string()).unwrap();
        Self(path)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

fn chat() -> Value {
    json!({ "model": "gpt-4o", "messages": [] })
}

#[tokio::test]
async fn recorded_events_come_as_they_were_in_other_pieces() {
    let events = "data: {\"x\":\"naïve 🚀\"}\r\n\r\n".repeat(40);
    let exchange = json!({ "response": { "status": 200, "headers": { "content-type": "text/event-stream", "x-own": "1",
        "content-length": "3" }, "sse": events } });
    let recording = Recording::new("events", &exchange);
    let provider = provider().await;
    let mut pieces = Vec::new();
    for seed in [1, 1, 2] {
        provider.script(Target::All, Script::recording(&recording.0).seed(seed));
        let got = openai(&provider, "/v1/chat/completions", &chat()).await;
        assert_eq!((got.text(), got.header("x-own")), (events.clone(), Some("1")));
        assert_eq!(got.header("content-type"), Some("text/event-stream"));
        pieces.push(provider.journal().last().unwrap().chunks());
    }
    assert!(pieces[0] > 5 && pieces[0] == pieces[1], "{pieces:?}");
}

#[tokio::test]
async fn recorded_documents_and_errors_come_with_their_status() {
    let exchange =
        json!({ "response": { "status": 429, "headers": { "retry-after": "37" }, "body": { "error": { "x": 1 } } } });
    let recording = Recording::new("error", &exchange);
    let provider = provider().await;
    provider.script(Target::All, Script::recording(&recording.0));
    let got = openai(&provider, "/v1/chat/completions", &chat()).await;
    assert_eq!((got.status, got.header("retry-after"), got.json()), (429, Some("37"), json!({ "error": { "x": 1 } })));
}

#[tokio::test]
async fn a_recording_that_is_not_there_says_so() {
    let provider = provider().await;
    provider.script(Target::All, Script::recording("/nowhere/at/all.json"));
    openai(&provider, "/v1/chat/completions", &chat()).await.refuses(599, "no recording in /nowhere/at/all.json");
}
