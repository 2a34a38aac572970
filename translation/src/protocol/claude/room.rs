//! How much the schemas of one request may hold together: those of strict tools, and that of the answer ("Structured
//! outputs", section "Schema complexity limits"). Anthropic answers 400 to more.

use serde_json::{Map, Value};

/// The room that is left.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Room {
    tools: usize,
    optional: usize,
    unions: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { tools: 20, optional: 24, unions: 16 }
    }
}

impl Room {
    /// Takes the room that the `schema` of the answer needs. Takes nothing where there is not that much.
    pub(in crate::protocol) fn take(&mut self, schema: &Value) -> bool {
        self.less(0, schema)
    }

    /// Takes the room that a tool with parameters of `schema` needs.
    pub(in crate::protocol) fn take_tool(&mut self, schema: &Value) -> bool {
        self.less(1, schema)
    }

    fn less(&mut self, tools: usize, schema: &Value) -> bool {
        let (optional, unions) = counted(schema);
        let left = self.tools.checked_sub(tools).zip(self.optional.checked_sub(optional));
        let Some(((tools, optional), unions)) = left.zip(self.unions.checked_sub(unions)) else { return false };
        *self = Self { tools, optional, unions };
        true
    }
}

/// Properties that need not be there, and values of more than one type.
fn counted(schema: &Value) -> (usize, usize) {
    let (mut optional, mut unions) = (0, 0);
    let mut rest = vec![schema];
    while let Some(schema) = rest.pop() {
        let Some(schema) = schema.as_object() else { continue };
        let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if let Some(properties) = object(schema, "properties") {
            optional += properties.keys().filter(|name| !required.iter().any(|known| known == name.as_str())).count();
            rest.extend(properties.values());
        }
        let of_types = schema.get("type").and_then(Value::as_array).is_some_and(|types| types.len() > 1);
        unions += usize::from(of_types || schema.contains_key("anyOf"));
        rest.extend(object(schema, "$defs").into_iter().flat_map(Map::values));
        rest.extend(schema.get("items"));
        rest.extend(["anyOf", "allOf"].iter().filter_map(|name| schema.get(*name)?.as_array()).flatten());
    }
    (optional, unions)
}

fn object<'s>(schema: &'s Map<String, Value>, name: &str) -> Option<&'s Map<String, Value>> {
    schema.get(name).and_then(Value::as_object)
}
