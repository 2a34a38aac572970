//! Finds what an error document says, whatever its shape: vendors nest it differently, in an array, under `error`,
//! `errors`, `detail`, `base_resp`, or not at all.

use serde_json::Value;

/// How deep documents are looked into.
const DEEPEST: usize = 8;

/// The most bytes of words that are kept.
const LONGEST: usize = 4096;

/// Fields that hold a name: a code, a type, a reason.
const NAMES: &[&str] = &[
    "code",
    "type",
    "status",
    "reason",
    "error_code",
    "errorCode",
    "__type",
    "errorType",
    "error_type",
    "Code",
    "name",
];

/// Fields that hold words.
const WORDS: &[&str] = &[
    "message",
    "msg",
    "error",
    "detail",
    "error_msg",
    "errmsg",
    "error_message",
    "errorMessage",
    "error_description",
    "status_msg",
    "title",
    "description",
    "Message",
    "reason",
    "raw",
];

/// Fields that hold a pause.
const PAUSES: &[&str] = &[
    "retryDelay",
    "retry_after",
    "retryAfter",
    "retry_after_seconds",
    "retry_after_ms",
    "retryAfterMs",
    "retryAfterSeconds",
    "retry_delay",
];

/// What an error document says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Codes, types and reasons, in small letters.
    pub(super) names: Vec<String>,
    /// All words, in small letters.
    pub(super) words: String,
    /// Fields that hold a pause, with their names.
    pub(super) pauses: Vec<(String, String)>,
}

impl Said {
    /// Reads the name in a header and a body. One that is not JSON is the words itself.
    pub(super) fn read(name: Option<&str>, body: &[u8]) -> Self {
        let mut said = Self::default();
        if let Some(name) = name {
            said.add_name(name);
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::String(words)) => said.add_words(&words),
            Ok(document) => said.look_into(&document, 0),
            Err(_) => said.add_words(&crate::protocol::openai_error::words(body)),
        }
        said
    }

    fn look_into(&mut self, value: &Value, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        match value {
            Value::Array(elements) => elements.iter().for_each(|element| self.look_into(element, depth + 1)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.field(name, value);
                    self.look_into(value, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn field(&mut self, name: &str, value: &Value) {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return,
        };
        if PAUSES.contains(&name) {
            self.pauses.push((name.to_owned(), text));
            return;
        }
        if NAMES.contains(&name) && value.is_string() {
            self.add_name(&text);
        }
        if WORDS.contains(&name) && value.is_string() {
            self.add_words(&text);
            // What a relay passes on may be a document in a text.
            if text.trim_start().starts_with('{')
                && let Ok(document) = serde_json::from_str::<Value>(&text)
            {
                self.look_into(&document, DEEPEST / 2);
            }
        }
    }

    /// Notes a name. AWS writes it behind a namespace, and in front of an address (`x-amzn-errortype`, AWS restJson1
    /// protocol, "Operation error serialization").
    fn add_name(&mut self, name: &str) {
        let name = name.split([',', ':']).next().unwrap_or(name);
        let name = name.rsplit('#').next().unwrap_or(name);
        self.names.push(name.trim().to_ascii_lowercase());
    }

    fn add_words(&mut self, words: &str) {
        let room = LONGEST.saturating_sub(self.words.len());
        let end = words.floor_char_boundary(words.len().min(room));
        self.words.push_str(&words[..end].to_lowercase());
        self.words.push('\n');
    }
}
