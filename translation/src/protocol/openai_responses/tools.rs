//! Tools and the choice among them, both ways (API reference, "Create a model response", `tools` and `tool_choice`).

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::fields::read;
use super::lenient::{Text, maybe};
use crate::ir::{Tool, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;
use crate::names::{in_namespace, namespace_of};
use crate::protocol::openai_limits;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Declared<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    strict: Option<bool>,
    #[serde(borrow)]
    format: Option<&'a RawValue>,
    /// The tools of a namespace.
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
    /// The inner object of a client that wrote the tool as for chat completions.
    #[serde(borrow)]
    function: Option<&'a RawValue>,
}

/// Reads the tools that stand in the field `list` of a request. Those of a namespace follow each other in its place.
pub(super) fn decode(list: &str, tools: Vec<&RawValue>) -> Result<Vec<Tool>, TranslateError> {
    let mut read = Vec::with_capacity(tools.len());
    for (at, raw) in tools.into_iter().enumerate() {
        tool(&format!("{list}[{at}]"), raw, &mut read)?;
    }
    Ok(read)
}

fn tool(path: &str, raw: &RawValue, tools: &mut Vec<Tool>) -> Result<(), TranslateError> {
    let declared: Declared<'_> = read(path, raw)?;
    if declared.r#type.or_empty() != "namespace" {
        tools.push(single(path, raw, declared)?);
        return Ok(());
    }
    let Some(namespace) = declared.name.given() else {
        return Err(TranslateError::invalid(format!("{path}.name"), "a namespace must have a name"));
    };
    let first = tools.len();
    for (at, raw) in declared.tools.into_iter().enumerate() {
        let path = format!("{path}.tools[{at}]");
        let tool = single(&path, raw, read(&path, raw)?)?;
        tools.push(Tool { name: in_namespace(namespace, &tool.name), ..tool });
    }
    // No other API has a place for what is said of all of them, so the first says it.
    if let (Some(words), Some(first)) = (declared.description.given(), tools.get_mut(first)) {
        let words = format!("All tools of {namespace}: {words}");
        first.description = Some(match &first.description {
            Some(own) => format!("{own}\n\n{words}"),
            None => words,
        });
    }
    Ok(())
}

fn single<'a>(path: &str, raw: &'a RawValue, mut declared: Declared<'a>) -> Result<Tool, TranslateError> {
    let r#type = declared.r#type.or_empty().to_owned();
    if declared.name.given().is_none()
        && let Some(inner) = declared.function
    {
        declared = read(&format!("{path}.function"), inner)?;
    }
    let name = match (r#type.as_str(), declared.name.given()) {
        ("function" | "custom", Some(name)) => name.to_owned(),
        ("function" | "custom", None) => {
            return Err(TranslateError::invalid(format!("{path}.name"), "a tool must have a name"));
        }
        ("", _) => return Err(TranslateError::invalid(format!("{path}.type"), "a tool must have a type")),
        (builtin, _) => builtin.to_owned(),
    };
    let kind = match r#type.as_str() {
        "function" => {
            let parameters = declared.parameters.map(Json::of);
            if parameters.as_ref().is_some_and(|schema| !schema.is_object()) {
                let param = format!("{path}.parameters");
                return Err(TranslateError::invalid(param, "the parameters of a tool must be a JSON schema"));
            }
            ToolKind::Function { parameters, strict: declared.strict }
        }
        "custom" => ToolKind::Custom { format: declared.format.map(Json::of) },
        _ => ToolKind::Builtin(Json::of(raw)),
    };
    let described = matches!(kind, ToolKind::Function { .. } | ToolKind::Custom { .. });
    let description = declared.description.given().filter(|_| described).map(str::to_owned);
    Ok(Tool { name, description, kind, cache: None })
}

/// Reads the choice of a request.
pub(super) fn decode_choice(raw: &RawValue) -> Result<ToolChoice, TranslateError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Choice<'a> {
        #[serde(borrow)]
        r#type: Text<'a>,
        #[serde(borrow)]
        name: Text<'a>,
        #[serde(borrow)]
        namespace: Text<'a>,
        #[serde(borrow)]
        mode: Text<'a>,
        #[serde(borrow)]
        tools: Vec<&'a RawValue>,
        #[serde(borrow)]
        function: Option<&'a RawValue>,
    }

    let unknown = |word: &str| TranslateError::invalid("tool_choice", format!("there is no tool choice `{word}`"));
    if let Some(word) = maybe::<String>(raw) {
        return match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            other => Err(unknown(other)),
        };
    }
    let choice: Choice<'_> = read("tool_choice", raw)?;
    let name_of = |raw: &RawValue| {
        let tool: Choice<'_> = maybe(raw)?;
        match tool.r#type.or_empty() {
            "function" | "custom" => tool.name.given().map(|name| qualified(tool.namespace.given(), name)),
            builtin => Some(builtin.to_owned()),
        }
    };
    match choice.r#type.or_empty() {
        "function" | "custom" => {
            let inner = choice.function.and_then(maybe::<Choice<'_>>);
            let name = choice.name.given().or_else(|| inner.as_ref().and_then(|inner| inner.name.given()));
            match name {
                Some(name) => Ok(ToolChoice::Named(qualified(choice.namespace.given(), name))),
                None => Err(TranslateError::invalid("tool_choice.name", "the tool choice must name its tool")),
            }
        }
        "allowed_tools" => {
            let names = choice.tools.iter().filter_map(|raw| name_of(raw)).collect();
            Ok(ToolChoice::Allowed { required: choice.mode.or_empty() == "required", names })
        }
        "" => Err(unknown("")),
        builtin => Ok(ToolChoice::Named(builtin.to_owned())),
    }
}

/// The one name of a tool, which may be of a namespace.
pub(super) fn qualified(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| in_namespace(namespace, name))
}

static NO_PARAMETERS: LazyLock<Json> =
    LazyLock::new(|| Json::of(&serde_json::json!({"type": "object", "properties": {}})));

/// A tool, under the name that the reader is to see.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Written<'a> {
    /// A function. `strict` is always written: OpenAI's default here is true, and would refuse schemas that a client of
    /// another format may send.
    Function {
        r#type: &'static str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        parameters: Cow<'a, Json>,
        strict: bool,
    },
    /// A tool of free text.
    Custom {
        r#type: &'static str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<Cow<'a, Json>>,
    },
    /// A tool that runs at the provider.
    Builtin(&'a Json),
}

impl<'a> Written<'a> {
    /// `tool` under `name`: as the client wrote it if the client's API is OpenAI's (`own`), or else as OpenAI takes it.
    pub(super) fn of(tool: &'a Tool, name: &'a str, own: bool) -> Self {
        let description = tool.description.as_deref().filter(|text| !text.is_empty());
        match &tool.kind {
            ToolKind::Function { parameters, strict } => {
                let schema = parameters.as_ref().filter(|schema| schema.get() != "{}").unwrap_or(&NO_PARAMETERS);
                Self::Function {
                    r#type: "function",
                    name,
                    description,
                    parameters: if own { Cow::Borrowed(schema) } else { openai_limits::parameters(schema) },
                    // Another format's strict tools ask less of a schema than OpenAI's, which refuses a schema that it
                    // cannot hold the model to.
                    strict: own && strict.unwrap_or(false),
                }
            }
            ToolKind::Custom { format } => {
                Self::Custom { r#type: "custom", name, description, format: format.as_ref().map(grammar) }
            }
            ToolKind::Builtin(declaration) => Self::Builtin(declaration),
        }
    }
}

/// A choice among `tools`, with the names that the reader is to see.
pub(super) struct WrittenChoice<'a, F: Fn(&str) -> String> {
    pub(super) choice: &'a ToolChoice,
    pub(super) tools: &'a [Tool],
    pub(super) name: F,
}

#[derive(Serialize)]
struct Pointer<'a> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_label: Option<String>,
}

impl<F: Fn(&str) -> String> WrittenChoice<'_, F> {
    fn callable(&self, r#type: &'static str, name: &str) -> Pointer<'static> {
        let told = (self.name)(name);
        let (namespace, name) = namespace_of(&told);
        let (name, namespace) = (Some(name.to_owned()), namespace.map(str::to_owned));
        Pointer { r#type, name, namespace, server_label: None }
    }

    fn pointer(&self, name: &str) -> Pointer<'_> {
        #[derive(Deserialize)]
        struct Server {
            server_label: Option<String>,
        }

        let tool = self.tools.iter().find(|tool| tool.name == name);
        match tool.map(|tool| &tool.kind) {
            Some(ToolKind::Builtin(declaration)) => Pointer {
                r#type: tool.map_or("function", |tool| &tool.name),
                name: None,
                namespace: None,
                server_label: declaration.read::<Server>().ok().and_then(|server| server.server_label),
            },
            Some(ToolKind::Custom { .. }) => self.callable("custom", name),
            _ => self.callable("function", name),
        }
    }
}

impl<F: Fn(&str) -> String> Serialize for WrittenChoice<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Allowed<'a> {
            r#type: &'static str,
            mode: &'static str,
            tools: Vec<Pointer<'a>>,
        }

        match self.choice {
            ToolChoice::Auto => serializer.serialize_str("auto"),
            ToolChoice::None => serializer.serialize_str("none"),
            ToolChoice::Required => serializer.serialize_str("required"),
            ToolChoice::Named(name) => self.pointer(name).serialize(serializer),
            ToolChoice::Allowed { required, names } => Allowed {
                r#type: "allowed_tools",
                mode: if *required { "required" } else { "auto" },
                tools: names.iter().map(|name| self.pointer(name)).collect(),
            }
            .serialize(serializer),
        }
    }
}

/// A grammar in this API's form. Chat completions have it in an inner object.
fn grammar(format: &Json) -> Cow<'_, Json> {
    let inner = format.read::<Map<String, Value>>().ok().and_then(|mut format| match format.remove("grammar") {
        Some(Value::Object(inner)) => Some(inner),
        _ => None,
    });
    match inner {
        Some(mut flat) => {
            flat.insert("type".to_owned(), json!("grammar"));
            Cow::Owned(Json::of(&flat))
        }
        None => Cow::Borrowed(format),
    }
}
