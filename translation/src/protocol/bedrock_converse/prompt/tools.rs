//! Tools, whether they must be called, and the shape of the answer (`docs/TRANSLATION.md` sections 2.2 to 2.4; Bedrock
//! API Reference, "ToolConfiguration" and "OutputConfig").

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::maker::Maker;
use super::messages::Caching;
use super::schema;
use super::wire::{
    CachePoint, Choice, InputSchema, JsonSchema, OutputConfig, Spec, Structure, TextFormat, Tool, ToolConfig,
};
use crate::back::Back;
use crate::facts::{ForcedTools, ModelFacts};
use crate::ir::{self, Dropped, Field, Output, Part, Request, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;
use crate::names::Mapping;
use crate::protocol::builtin;
use crate::protocol::claude::schema::Written;
use crate::protocol::claude::{Room, tools};

/// What the request says of tools and of the answer's shape.
#[derive(Debug, Default)]
pub(super) struct Plan<'r> {
    tools: Vec<Tool<'r>>,
    pub(super) choice: Option<Choice>,
    pub(super) output: Option<OutputConfig<'r>>,
    /// Lines for the system message, in place of what the model cannot be held to.
    pub(super) lines: Vec<Cow<'static, str>>,
    /// What Claude is told in its own words, since the Converse API has none for it.
    pub(super) tool_choice: Option<Value>,
}

impl<'r> Plan<'r> {
    /// Whether some tool has to be called.
    pub(super) fn forces(&self) -> bool {
        matches!(self.choice, Some(Choice::Any {} | Choice::Tool { .. }))
    }

    /// The field as it is written. None where there is no tool.
    pub(super) fn config(self) -> Option<ToolConfig<'r>> {
        let specs = self.tools.iter().any(|tool| matches!(tool, Tool::ToolSpec(_)));
        specs.then_some(ToolConfig { tools: self.tools, tool_choice: self.choice })
    }
}

/// The Claude models that can be held to a schema on Bedrock (Amazon Bedrock User Guide, "Get validated JSON results
/// from models"). Bedrock checks requests by its own copy of Anthropic's API, in which newer models have no such field
/// yet.
const HELD_TO_SCHEMAS: [&str; 5] =
    ["claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5", "claude-sonnet-4-6", "claude-opus-4-6"];

pub(super) struct Writer<'w, 'r> {
    pub(super) request: &'r Request,
    pub(super) model: &'w str,
    pub(super) maker: Maker,
    pub(super) facts: &'w ModelFacts,
    /// The room that is left for schemas that Claude is held to.
    pub(super) room: Room,
    pub(super) caching: Caching,
    pub(super) names: &'w mut Mapping,
    pub(super) back: &'w mut Back,
    pub(super) dropped: &'w mut Dropped,
}

impl<'r> Writer<'_, 'r> {
    pub(super) fn write(mut self) -> Result<Plan<'r>, TranslateError> {
        let mut plan = Plan { tools: self.tools()?, ..Plan::default() };
        self.choice(&mut plan)?;
        match &self.request.output {
            Output::Text => {}
            Output::JsonObject => {
                self.back.unfence = true;
                plan.lines.push(Cow::Borrowed(tools::any_object(!plan.tools.is_empty())));
            }
            Output::JsonSchema(wanted) => self.schema(wanted, &mut plan)?,
        }
        if self.facts.forced_tools == ForcedTools::No && plan.forces() {
            self.unforce(&mut plan);
        }
        self.one_call_at_most(&mut plan);
        Ok(plan)
    }

    fn held_to_schemas(&self) -> bool {
        let known = self.maker != Maker::Claude || HELD_TO_SCHEMAS.iter().any(|name| self.model.contains(name));
        known && self.facts.json_schema
    }

    fn tools(&mut self) -> Result<Vec<Tool<'r>>, TranslateError> {
        let request = self.request;
        let allowed = match &request.tool_choice {
            // Another maker's model can be forced to call a tool only where it has no other.
            Some(ToolChoice::Named(name)) if self.maker != Maker::Claude && !self.maker.is_nova() => {
                Some(HashSet::from([&**name]))
            }
            _ => tools::allowed(request),
        };
        let mut written = Vec::with_capacity(request.tools.len());
        tools::each(request, allowed.as_ref(), |index, tool| {
            let Some(spec) = self.tool(index, tool)? else { return Ok(()) };
            written.push(Tool::ToolSpec(spec));
            if let Some(cache) = &tool.cache {
                // Nova caches no tools.
                if self.caching.on && self.maker == Maker::Claude {
                    written.push(Tool::CachePoint(CachePoint::of(cache, self.caching.hour)));
                } else {
                    self.dropped.field(request, Field::Cache);
                }
            }
            Ok(())
        })?;
        if written.is_empty() {
            written = self.tools_of_history();
        }
        Ok(written)
    }

    /// The tools that the conversation calls. Bedrock refuses a conversation with calls where no tool is declared.
    fn tools_of_history(&mut self) -> Vec<Tool<'r>> {
        let mut seen = HashSet::new();
        let parts = self.request.messages.iter().flat_map(|message| &message.parts);
        let calls = parts.filter_map(|part| match part {
            Part::ToolCall(call) => Some(&*call.name),
            _ => None,
        });
        let calls = calls.filter(|name| seen.insert(*name));
        calls
            .map(|name| Tool::ToolSpec(spec(self.names.map(name), None, Written::Anew(tools::no_parameters()))))
            .collect()
    }

    /// None where the tool is left out.
    fn tool(&mut self, index: usize, tool: &'r ir::Tool) -> Result<Option<Spec<'r>>, TranslateError> {
        let description = tool.description.as_deref().filter(|text| !text.trim().is_empty()).map(Cow::Borrowed);
        let (schema, strict) = match &tool.kind {
            ToolKind::Function { parameters, strict } => {
                self.function(index, parameters.as_ref(), *strict == Some(true))?
            }
            ToolKind::Custom { format } => {
                if format.is_some() {
                    self.dropped.named(format!("{}.format", tools::path(self.request, index)));
                }
                (Written::Anew(tools::free_text()), false)
            }
            ToolKind::Builtin(declared) => {
                builtin::left_out(self.request, (index, tool), declared, self.dropped)?;
                return Ok(None);
            }
        };
        let name = self.names.map(&tool.name);
        if matches!(tool.kind, ToolKind::Custom { .. }) {
            self.back.custom_tools.insert(name.clone());
        }
        Ok(Some(Spec { strict, ..spec(name, description, schema) }))
    }

    fn function(
        &mut self,
        index: usize,
        parameters: Option<&'r Json>,
        strict: bool,
    ) -> Result<(Written<'r>, bool), TranslateError> {
        let Some(parameters) = parameters.filter(|parameters| parameters.get() != "null") else {
            return Ok((Written::Anew(tools::no_parameters()), false));
        };
        if strict {
            if self.held_to_schemas()
                && let Some(schema) = schema::closed(parameters.get())
                && (self.maker != Maker::Claude || self.room.take_tool(&schema))
            {
                return Ok((Written::Anew(schema), true));
            }
            self.dropped.field(self.request, Field::StrictTools);
        }
        schema::parameters(parameters)
            .map(|schema| (schema, false))
            .map_err(|why| tools::no_parameters_like(self.request, index, why))
    }

    fn choice(&mut self, plan: &mut Plan<'r>) -> Result<(), TranslateError> {
        let none_declared = self.request.tools.is_empty();
        let Some(choice) = &self.request.tool_choice else {
            if none_declared && !plan.tools.is_empty() {
                plan.lines.push(Cow::Borrowed(NO_TOOLS));
            }
            return Ok(());
        };
        if none_declared {
            return Err(tools::nothing_to_choose(self.request));
        }
        plan.choice = match choice {
            ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => None,
            ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => Some(Choice::Any {}),
            ToolChoice::None => {
                // The API has no such choice. Without calls in the conversation no tool need be declared. With calls a
                // tool has to be declared, and the model is asked not to call it.
                plan.tools = self.tools_of_history();
                if !plan.tools.is_empty() {
                    plan.lines.push(Cow::Borrowed(NO_TOOLS));
                }
                None
            }
            ToolChoice::Named(name) => {
                tools::check_chosen(self.request, name)?;
                if self.maker == Maker::Claude || self.maker.is_nova() {
                    Some(Choice::Tool { name: self.names.map(name) })
                } else {
                    Some(Choice::Any {})
                }
            }
        };
        Ok(())
    }

    fn schema(&mut self, wanted: &'r ir::Schema, plan: &mut Plan<'r>) -> Result<(), TranslateError> {
        let native = self.held_to_schemas() && (plan.tools.is_empty() || self.facts.json_schema_with_tools);
        if native
            && let Some(schema) = schema::closed(wanted.schema.get())
            && (self.maker != Maker::Claude || self.room.take(&schema))
        {
            let description = wanted.description.as_deref().filter(|text| !text.is_empty());
            let name = wanted.name.as_deref().filter(|name| !name.is_empty());
            let json_schema = JsonSchema { schema: schema.to_string(), name, description };
            let text_format = TextFormat { r#type: "json_schema", structure: Structure::JsonSchema(json_schema) };
            plan.output = Some(OutputConfig { text_format });
            return Ok(());
        }
        let schema = schema::parameters(&wanted.schema).map_err(|why| tools::no_schema_like(self.request, why))?;
        let has_tools = !self.request.tools.is_empty() && self.request.tool_choice != Some(ToolChoice::None);
        let name = self.names.map(&tools::answer_tool(self.request));
        let description = tools::answer_description(wanted);
        let named = self.maker == Maker::Claude || self.maker.is_nova();
        plan.choice = Some(match plan.choice.take() {
            // The client wants this call first, and the answer after its result.
            Some(choice @ Choice::Tool { .. }) => choice,
            _ if named && !has_tools => Choice::Tool { name: name.clone() },
            _ => Choice::Any {},
        });
        plan.lines.retain(|line| line != NO_TOOLS);
        plan.tools.push(Tool::ToolSpec(spec(name.clone(), Some(Cow::Borrowed(description)), schema)));
        self.back.answer_tool = Some(name);
        Ok(())
    }

    /// Asks in words for a call of a tool, of a model that answers 400 where it is forced.
    fn unforce(&mut self, plan: &mut Plan<'_>) {
        let line = match (plan.choice.take(), &self.back.answer_tool) {
            (Some(Choice::Tool { name }), _) => tools::call_now(&name),
            (_, Some(name)) => format!("{} `{name}` gives your answer.", tools::CALL_ANY_NOW),
            _ => tools::CALL_ANY_NOW.to_owned(),
        };
        plan.lines.push(Cow::Owned(line));
        if self.request.tool_choice.is_some() {
            self.dropped.field(self.request, Field::ToolChoice);
        }
    }

    /// Limits the answer to one call, for which the Converse API has no word. Claude is told in its own words since
    /// 4.5. Of another model's answer all calls but the first are left out.
    fn one_call_at_most(&mut self, plan: &mut Plan<'_>) {
        let answers = self.back.answer_tool.is_some();
        if plan.tools.is_empty() || !(answers || self.request.parallel_tool_calls == Some(false)) {
            return;
        }
        if self.maker.is_claude_since_4_5(self.model, self.facts) {
            // Only one of the two places may name the type.
            plan.tool_choice = Some(if plan.choice.is_some() {
                json!({"disable_parallel_tool_use": true})
            } else {
                json!({"type": "auto", "disable_parallel_tool_use": true})
            });
        } else if !answers {
            self.back.first_call_only = true;
        }
    }
}

/// What a model is told in place of a choice that the Converse API does not have.
const NO_TOOLS: &str = "Do not call any tool now: answer in words.";

fn spec<'r>(name: String, description: Option<Cow<'r, str>>, json: Written<'r>) -> Spec<'r> {
    Spec { name, description, input_schema: InputSchema { json }, strict: false }
}
