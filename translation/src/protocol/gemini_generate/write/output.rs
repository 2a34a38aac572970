//! The shape of the answer (`docs/TRANSLATION.md` section 6.4).

use serde_json::Value;

use super::writer::{Settings, Writer};
use crate::ir::{Field, Output, Schema, ToolKind, TranslateError};
use crate::json::Json;
use crate::names::OPENAI_NAMES;
use crate::protocol::gemini_generate::schema::to_openapi;

/// A function through which the answer is to be given.
pub(super) struct AnswerTool {
    /// The function's name, which no other function has.
    pub(super) name: String,
    pub(super) description: String,
    pub(super) schema: Json,
}

/// What models are told that take no shape beside functions.
const ONE_OBJECT: &str = "Answer with one JSON object and nothing else, unless you call a function.";

/// How the answer gets its shape where the model takes none beside functions: through a function, or by words that the
/// model is told.
pub(super) fn plan(writer: &mut Writer<'_>) -> Result<(Option<AnswerTool>, Option<&'static str>), TranslateError> {
    let request = writer.request;
    let functions = request.tools.iter().any(|tool| !matches!(tool.kind, ToolKind::Builtin(_)));
    if !functions || writer.target.facts.json_schema_with_tools {
        return Ok((None, None));
    }
    match &request.output {
        Output::Text => Ok((None, None)),
        Output::JsonObject => {
            writer.back.unfence = true;
            Ok((None, Some(ONE_OBJECT)))
        }
        Output::JsonSchema(schema) => {
            let tool = answer_tool(writer, schema)?;
            writer.back.answer_tool = Some(tool.name.clone());
            Ok((Some(tool), None))
        }
    }
}

fn answer_tool(writer: &mut Writer<'_>, schema: &Schema) -> Result<AnswerTool, TranslateError> {
    let request = writer.request;
    let param = Field::Output.name(request.origin);
    let document: Value = schema.schema.read().map_err(|_| TranslateError::invalid(param, "the schema is no JSON"))?;
    // A function's arguments are an object.
    if document["type"].as_str().is_none_or(|name| !name.eq_ignore_ascii_case("object")) {
        let words = "this model takes a schema beside tools only if it is of an object";
        return Err(TranslateError::unsupported(param, words));
    }
    let taken = |name: &str| request.tools.iter().any(|tool| tool.name == name);
    let mut name = "final_answer".to_owned();
    while taken(&name) && name.len() < OPENAI_NAMES.longest {
        name.push('_');
    }
    // The name is kept from the client's functions.
    let name = writer.names.map(&name);
    let told = schema.description.as_deref().filter(|description| !description.is_empty());
    let description = match told {
        Some(told) => format!("Gives the final answer, once no other function is needed. {told}"),
        None => "Gives the final answer, once no other function is needed.".to_owned(),
    };
    Ok(AnswerTool { name, description, schema: schema.schema.clone() })
}

/// Asks for the shape in `config`.
pub(super) fn write(writer: &Writer<'_>, config: &mut Settings) -> Result<(), TranslateError> {
    match &writer.request.output {
        Output::Text => {}
        Output::JsonObject => {
            if !writer.back.unfence {
                config.set("responseMimeType", "application/json");
            }
        }
        Output::JsonSchema(schema) => {
            config.set("responseMimeType", "application/json");
            if writer.target.facts.schema_fields {
                config.set("responseJsonSchema", &schema.schema);
            } else {
                let param = Field::Output.name(writer.request.origin);
                let document = schema.schema.read::<Value>();
                let document = document.map_err(|_| TranslateError::invalid(param, "the schema is no JSON"))?;
                config.set("responseSchema", &to_openapi(&document));
            }
        }
    }
    Ok(())
}
