//! Takes references and `allOf` apart.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

/// The most nodes of a schema that is looked into. References that refer to each other can grow without end, and no
/// model could make sense of more.
const MOST_NODES: usize = 10_000;
/// The deepest level that is looked into. A deeper schema is as unlikely, and every level takes stack.
const DEEPEST: usize = 60;

/// Looks up references in a schema.
pub(super) struct Resolver<'s> {
    root: &'s Value,
    /// The references that are being looked up, the outermost first.
    open: Vec<String>,
    nodes: usize,
    depth: usize,
}

/// What stands in place of a schema that cannot be written.
pub(super) fn some_object(words: &str) -> Map<String, Value> {
    match json!({"type": "object", "description": words}) {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

impl<'s> Resolver<'s> {
    pub(super) fn new(root: &'s Value) -> Self {
        Self { root, open: Vec::new(), nodes: 0, depth: 0 }
    }

    /// Gives `go_on` the `schema` without references and `allOf` at its top. `go_on` may come back for what is below.
    pub(super) fn resolved<T>(&mut self, schema: &Value, go_on: impl FnOnce(&mut Self, Map<String, Value>) -> T) -> T {
        self.nodes += 1;
        self.depth += 1;
        let opened = self.open.len();
        let flat = match schema {
            _ if self.nodes > MOST_NODES || self.depth > DEEPEST => some_object("the schema is too large to be told"),
            Value::Object(object) => self.flat(object),
            _ => Map::new(),
        };
        let result = go_on(self, flat);
        self.open.truncate(opened);
        self.depth -= 1;
        result
    }

    fn flat(&mut self, object: &Map<String, Value>) -> Map<String, Value> {
        let mut flat = object.clone();
        // A reference may lead to a reference, so the loop ends where one leads back.
        while let Some(Value::String(reference)) = flat.shift_remove("$ref") {
            let target = match self.look_up(&reference) {
                Ok(target) => target,
                Err(words) => some_object(&words),
            };
            for (key, value) in target {
                // What stands beside a reference wins.
                flat.entry(key).or_insert(value);
            }
        }
        let Some(Value::Array(members)) = flat.shift_remove("allOf") else { return flat };
        for member in members {
            self.nodes += 1;
            if let Value::Object(member) = &member
                && self.nodes <= MOST_NODES
                && self.depth <= DEEPEST
            {
                // What a member refers to is open only while the member is looked up: a sibling may refer to the same.
                let opened = self.open.len();
                self.depth += 1;
                let member = self.flat(member);
                self.depth -= 1;
                self.open.truncate(opened);
                merge(&mut flat, member);
            }
        }
        flat
    }

    fn look_up(&mut self, reference: &str) -> Result<Map<String, Value>, String> {
        if self.open.iter().any(|open| open == reference) {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            return Err(format!("again a {name}, as above"));
        }
        self.open.push(reference.to_owned());
        let pointer = reference.strip_prefix('#').map(percent_decoded);
        let target = pointer.and_then(|pointer| self.root.pointer(&pointer));
        match target {
            Some(Value::Object(target)) => Ok(target.clone()),
            Some(_) => Ok(Map::new()),
            None => Err(format!("a value that is described at {reference}")),
        }
    }
}

/// Adds what `member` asks for: its properties and required names, and of everything else what is not there yet.
fn merge(into: &mut Map<String, Value>, member: Map<String, Value>) {
    for (key, value) in member {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(properties)), Value::Object(more)) if key == "properties" => {
                for (name, schema) in more {
                    properties.entry(name).or_insert(schema);
                }
            }
            (Some(Value::Array(names)), Value::Array(more)) if key == "required" => {
                for name in more {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
            (Some(_), _) => {}
            (None, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn percent_decoded(pointer: &str) -> Cow<'_, str> {
    if !pointer.contains('%') {
        return Cow::Borrowed(pointer);
    }
    let mut decoded = Vec::with_capacity(pointer.len());
    let mut at = 0;
    while let Some(&byte) = pointer.as_bytes().get(at) {
        let hex = (byte == b'%').then(|| pointer.get(at + 1..at + 3)).flatten();
        if let Some(value) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(value);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}
