//! Tools, whether they must be called, and the shape of the answer (`docs/TRANSLATION.md` sections 2.2 to 2.4).

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::json;

use super::super::Room;
use super::super::blocks::Cache;
use super::super::schema::{self, Parameters};
use super::wire::{Choice, InputSchema, OutputFormat, Tool};
use crate::back::{Back, CUSTOM_INPUT};
use crate::facts::{ForcedTools, ModelFacts};
use crate::format::Format;
use crate::ir::{self, Dropped, Field, Output, Request, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;
use crate::names::Mapping;

/// What the request says of tools and of the answer's shape.
#[derive(Debug, Default)]
pub(super) struct Plan<'r> {
    pub(super) tools: Vec<Tool<'r>>,
    pub(super) choice: Option<Choice>,
    pub(super) format: Option<OutputFormat>,
    /// Lines for the system message, in place of what the model cannot be held to.
    pub(super) lines: Vec<Cow<'static, str>>,
    /// One JSON object is wanted, of any shape.
    pub(super) any_object: bool,
}

impl Plan<'_> {
    /// Whether some tool has to be called.
    pub(super) fn forces(&self) -> bool {
        matches!(self.choice, Some(Choice::Any { .. } | Choice::Tool { .. }))
    }
}

/// The tool through which a model answers that cannot be held to a schema otherwise.
const ANSWER_TOOL: &str = "json_output";

pub(super) struct Writer<'w, 'r> {
    pub(super) request: &'r Request,
    pub(super) facts: &'w ModelFacts,
    /// What is left for schemas that the model is held to.
    pub(super) room: Room,
    pub(super) names: &'w mut Mapping,
    pub(super) back: &'w mut Back,
    pub(super) dropped: &'w mut Dropped,
}

impl<'r> Writer<'_, 'r> {
    pub(super) fn write(mut self) -> Result<Plan<'r>, TranslateError> {
        // The answer's shape goes before the tools': it is all that its client reads.
        let format = self.held();
        let mut plan = Plan { tools: self.tools()?, format, ..Plan::default() };
        plan.choice = self.choice(&plan)?;
        match &self.request.output {
            Output::JsonObject => {
                plan.any_object = true;
                self.back.unfence = true;
                plan.lines.push(Cow::Borrowed(if plan.tools.is_empty() {
                    "Answer with one JSON object and nothing else: no words before or after it, and no code fences."
                } else {
                    "Unless you call a tool, answer with one JSON object and nothing else: no words before or after it, and no code fences."
                }));
            }
            Output::JsonSchema(wanted) if plan.format.is_none() => self.schema(wanted, &mut plan)?,
            Output::Text | Output::JsonSchema(_) => {}
        }
        if self.facts.forced_tools == ForcedTools::No && plan.forces() {
            self.unforce(&mut plan);
        }
        Ok(plan)
    }

    fn path(&self, index: usize) -> String {
        format!("{}[{index}]", Field::Tools.name(self.request.origin))
    }

    fn tools(&mut self) -> Result<Vec<Tool<'r>>, TranslateError> {
        let allowed: Option<HashSet<&str>> = match &self.request.tool_choice {
            Some(ToolChoice::Allowed { names, .. }) => Some(names.iter().map(String::as_str).collect()),
            _ => None,
        };
        let mut seen = HashSet::new();
        let mut tools = Vec::with_capacity(self.request.tools.len());
        for (index, tool) in self.request.tools.iter().enumerate() {
            if !seen.insert(&*tool.name) {
                let words = format!("There are two tools with the name `{}`.", tool.name);
                return Err(TranslateError::invalid(self.path(index), words));
            }
            if allowed.as_ref().is_none_or(|allowed| allowed.contains(&*tool.name)) {
                tools.push(self.tool(index, tool)?);
            }
        }
        Ok(tools)
    }

    fn tool(&mut self, index: usize, tool: &'r ir::Tool) -> Result<Tool<'r>, TranslateError> {
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
                let schema = json!({
                    "type": "object",
                    "properties": {CUSTOM_INPUT: {"type": "string", "description": "The input of the tool, as plain text."}},
                    "required": [CUSTOM_INPUT],
                    "additionalProperties": false,
                });
                (InputSchema::Anew(schema), false)
            }
            ToolKind::Builtin(declaration) if self.request.origin == Format::AnthropicMessages => {
                return Ok(Tool::Builtin(declaration));
            }
            ToolKind::Builtin(_) => {
                let words = format!("This model's provider has no built-in tool like `{}`.", tool.name);
                return Err(TranslateError::unsupported(self.path(index), words));
            }
        };
        let name = Cow::Owned(self.names.map(&tool.name));
        Ok(Tool::Custom { name, description, input_schema, strict, cache_control: Cache::of(tool.cache.as_ref()) })
    }

    fn function(
        &mut self,
        index: usize,
        parameters: Option<&'r Json>,
        strict: bool,
    ) -> Result<(InputSchema<'r>, bool), TranslateError> {
        let Some(parameters) = parameters.filter(|parameters| parameters.get() != "null") else {
            return Ok((InputSchema::Anew(json!({"type": "object", "properties": {}})), false));
        };
        if strict {
            // A strict schema is closed and plain, or it is not held to.
            if self.facts.json_schema
                && let Ok(schema) = schema::sanitised(parameters.get())
                && schema["type"] == "object"
                && self.room.take_tool(&schema)
            {
                return Ok((InputSchema::Anew(schema), true));
            }
            self.dropped.field(self.request, Field::StrictTools);
        }
        match schema::parameters(parameters.get()) {
            Parameters::AsTheyAre => Ok((InputSchema::AsItIs(parameters), false)),
            Parameters::Anew(schema) => Ok((InputSchema::Anew(schema), false)),
            Parameters::Refused(why) => {
                let words = format!("The parameters of this tool {why}.");
                Err(TranslateError::unsupported(self.path(index), words))
            }
        }
    }

    fn choice(&mut self, plan: &Plan<'_>) -> Result<Option<Choice>, TranslateError> {
        let param = || Field::ToolChoice.name(self.request.origin);
        let disable_parallel_tool_use = match self.request.parallel_tool_calls {
            Some(false) => Some(true),
            // Said as it was.
            Some(true) if self.request.origin == Format::AnthropicMessages => Some(false),
            _ => None,
        };
        let Some(choice) = &self.request.tool_choice else {
            let one = disable_parallel_tool_use == Some(true) && !plan.tools.is_empty();
            return Ok(one.then_some(Choice::Auto { disable_parallel_tool_use }));
        };
        if plan.tools.is_empty() {
            // Some clients say this of no tools: nothing that could not be done.
            if matches!(choice, ToolChoice::Auto | ToolChoice::None | ToolChoice::Allowed { required: false, .. }) {
                return Ok(None);
            }
            let words = "A tool choice can be made only where there are tools.";
            return Err(TranslateError::invalid(param(), words));
        }
        Ok(Some(match choice {
            ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => {
                Choice::Auto { disable_parallel_tool_use }
            }
            ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => {
                Choice::Any { disable_parallel_tool_use }
            }
            // The tools stay: the conversation may speak of them.
            ToolChoice::None => Choice::None,
            ToolChoice::Named(name) => {
                if self.request.tools.iter().all(|tool| tool.name != *name) {
                    return Err(TranslateError::invalid(param(), format!("There is no tool `{name}` to choose.")));
                }
                Choice::Tool { name: self.names.map(name), disable_parallel_tool_use }
            }
        }))
    }

    /// The schema that the model is held to, if it can be.
    fn held(&mut self) -> Option<OutputFormat> {
        let Output::JsonSchema(wanted) = &self.request.output else { return None };
        let can = self.facts.json_schema && (self.request.tools.is_empty() || self.facts.json_schema_with_tools);
        let schema = schema::sanitised(wanted.schema.get()).ok().filter(|_| can)?;
        self.room.take(&schema).then_some(OutputFormat { r#type: "json_schema", schema })
    }

    /// Has the model answer through a tool, where it cannot be held to the schema otherwise.
    fn schema(&mut self, wanted: &'r ir::Schema, plan: &mut Plan<'r>) -> Result<(), TranslateError> {
        let input_schema = match schema::parameters(wanted.schema.get()) {
            Parameters::AsTheyAre => InputSchema::AsItIs(&wanted.schema),
            Parameters::Anew(schema) => InputSchema::Anew(schema),
            Parameters::Refused(why) => {
                let words = format!("This model cannot be held to this schema: here it {why}.");
                return Err(TranslateError::unsupported(Field::Output.name(self.request.origin), words));
            }
        };
        let name = self.names.map(&self.free_name());
        let description = wanted.description.as_deref().filter(|text| !text.is_empty());
        let description = description.unwrap_or("Gives your answer. Call it once, with the whole answer.");
        let disable_parallel_tool_use = Some(true);
        plan.choice = Some(match plan.choice.take() {
            // The client wants this call first, and its answer after the result.
            Some(choice @ Choice::Tool { .. }) => choice,
            None | Some(Choice::Auto { .. } | Choice::Any { .. }) if !plan.tools.is_empty() => {
                Choice::Any { disable_parallel_tool_use }
            }
            _ => Choice::Tool { name: name.clone(), disable_parallel_tool_use },
        });
        plan.tools.push(Tool::Custom {
            name: Cow::Owned(name.clone()),
            description: Some(Cow::Borrowed(description)),
            input_schema,
            strict: false,
            cache_control: None,
        });
        self.back.answer_tool = Some(name);
        Ok(())
    }

    /// A name that no tool of the client has.
    fn free_name(&self) -> String {
        let taken: HashSet<&str> = self.request.tools.iter().map(|tool| &*tool.name).collect();
        let mut name = ANSWER_TOOL.to_owned();
        while taken.contains(&*name) {
            name.push('_');
        }
        name
    }

    /// The model answers 400 to a forced tool: it is asked in words.
    fn unforce(&mut self, plan: &mut Plan<'_>) {
        let (line, disable_parallel_tool_use) = match plan.choice.take() {
            Some(Choice::Tool { name, disable_parallel_tool_use }) => {
                (format!("You have to call the tool `{name}` now."), disable_parallel_tool_use)
            }
            Some(Choice::Any { disable_parallel_tool_use }) => {
                ("You have to call one of your tools now.".to_owned(), disable_parallel_tool_use)
            }
            other => {
                plan.choice = other;
                return;
            }
        };
        // It may give the answer in its own words all the same.
        self.back.unfence |= self.back.answer_tool.is_some();
        plan.lines.push(Cow::Owned(line));
        plan.choice = Some(Choice::Auto { disable_parallel_tool_use });
        if self.request.tool_choice.is_some() {
            self.dropped.field(self.request, Field::ToolChoice);
        }
    }
}
