//! Where in a document a reader failed.

use crate::ir::TranslateError;

/// What a client is told when `body` cannot be read: the field at fault below `prefix`, or that the body is not JSON.
pub(super) fn refusal(body: &[u8], prefix: &str, error: &serde_json::Error) -> TranslateError {
    let said = error.to_string();
    if !error.is_data() {
        let message = format!("the request body is not valid JSON: {said}");
        return TranslateError { param: None, ..TranslateError::invalid("", message) };
    }
    // Serde names a line and a column, in whose place the path stands.
    let said = said.split(" at line ").next().unwrap_or_default();
    let path = path_at(body, offset(body, error.line(), error.column()));
    let param = match (prefix, path.as_str()) {
        ("", "") => "body".to_owned(),
        (prefix, "") => prefix.to_owned(),
        ("", path) => path.to_owned(),
        (prefix, path) if path.starts_with('[') => format!("{prefix}{path}"),
        (prefix, path) => format!("{prefix}.{path}"),
    };
    TranslateError::invalid(param.as_str(), format!("{param}: {said}"))
}

fn offset(body: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match memchr::memchr(b'\n', &body[start..]) {
            Some(at) => start += at + 1,
            None => break,
        }
    }
    (start + column).min(body.len())
}

enum Step {
    Key(String),
    Index(usize),
}

/// The path of the value that the first `end` bytes of a JSON document end in, such as `messages[0].content[1].text`.
fn path_at(body: &[u8], end: usize) -> String {
    let body = &body[..end];
    let mut steps: Vec<Step> = Vec::new();
    // Whether the next string of the innermost object is a key.
    let mut key = false;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        let last = at + 1 == body.len();
        match byte {
            b'"' => {
                let close = string_end(body, at + 1);
                if key {
                    let name = body.get(at..=close).and_then(|text| serde_json::from_slice(text).ok());
                    if let (Some(Step::Key(step)), Some(name)) = (steps.last_mut(), name) {
                        *step = name;
                    }
                }
                at = close;
            }
            // The value itself is at fault, and not its first part.
            b'{' | b'[' if last => {}
            b'{' => {
                steps.push(Step::Key(String::new()));
                key = true;
            }
            b'[' => {
                steps.push(Step::Index(0));
                key = false;
            }
            b':' => key = false,
            b',' if !last => match steps.last_mut() {
                Some(Step::Index(index)) => *index += 1,
                Some(Step::Key(_)) => key = true,
                None => {}
            },
            b'}' | b']' => {
                steps.pop();
                key = false;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(name) if path.is_empty() => path = name,
            Step::Key(name) if name.is_empty() => {}
            Step::Key(name) => {
                path.push('.');
                path.push_str(&name);
            }
            Step::Index(index) => {
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
            }
        }
    }
    path
}

/// Where the string that begins at `start` ends: at its closing quote, or behind all bytes.
fn string_end(body: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(found) = body.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if body[at] == b'"' {
            return at;
        }
        at += 2;
    }
    body.len()
}
