//! The control routes, for tests that are not in Rust. The map of the crate documents them.

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::body::Answer;
use crate::provider::Provider;
use crate::queue::Target;
use crate::refusal::Refusal;
use crate::script::Script;
use crate::send::json as answer;
use crate::vendor::{Vendor, query_value};

/// Body of `POST /_script`, which gives scripts field by field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scripts {
    #[serde(rename = "for")]
    target: Target,
    /// Scripts that are queued, one for each request.
    #[serde(default, rename = "scripts")]
    next: Vec<Script>,
    /// The script for every request that finds none in the queue.
    #[serde(default)]
    always: Option<Script>,
}

/// Body of `POST /_fake/script`, which gives one script by its kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default = "all")]
    target: Target,
    #[serde(default = "plain")]
    kind: String,
    #[serde(default)]
    values: Map<String, Value>,
    #[serde(default)]
    apply: Apply,
}

/// The requests for which a script is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Apply {
    #[default]
    Once,
    Times(usize),
    Always,
}

fn all() -> Target {
    Target::All
}

fn plain() -> String {
    "script".to_owned()
}

impl Provider {
    /// Answers a control request. Returns nothing for a request that is for the provider.
    pub(crate) fn control(&self, parts: &Parts, body: &Bytes) -> Option<Response<Answer>> {
        let path = parts.uri.path();
        if !path.starts_with("/_") {
            return None;
        }
        let key = query_value(parts.uri.query().unwrap_or_default(), "key");
        let done = match (parts.method.as_str(), path) {
            ("POST", "/_script") => self.script_fields(body),
            ("POST", "/_fake/script") => self.script_kind(body),
            ("DELETE", "/_script" | "/_fake/script") => {
                match key {
                    Some(key) => self.queues.forget(&Target::Key(key)),
                    None => self.queues.clear(),
                }
                Ok(json!({}))
            }
            ("GET", "/_requests" | "/_fake/journal") => Ok(self.journal.describe(key.as_deref())),
            ("DELETE", "/_requests" | "/_fake/journal") => {
                self.journal.clear();
                Ok(json!({}))
            }
            _ => return None,
        };
        Some(match done {
            Ok(value) => answer(Vendor::OpenAi, StatusCode::OK, &value, None),
            Err(error) => {
                let refusal = Refusal::invalid(error).code("bad_script");
                answer(Vendor::OpenAi, StatusCode::BAD_REQUEST, &Vendor::OpenAi.error(&refusal), None)
            }
        })
    }

    fn script_fields(&self, body: &[u8]) -> Result<Value, String> {
        let scripts: Scripts = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        for script in scripts.next {
            self.queues.push(scripts.target.clone(), script);
        }
        if let Some(always) = scripts.always {
            self.queues.set_always(scripts.target, always);
        }
        Ok(json!({}))
    }

    fn script_kind(&self, body: &[u8]) -> Result<Value, String> {
        let order: Order = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let script: Script = serde_json::from_value(Value::Object(fields(&order.kind, order.values)?))
            .map_err(|error| format!("{}: {error}", order.kind))?;
        match order.apply {
            Apply::Once => self.queues.push(order.target, script),
            Apply::Times(times) => {
                for _ in 0..times.min(10_000) {
                    self.queues.push(order.target.clone(), script.clone());
                }
            }
            Apply::Always => self.queues.set_always(order.target, script),
        }
        Ok(json!({}))
    }
}

/// The fields of a script of `kind`. Further entries of `values` are fields of the script itself.
fn fields(kind: &str, mut values: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let renamed: &[(&str, &str)] = match kind {
        "script" | "verbatim" | "recording" => &[],
        "error" => {
            values.entry("status").or_insert(json!(500));
            &[]
        }
        "saying" => &[("text", "content")],
        "thinking" => &[("text", "thinking")],
        "refusal" => &[("text", "refusal")],
        "blocked" => &[("reason", "blocked")],
        "paced" => &[("every_ms", "chunk_delay_ms")],
        "endless" => {
            values.insert("endless".to_owned(), json!(true));
            &[("every_ms", "chunk_delay_ms")]
        }
        "echo" => {
            values.insert("echo".to_owned(), json!(true));
            &[]
        }
        "sse" => {
            values.entry("content_type").or_insert(json!("text/event-stream; charset=utf-8"));
            &[("events", "body")]
        }
        "json" => {
            let document = values.remove("document").unwrap_or_default();
            values.insert("body".to_owned(), json!(document.to_string()));
            &[]
        }
        "tool_calls" => {
            let mut calls = values.remove("calls").unwrap_or_default();
            for call in calls.as_array_mut().into_iter().flatten() {
                if let Some(arguments) = call.get_mut("arguments").filter(|arguments| !arguments.is_string()) {
                    *arguments = json!(arguments.to_string());
                }
            }
            values.insert("tool_calls".to_owned(), calls);
            &[]
        }
        other => return Err(format!("unknown kind: {other}")),
    };
    for (from, to) in renamed {
        if let Some(value) = values.remove(*from) {
            values.insert((*to).to_owned(), value);
        }
    }
    Ok(values)
}
