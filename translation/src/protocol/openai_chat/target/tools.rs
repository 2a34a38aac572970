//! Tools, and the choice among them.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Writer;
use super::wire::{BodyOut, CustomOut, FunctionOut, ToolOut};
use crate::back::CUSTOM_INPUT;
use crate::facts::ForcedTools;
use crate::format::Family;
use crate::ir::{Field, Tool, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;
use crate::protocol::thinking_rules::ForcedCalls;
use crate::protocol::{builtin, openai_limits};

impl<'r> Writer<'r> {
    /// Writes the tools and what is said of their use.
    pub(super) fn tools(&mut self, body: &mut BodyOut<'r>) -> Result<(), TranslateError> {
        let request = self.request;
        let allowed = match &request.tool_choice {
            // The choice is one of the newer fields. For others the tools that may not be called are left out.
            Some(ToolChoice::Allowed { names, .. }) if !self.newer => Some(names),
            _ => None,
        };
        for (at, tool) in request.tools.iter().enumerate() {
            if allowed.is_none_or(|names| names.contains(&tool.name)) {
                let out = self.tool(tool, at)?;
                body.tools.extend(out);
            }
        }
        let param = Field::ToolChoice.name(request.origin);
        if let Some(choice) = &request.tool_choice {
            body.tool_choice = self.choice(choice, param)?;
        }
        if body.tools.is_empty() {
            if body.tool_choice.take().is_some_and(|choice| choice != "auto" && choice != "none") {
                return Err(TranslateError::invalid(param, format!("{param}: only allowed where tools are given")));
            }
            return Ok(());
        }
        if let Some(parallel) = request.parallel_tool_calls {
            if self.target.quirks.parallel_tool_calls {
                body.parallel_tool_calls = Some(parallel);
            } else {
                self.back.first_call_only = !parallel;
            }
        }
        Ok(())
    }

    /// None where the tool is left out.
    fn tool(&mut self, tool: &'r Tool, at: usize) -> Result<Option<ToolOut<'r>>, TranslateError> {
        let description = tool.description.as_deref();
        Ok(Some(match &tool.kind {
            ToolKind::Function { parameters, strict } => {
                let name = self.names.map(&tool.name);
                let cache_control = self.cache(tool.cache.as_ref());
                let own = self.own;
                let parameters = parameters
                    .as_ref()
                    .map(|schema| if own { Cow::Borrowed(schema) } else { openai_limits::parameters(schema) });
                let description = description.map(Cow::Borrowed);
                // Another format's strict tools ask less of a schema than OpenAI's, which refuses a schema that it
                // cannot hold the model to.
                let same = self.request.origin.family() == Family::OpenAi;
                if *strict == Some(true) && !same {
                    self.dropped.field(self.request, Field::StrictTools);
                }
                let function = FunctionOut { name, description, parameters, strict: strict.filter(|_| same) };
                ToolOut::Function { r#type: "function", function, cache_control }
            }
            ToolKind::Custom { format } if self.custom_tools => {
                let name = self.names.map(&tool.name);
                let format = format.as_ref().map(grammar);
                ToolOut::Custom { r#type: "custom", custom: CustomOut { name, description, format } }
            }
            ToolKind::Custom { format } => {
                let name = self.names.map(&tool.name);
                self.back.custom_tools.insert(name.clone());
                let mut words = description.unwrap_or_default().to_owned();
                if let Some(format) = format {
                    words.push_str("\nThe input must fit this format: ");
                    words.push_str(format.get());
                }
                let description = (!words.is_empty()).then_some(Cow::Owned(words));
                let parameters = json!({
                    "type": "object",
                    "properties": {CUSTOM_INPUT: {"type": "string", "description": "The whole input, as free text."}},
                    "required": [CUSTOM_INPUT],
                    "additionalProperties": false,
                });
                let parameters = Some(Cow::Owned(Json::of(&parameters)));
                let function = FunctionOut { name, description, parameters, strict: None };
                ToolOut::Function { r#type: "function", function, cache_control: None }
            }
            ToolKind::Builtin(declared) if self.own => ToolOut::Builtin(declared),
            ToolKind::Builtin(declared) => {
                builtin::left_out(self.request, (at, tool), declared, &mut self.dropped)?;
                return Ok(None);
            }
        }))
    }

    /// The choice in the vendor's words. None where the vendor's rules have none for it.
    fn choice(&mut self, choice: &ToolChoice, param: &'static str) -> Result<Option<Value>, TranslateError> {
        let forced = choice.forces();
        let rules = self.forcing();
        if forced && matches!(rules, ForcedCalls::No | ForcedCalls::WithoutThinking) {
            if let ToolChoice::Named(name) = choice {
                self.named(name, param)?;
            }
            self.dropped.field(self.request, Field::ToolChoice);
            return Ok(None);
        }
        let any = rules == ForcedCalls::AnyToolWhileThinking && matches!(choice, ToolChoice::Named(_));
        let cannot = forced && self.target.facts.forced_tools == ForcedTools::No;
        if cannot || any {
            self.dropped.field(self.request, Field::ToolChoice);
        }
        let forced = forced && !cannot;
        Ok(Some(match choice {
            ToolChoice::None => json!("none"),
            ToolChoice::Named(name) if any => {
                self.named(name, param)?;
                json!(self.target.quirks.required_word)
            }
            ToolChoice::Named(name) => {
                let named = self.named(name, param)?;
                if forced { named } else { json!("auto") }
            }
            ToolChoice::Allowed { names, .. } if self.newer => {
                let left_out = |name: &&String| {
                    let is_builtin = |tool: &Tool| tool.name == **name && matches!(tool.kind, ToolKind::Builtin(_));
                    !self.own && self.request.tools.iter().any(is_builtin)
                };
                let names: Vec<&String> = names.iter().filter(|name| !left_out(name)).collect();
                let tools = names.into_iter().map(|name| self.named(name, param)).collect::<Result<Vec<_>, _>>()?;
                let mode = if forced { "required" } else { "auto" };
                json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
            }
            _ if forced => json!(self.target.quirks.required_word),
            _ => json!("auto"),
        }))
    }

    fn named(&mut self, name: &str, param: &'static str) -> Result<Value, TranslateError> {
        let Some(tool) = self.request.tools.iter().find(|tool| tool.name == name) else {
            return Err(TranslateError::invalid(param, format!("{param}: there is no tool named '{name}'")));
        };
        let name = self.names.map(name);
        Ok(match tool.kind {
            ToolKind::Custom { .. } if self.custom_tools => json!({"type": "custom", "custom": {"name": name}}),
            ToolKind::Builtin(_) => json!({"type": tool.name}),
            _ => json!({"type": "function", "function": {"name": name}}),
        })
    }
}

/// A grammar in the form of chat completions. The Responses API has it without the inner object.
fn grammar(format: &Json) -> Cow<'_, Json> {
    let flat = format.read::<Value>().ok().filter(|format| format["grammar"].is_null() && format["syntax"].is_string());
    match flat {
        Some(mut flat) => {
            let grammar = json!({"syntax": flat["syntax"].take(), "definition": flat["definition"].take()});
            Cow::Owned(Json::of(&json!({"type": "grammar", "grammar": grammar})))
        }
        None => Cow::Borrowed(format),
    }
}
