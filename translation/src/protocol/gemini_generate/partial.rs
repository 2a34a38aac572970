//! Arguments of a function call that come in pieces (Vertex AI, `streamFunctionCallArguments`): each piece names its
//! place by a JSON path.

use serde_json::value::RawValue;

use super::answer::PartialArg;
use crate::json::quoted;

/// The arguments so far.
#[derive(Debug, Default)]
pub(super) struct Arguments(Option<Node>);

#[derive(Debug)]
enum Node {
    /// The fields, in the order in which they were met.
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    /// A number, a flag, null or a whole value, as it came.
    Json(String),
}

/// The deepest path. No model has a reason for a deeper one.
const DEEPEST: usize = 64;
const LONGEST_ARRAY: usize = 100_000;
/// The largest gap in an array. An element may come before those in front of it, but not by more.
const LARGEST_GAP: usize = 1_000;

enum Step {
    Key(String),
    Index(usize),
}

impl Arguments {
    /// Begins with arguments that came whole.
    pub(super) fn begin(&mut self, args: &RawValue) {
        if args.get().starts_with('{') && self.0.is_none() {
            self.0 = serde_json::from_str(args.get()).ok().map(of_value);
        }
    }

    /// Puts a piece in its place. A piece whose path makes no sense is left out.
    pub(super) fn add(&mut self, piece: PartialArg<'_>) {
        let Some(steps) = piece.json_path.as_deref().and_then(steps) else { return };
        let place = find(self.0.get_or_insert_with(|| Node::Object(Vec::new())), steps);
        let Some(place) = place else { return };
        match (place, piece.string_value) {
            // A text comes in pieces, of which the last may be empty.
            (Node::Text(text), Some(more)) => text.push_str(&more),
            (place, Some(text)) => *place = Node::Text(text),
            (place, None) => {
                let value = piece.number_value.or(piece.bool_value).map_or("null", RawValue::get);
                *place = Node::Json(value.to_owned());
            }
        }
    }

    /// The arguments as JSON.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        match &self.0 {
            Some(node) => node.write(&mut text),
            None => text.push_str("{}"),
        }
        text
    }
}

impl Node {
    fn write(&self, text: &mut String) {
        match self {
            Self::Object(fields) => {
                text.push('{');
                for (at, (key, node)) in fields.iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    text.push_str(&quoted(key));
                    text.push(':');
                    node.write(text);
                }
                text.push('}');
            }
            Self::Array(nodes) => {
                text.push('[');
                for (at, node) in nodes.iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    node.write(text);
                }
                text.push(']');
            }
            Self::Text(words) => text.push_str(&quoted(words)),
            Self::Json(json) => text.push_str(json),
        }
    }
}

fn of_value(value: serde_json::Value) -> Node {
    match value {
        serde_json::Value::Object(fields) => {
            Node::Object(fields.into_iter().map(|(key, value)| (key, of_value(value))).collect())
        }
        serde_json::Value::Array(values) => Node::Array(values.into_iter().map(of_value).collect()),
        serde_json::Value::String(text) => Node::Text(text),
        other => Node::Json(other.to_string()),
    }
}

/// The place that `steps` lead to. What is missing on the way is made.
fn find(root: &mut Node, steps: Vec<Step>) -> Option<&mut Node> {
    let mut node = root;
    for step in steps {
        let nothing = || Node::Json("null".to_owned());
        let empty = matches!(node, Node::Json(_) | Node::Text(_));
        node = match step {
            Step::Key(key) => {
                if empty {
                    *node = Node::Object(Vec::new());
                }
                let Node::Object(fields) = node else { return None };
                // The field that was met last is the likeliest.
                let known = fields.iter().rposition(|(name, _)| *name == key);
                let at = known.unwrap_or_else(|| {
                    fields.push((key, nothing()));
                    fields.len() - 1
                });
                &mut fields.get_mut(at)?.1
            }
            Step::Index(index) => {
                if empty {
                    *node = Node::Array(Vec::new());
                }
                let Node::Array(nodes) = node else { return None };
                if index >= LONGEST_ARRAY || index > nodes.len() + LARGEST_GAP {
                    return None;
                }
                while nodes.len() <= index {
                    nodes.push(nothing());
                }
                nodes.get_mut(index)?
            }
        };
    }
    Some(node)
}

/// The steps of a path such as `$.items[0].name` or `$['a key']` (RFC 9535, singular queries).
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == DEEPEST {
            return None;
        }
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, after) = name.split_at(end);
            steps.push(Step::Key(name.to_owned()));
            rest = after;
            continue;
        }
        let inner = rest.strip_prefix('[')?;
        if let Some(quote) = inner.chars().next().filter(|quote| matches!(quote, '"' | '\'')) {
            let (key, after) = quoted_key(&inner[1..], quote)?;
            steps.push(Step::Key(key));
            rest = after.strip_prefix(']')?;
        } else {
            let (index, after) = inner.split_once(']')?;
            steps.push(Step::Index(index.trim().parse().ok()?));
            rest = after;
        }
    }
    Some(steps)
}

fn quoted_key(text: &str, quote: char) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => key.push(chars.next()?.1),
            c if c == quote => return Some((key, &text[at + c.len_utf8()..])),
            c => key.push(c),
        }
    }
    None
}
