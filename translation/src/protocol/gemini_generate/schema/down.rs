//! Puts a JSON schema into the words of the subset.

use serde_json::{Map, Value, json};

use super::resolve::Resolver;

/// Keywords that mean the same in both, and hold no schema.
const SAME: [&str; 12] = [
    "title",
    "description",
    "nullable",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
];

/// A schema for `responseSchema`.
pub(in super::super) fn to_openapi(schema: &Value) -> Value {
    convert(&mut Resolver::new(schema), schema)
}

/// A schema for `parameters`. None where it would be an object without properties, which is refused there.
pub(in super::super) fn to_parameters(schema: &Value) -> Option<Value> {
    let converted = to_openapi(schema);
    let has_properties = converted["properties"].as_object().is_some_and(|properties| !properties.is_empty());
    (has_properties || converted["anyOf"].is_array()).then_some(converted)
}

fn convert(resolver: &mut Resolver<'_>, schema: &Value) -> Value {
    resolver.resolved(schema, |resolver, flat| Value::Object(Node::of(flat).converted(resolver)))
}

/// A schema without references while it is put into the subset.
struct Node {
    from: Map<String, Value>,
    to: Map<String, Value>,
    /// What the subset has no keyword for, in words.
    words: Vec<String>,
}

impl Node {
    fn of(from: Map<String, Value>) -> Self {
        Self { from, to: Map::new(), words: Vec::new() }
    }

    fn converted(mut self, resolver: &mut Resolver<'_>) -> Map<String, Value> {
        self.constant();
        if let Some(types) = self.types() {
            return self.any_of(types, resolver);
        }
        let members = self.from.shift_remove("anyOf").or_else(|| self.from.shift_remove("oneOf"));
        if let Some(Value::Array(members)) = members.filter(|members| members.as_array().is_some_and(|m| !m.is_empty()))
        {
            return self.any_of(members, resolver);
        }
        self.plain(resolver);
        self.to
    }

    /// A constant is an enumeration of one.
    fn constant(&mut self) {
        if let Some(constant) = self.from.shift_remove("const") {
            self.from.insert("enum".to_owned(), Value::Array(vec![constant]));
        }
    }

    /// Leaves one type, without null. Returns a schema for each type where there are several.
    fn types(&mut self) -> Option<Vec<Value>> {
        let Some(Value::Array(types)) = self.from.get("type") else { return None };
        let mut types = types.clone();
        let all = types.len();
        types.retain(|name| name != "null");
        if types.len() < all {
            self.from.insert("nullable".to_owned(), Value::Bool(true));
        }
        if types.len() <= 1 {
            match types.pop() {
                Some(only) => self.from.insert("type".to_owned(), only),
                None => self.from.shift_remove("type"),
            };
            return None;
        }
        let outer = ["title", "description", "nullable"];
        let inner: Map<String, Value> = self.from.iter().filter(|(key, _)| !outer.contains(&key.as_str())).fold(
            Map::new(),
            |mut inner, (key, value)| {
                inner.insert(key.clone(), value.clone());
                inner
            },
        );
        self.from.retain(|key, _| outer.contains(&key.as_str()));
        let of = |name: Value| {
            let mut schema = inner.clone();
            if let Some(Value::Array(values)) = schema.get_mut("enum") {
                values.retain(|value| name == infer(value));
                if values.is_empty() {
                    schema.shift_remove("enum");
                }
            }
            schema.insert("type".to_owned(), name);
            Value::Object(schema)
        };
        Some(types.into_iter().map(of).collect())
    }

    /// Makes the schema one of several. Null among them becomes a flag, and a single other one takes the union's place.
    fn any_of(mut self, members: Vec<Value>, resolver: &mut Resolver<'_>) -> Map<String, Value> {
        let mut kept = Vec::with_capacity(members.len());
        let mut nullable = self.from.get("nullable") == Some(&Value::Bool(true));
        for member in members {
            let is_null = resolver.resolved(&member, |_, flat| is_null(&flat));
            if is_null {
                nullable = true;
            } else {
                kept.push(member);
            }
        }
        if nullable {
            self.from.insert("nullable".to_owned(), Value::Bool(true));
        }
        if kept.len() <= 1 {
            let only = kept.pop().unwrap_or_default();
            return resolver.resolved(&only, |resolver, mut flat| {
                for (key, value) in self.from {
                    // Types and properties are those of the member. Titles and descriptions are the union's, if it has
                    // any.
                    if matches!(key.as_str(), "description" | "title" | "nullable") || !flat.contains_key(&key) {
                        flat.insert(key, value);
                    }
                }
                Self::of(flat).converted(resolver)
            });
        }
        // Properties that stand beside a union belong to each of its members.
        let shared = ["properties", "required"].map(|key| Some((key, self.from.shift_remove(key)?)));
        let shared: Vec<_> = shared.into_iter().flatten().collect();
        let with_shared = |member: Value| match member {
            Value::Object(mut member) if !shared.is_empty() && !member.contains_key("$ref") => {
                for (key, value) in &shared {
                    merge(&mut member, key, value);
                }
                member.entry("type").or_insert_with(|| json!("object"));
                Value::Object(member)
            }
            member => member,
        };
        let members = kept.into_iter().map(with_shared).map(|member| convert(resolver, &member)).collect();
        self.from.shift_remove("type");
        self.keep();
        self.to.insert("anyOf".to_owned(), Value::Array(members));
        self.describe();
        self.to
    }

    fn plain(&mut self, resolver: &mut Resolver<'_>) {
        self.enumeration();
        let name = self.type_name();
        self.to.insert("type".to_owned(), Value::from(name.as_str()));
        self.format(&name);
        self.keep();
        match name.as_str() {
            "object" => self.object(resolver),
            "array" => self.array(resolver),
            _ => {}
        }
        self.describe();
    }

    /// The type that the schema names, or that it looks like.
    fn type_name(&self) -> String {
        if let Some(name) = self.from.get("type").and_then(Value::as_str) {
            return name.to_ascii_lowercase();
        }
        let has = |key: &str| self.from.contains_key(key);
        if has("properties") || has("additionalProperties") || has("required") {
            "object".to_owned()
        } else if has("items") || has("prefixItems") {
            "array".to_owned()
        } else if has("minimum") || has("maximum") {
            "number".to_owned()
        } else {
            "string".to_owned()
        }
    }

    /// Keeps an enumeration of strings. Other values are told in words, since the subset has none.
    fn enumeration(&mut self) {
        let Some(Value::Array(mut values)) = self.from.shift_remove("enum") else { return };
        let all = values.len();
        values.retain(|value| !value.is_null());
        if values.len() < all {
            self.from.insert("nullable".to_owned(), Value::Bool(true));
        }
        let Some(first) = values.first() else { return };
        if !self.from.contains_key("type") {
            let kind = infer(first);
            let kind = if values.iter().all(|value| infer(value) == kind) { kind } else { "string" };
            self.from.insert("type".to_owned(), Value::from(kind));
        }
        let strings = values.iter().all(Value::is_string) && self.from.get("type").is_some_and(|name| name == "string");
        if strings {
            // An empty string is refused as a value.
            values.retain(|value| value != "");
            self.to.insert("enum".to_owned(), Value::Array(values));
        } else {
            let values: Vec<String> = values.iter().map(Value::to_string).collect();
            self.words.push(format!("One of: {}.", values.join(", ")));
        }
    }

    fn format(&mut self, name: &str) {
        let Some(format) = self.from.get("format").and_then(Value::as_str) else { return };
        let known = match name {
            "string" => matches!(format, "enum" | "date-time"),
            "integer" => matches!(format, "int32" | "int64"),
            "number" => matches!(format, "float" | "double"),
            _ => false,
        };
        if known {
            self.to.insert("format".to_owned(), Value::from(format));
        }
    }

    fn keep(&mut self) {
        for key in SAME {
            if let Some(value) = self.from.get(key) {
                self.to.insert(key.to_owned(), value.clone());
            }
        }
        for (key, words) in [("exclusiveMinimum", "Greater than"), ("exclusiveMaximum", "Less than")] {
            if let Some(bound) = self.from.get(key).filter(|bound| bound.is_number()) {
                self.words.push(format!("{words} {bound}."));
            }
        }
    }

    fn object(&mut self, resolver: &mut Resolver<'_>) {
        let Some(Value::Object(properties)) = self.from.shift_remove("properties") else { return };
        if properties.is_empty() {
            return;
        }
        // The keys are names and not keywords.
        let converted: Map<String, Value> =
            properties.iter().map(|(name, schema)| (name.clone(), convert(resolver, schema))).collect();
        if let Some(Value::Array(required)) = self.from.shift_remove("required") {
            let known = |name: &Value| name.as_str().is_some_and(|name| converted.contains_key(name));
            let required: Vec<Value> = required.into_iter().filter(known).collect();
            if !required.is_empty() {
                self.to.insert("required".to_owned(), Value::Array(required));
            }
        }
        if let Some(order) = self.from.shift_remove("propertyOrdering") {
            self.to.insert("propertyOrdering".to_owned(), order);
        }
        self.to.insert("properties".to_owned(), Value::Object(converted));
    }

    fn array(&mut self, resolver: &mut Resolver<'_>) {
        let items = self.from.shift_remove("items");
        let tuple = match (self.from.shift_remove("prefixItems"), &items) {
            (Some(Value::Array(tuple)), _) => Some(tuple),
            (_, Some(Value::Array(tuple))) => Some(tuple.clone()),
            _ => None,
        };
        let converted = match (tuple.filter(|tuple| !tuple.is_empty()), items) {
            (Some(tuple), _) => {
                for key in ["minItems", "maxItems"] {
                    self.to.entry(key).or_insert_with(|| json!(tuple.len()));
                }
                let mut kinds: Vec<Value> = Vec::new();
                for schema in &tuple {
                    let kind = convert(resolver, schema);
                    if !kinds.contains(&kind) {
                        kinds.push(kind);
                    }
                }
                if kinds.len() == 1 { kinds.pop().unwrap_or_default() } else { json!({"anyOf": kinds}) }
            }
            (None, Some(items @ Value::Object(_))) => convert(resolver, &items),
            _ => json!({"type": "string"}),
        };
        self.to.insert("items".to_owned(), converted);
    }

    /// Adds the words to the description.
    fn describe(&mut self) {
        if self.words.is_empty() {
            return;
        }
        let words = self.words.join(" ");
        let description = match self.to.get("description").and_then(Value::as_str) {
            Some(before) if !before.is_empty() => format!("{before} {words}"),
            _ => words,
        };
        self.to.insert("description".to_owned(), Value::from(description));
    }
}

fn merge(member: &mut Map<String, Value>, key: &str, shared: &Value) {
    match (member.get_mut(key), shared) {
        (Some(Value::Object(own)), Value::Object(shared)) => {
            for (name, schema) in shared {
                own.entry(name.clone()).or_insert_with(|| schema.clone());
            }
        }
        (Some(Value::Array(own)), Value::Array(shared)) => {
            own.extend(shared.iter().filter(|name| !own.contains(name)).cloned().collect::<Vec<_>>());
        }
        (Some(_), _) => {}
        (None, shared) => {
            member.insert(key.to_owned(), shared.clone());
        }
    }
}

fn is_null(schema: &Map<String, Value>) -> bool {
    let only = |value: &Value| value.as_array().is_some_and(|values| values.len() == 1 && values[0].is_null());
    schema.get("type").is_some_and(|name| name == "null")
        || schema.get("const").is_some_and(Value::is_null)
        || schema.get("enum").is_some_and(only)
}

/// The type of a value.
fn infer(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
