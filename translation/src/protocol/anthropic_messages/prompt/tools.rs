//! Tools, whether they must be called, and the shape of the answer (`docs/TRANSLATION.md` sections 2.2 to 2.4).

use std::borrow::Cow;

use super::super::blocks::Cache;
use super::super::schema::{self, Parameters};
use super::wire::{Choice, OutputFormat, Tool};
use crate::back::Back;
use crate::facts::{ForcedTools, ModelFacts};
use crate::format::Format;
use crate::ir::{self, Dropped, Field, Output, Request, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;
use crate::names::Mapping;
use crate::protocol::builtin;
use crate::protocol::claude::schema::Written;
use crate::protocol::claude::{Room, tools};

/// What the request says of tools and of the answer's shape.
#[derive(Debug, Default)]
pub(super) struct Plan<'r> {
    pub(super) tools: Vec<Tool<'r>>,
    pub(super) choice: Option<Choice>,
    pub(super) format: Option<OutputFormat>,
    /// Lines for the system message, in place of what the model cannot be held to.
    pub(super) lines: Vec<Cow<'static, str>>,
    /// Whether one JSON object of any shape is wanted.
    pub(super) any_object: bool,
}

impl Plan<'_> {
    /// Whether some tool has to be called.
    pub(super) fn forces(&self) -> bool {
        matches!(self.choice, Some(Choice::Any { .. } | Choice::Tool { .. }))
    }
}

pub(super) struct Writer<'w, 'r> {
    pub(super) request: &'r Request,
    pub(super) facts: &'w ModelFacts,
    /// The room that is left for schemas that the model is held to.
    pub(super) room: Room,
    pub(super) names: &'w mut Mapping,
    pub(super) back: &'w mut Back,
    pub(super) dropped: &'w mut Dropped,
}

impl<'r> Writer<'_, 'r> {
    pub(super) fn write(mut self) -> Result<Plan<'r>, TranslateError> {
        // The answer's shape comes before those of tools: the answer is all that its client reads.
        let format = self.held();
        let mut plan = Plan { tools: self.tools()?, format, ..Plan::default() };
        plan.choice = self.choice(&plan)?;
        match &self.request.output {
            Output::JsonObject => {
                plan.any_object = true;
                self.back.unfence = true;
                plan.lines.push(Cow::Borrowed(tools::any_object(!plan.tools.is_empty())));
            }
            Output::JsonSchema(wanted) if plan.format.is_none() => self.schema(wanted, &mut plan)?,
            Output::Text | Output::JsonSchema(_) => {}
        }
        if self.facts.forced_tools == ForcedTools::No && plan.forces() {
            self.unforce(&mut plan);
        }
        Ok(plan)
    }

    fn tools(&mut self) -> Result<Vec<Tool<'r>>, TranslateError> {
        let request = self.request;
        let mut written = Vec::with_capacity(request.tools.len());
        tools::each(request, tools::allowed(request).as_ref(), |index, tool| {
            written.extend(self.tool(index, tool)?);
            Ok(())
        })?;
        Ok(written)
    }

    /// None where the tool is left out.
    fn tool(&mut self, index: usize, tool: &'r ir::Tool) -> Result<Option<Tool<'r>>, TranslateError> {
        let mut description = tool.description.as_deref().filter(|text| !text.is_empty()).map(Cow::Borrowed);
        let (input_schema, strict) = match &tool.kind {
            ToolKind::Function { parameters, strict } => {
                self.function(index, parameters.as_ref(), *strict == Some(true))?
            }
            ToolKind::Custom { format } => {
                self.back.custom_tools.insert(self.names.map(&tool.name));
                if let Some(grammar) = format.as_ref().filter(|format| format.get().contains("grammar")) {
                    let words = format!("The input has to follow this grammar: {}", grammar.get());
                    description = Some(Cow::Owned(match description {
                        Some(before) => format!("{before}\n\n{words}"),
                        None => words,
                    }));
                }
                (Written::Anew(tools::free_text()), false)
            }
            ToolKind::Builtin(declared) => {
                let format = Format::AnthropicMessages;
                let fitted = builtin::fitted(self.request, (index, tool), declared, format, self.dropped)?;
                return Ok(fitted.map(Tool::Builtin));
            }
        };
        let name = Cow::Owned(self.names.map(&tool.name));
        let cache_control = Cache::of(tool.cache.as_ref());
        Ok(Some(Tool::Custom { name, description, input_schema, strict, cache_control }))
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
            // A schema that is not closed and plain is not held to.
            if self.facts.json_schema
                && let Ok(schema) = schema::sanitised(parameters.get())
                && schema["type"] == "object"
                && self.room.take_tool(&schema)
            {
                return Ok((Written::Anew(schema), true));
            }
            self.dropped.field(self.request, Field::StrictTools);
        }
        match schema::parameters(parameters.get()) {
            Parameters::AsTheyAre => Ok((Written::AsItIs(parameters), false)),
            Parameters::Anew(schema) => Ok((Written::Anew(schema), false)),
            Parameters::Refused(why) => Err(tools::no_parameters_like(self.request, index, why)),
        }
    }

    fn choice(&mut self, plan: &Plan<'_>) -> Result<Option<Choice>, TranslateError> {
        let disable_parallel_tool_use = match self.request.parallel_tool_calls {
            Some(false) => Some(true),
            // A client of Anthropic's API has said so explicitly.
            Some(true) if self.request.origin == Format::AnthropicMessages => Some(false),
            _ => None,
        };
        let Some(choice) = &self.request.tool_choice else {
            let one = disable_parallel_tool_use == Some(true) && !plan.tools.is_empty();
            return Ok(one.then_some(Choice::Auto { disable_parallel_tool_use }));
        };
        if plan.tools.is_empty() {
            // Some clients say this where there are no tools. There is nothing in it that cannot be done.
            if matches!(choice, ToolChoice::Auto | ToolChoice::None | ToolChoice::Allowed { required: false, .. }) {
                return Ok(None);
            }
            return Err(tools::nothing_to_choose(self.request));
        }
        Ok(Some(match choice {
            ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => {
                Choice::Auto { disable_parallel_tool_use }
            }
            ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => {
                Choice::Any { disable_parallel_tool_use }
            }
            // The tools stay, since the conversation may speak of them.
            ToolChoice::None => Choice::None,
            ToolChoice::Named(name) => {
                tools::check_chosen(self.request, name)?;
                Choice::Tool { name: self.names.map(name), disable_parallel_tool_use }
            }
        }))
    }

    /// The schema that the model is held to. None where it cannot be.
    fn held(&mut self) -> Option<OutputFormat> {
        let Output::JsonSchema(wanted) = &self.request.output else { return None };
        let can = self.facts.json_schema && (self.request.tools.is_empty() || self.facts.json_schema_with_tools);
        let schema = schema::sanitised(wanted.schema.get()).ok().filter(|_| can)?;
        self.room.take(&schema).then_some(OutputFormat { r#type: "json_schema", schema })
    }

    /// Has the model answer through a tool, for a model that cannot be held to the schema otherwise.
    fn schema(&mut self, wanted: &'r ir::Schema, plan: &mut Plan<'r>) -> Result<(), TranslateError> {
        let input_schema = match schema::parameters(wanted.schema.get()) {
            Parameters::AsTheyAre => Written::AsItIs(&wanted.schema),
            Parameters::Anew(schema) => Written::Anew(schema),
            Parameters::Refused(why) => return Err(tools::no_schema_like(self.request, why)),
        };
        let name = self.names.map(&tools::answer_tool(self.request));
        let disable_parallel_tool_use = Some(true);
        plan.choice = Some(match plan.choice.take() {
            // The client wants this call first, and the answer after its result.
            Some(choice @ Choice::Tool { .. }) => choice,
            None | Some(Choice::Auto { .. } | Choice::Any { .. }) if !plan.tools.is_empty() => {
                Choice::Any { disable_parallel_tool_use }
            }
            _ => Choice::Tool { name: name.clone(), disable_parallel_tool_use },
        });
        plan.tools.push(Tool::Custom {
            name: Cow::Owned(name.clone()),
            description: Some(Cow::Borrowed(tools::answer_description(wanted))),
            input_schema,
            strict: false,
            cache_control: None,
        });
        self.back.answer_tool = Some(name);
        Ok(())
    }

    /// Asks in words for a call of a tool, of a model that answers 400 where it is forced.
    fn unforce(&mut self, plan: &mut Plan<'_>) {
        let (line, disable_parallel_tool_use) = match plan.choice.take() {
            Some(Choice::Tool { name, disable_parallel_tool_use }) => {
                (Cow::Owned(tools::call_now(&name)), disable_parallel_tool_use)
            }
            Some(Choice::Any { disable_parallel_tool_use }) => {
                (Cow::Borrowed(tools::CALL_ANY_NOW), disable_parallel_tool_use)
            }
            other => {
                plan.choice = other;
                return;
            }
        };
        // The model may still give the answer in its own words.
        self.back.unfence |= self.back.answer_tool.is_some();
        plan.lines.push(line);
        plan.choice = Some(Choice::Auto { disable_parallel_tool_use });
        if self.request.tool_choice.is_some() {
            self.dropped.field(self.request, Field::ToolChoice);
        }
    }
}
