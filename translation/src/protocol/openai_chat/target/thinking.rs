//! Thinking: by the rules of the vendor for the model, or else by what is known of the model.

use serde::Serialize;
use serde_json::{Value, json};

use super::Writer;
use super::wire::{BodyOut, MessageOut, PartOut, WordOut};
use crate::facts::ThinkingForm;
use crate::format::Family;
use crate::ir::{Effort, Field, Message, Part, Reasoning, Request, Role, Signature, Thinking, ToolChoice};
use crate::protocol::contract::Target;
use crate::protocol::thinking_rules::{ForcedCalls, ThinkingPlan, ThinkingRules, ThoughtField, ThoughtTurns};

/// Stands in the place of thoughts that the vendor demands and the history does not have. Moonshot refuses an empty
/// text (<https://github.com/charmbracelet/crush/issues/2696>).
const LOST: &str = " ";

/// What the vendor's rules make of the request.
pub(super) struct Planned {
    rules: &'static ThinkingRules,
    plan: ThinkingPlan,
}

/// One of OpenRouter's `reasoning_details`.
#[derive(Serialize)]
pub(super) struct DetailOut<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    format: &'static str,
}

/// What is planned for `request`. None where nothing is known of the vendor's ways for the model.
pub(super) fn planned(request: &Request, target: &Target<'_>) -> Option<Planned> {
    let rules = ThinkingRules::of(target.quirks.thinking, target.model)?;
    let rules = if target.facts.thinking == ThinkingForm::None { &ThinkingRules::NONE } else { rules };
    // A client of this format may use the vendor's own switch.
    let switched_off = |(path, value): &(&str, &str)| {
        request.extensions.iter().any(|(name, given)| name == path && given.get() == *value)
    };
    let off = Reasoning { thinking: Some(Thinking::Off), ..Reasoning::default() };
    let said = match rules.off {
        Some(fields) if fields.iter().any(switched_off) => Some(&off),
        _ => request.reasoning.as_ref(),
    };
    Some(Planned { rules, plan: rules.plan(said, target.stream) })
}

impl<'r> Writer<'r> {
    /// Whether the vendor refuses `field` of this request.
    pub(super) fn refuses(&self, field: Field) -> bool {
        self.thinking.as_ref().is_some_and(|Planned { rules, plan }| {
            rules.refused.contains(&field) || (plan.thinks && rules.refused_thinking.contains(&field))
        })
    }

    /// `given`, unless the vendor refuses it in this request.
    pub(super) fn taken<T>(&mut self, given: Option<T>, field: Field) -> Option<T> {
        if given.is_some() && self.refuses(field) {
            self.dropped.field(self.request, field);
            return None;
        }
        given
    }

    /// What becomes of a forced tool by the vendor's rules.
    pub(super) fn forcing(&self) -> ForcedCalls {
        match &self.thinking {
            Some(Planned { rules, plan }) if plan.thinks || rules.forced_calls == ForcedCalls::No => rules.forced_calls,
            _ => ForcedCalls::Yes,
        }
    }

    /// Whether a tool is forced on a model that cannot think then (`docs/TRANSLATION.md` section 2.3).
    fn too_forced_to_think(&self) -> bool {
        let forced = self.request.tool_choice.as_ref().is_some_and(ToolChoice::forces);
        let off = self.request.reasoning.as_ref().is_some_and(|said| said.thinking == Some(Thinking::Off));
        forced && !off && self.target.facts.forced_tools == crate::facts::ForcedTools::NotWithThinking
    }

    /// Writes how hard to think.
    pub(super) fn reasoning(&mut self, body: &mut BodyOut<'r>) {
        let request = self.request;
        if let Some(unsaid) = self.thinking.as_ref().map(|planned| planned.plan.unsaid) {
            if unsaid {
                self.dropped.field(request, Field::Reasoning);
            }
            if self.too_forced_to_think() && self.said_to_think() {
                self.dropped.field(request, Field::Reasoning);
                self.thinking = None;
            }
            return;
        }
        let Some(said) = &request.reasoning else { return };
        if self.own {
            body.thinking = said.thinking.map(thinking);
        }
        let facts = self.target.facts;
        // A switch of thinking is passed on as it is, beside an effort.
        let begin = || facts.effort_to_begin().filter(|_| said.thinking == Some(Thinking::Adaptive));
        let wanted = if self.own { said.effort } else { said.in_words().or_else(begin) };
        let Some(wanted) = wanted else { return };
        let cannot = !self.target.quirks.reasoning_effort || facts.thinking == ThinkingForm::None;
        if cannot || self.too_forced_to_think() {
            if wanted != Effort::None {
                self.dropped.field(request, Field::Reasoning);
            }
            return;
        }
        match facts.nearest_effort(wanted) {
            Some(effort) => body.reasoning_effort = Some(effort.word()),
            None if wanted != Effort::None => self.dropped.field(request, Field::Reasoning),
            None => {}
        }
    }

    fn said_to_think(&self) -> bool {
        let said = self.request.reasoning.as_ref();
        said.is_some_and(|said| said.in_words() != Some(Effort::None) && *said != Reasoning::default())
    }

    /// The fields that the rules write, as dotted paths.
    pub(super) fn thinking_fields(&self) -> Vec<(&'static str, Value)> {
        let fields = self.thinking.iter().flat_map(|planned| &planned.plan.fields);
        fields.map(|(path, value)| (*path, serde_json::from_str(value).unwrap_or_default())).collect()
    }

    /// Which messages carry the assistant's thoughts back.
    pub(super) fn carriers(&self) -> Vec<bool> {
        let messages = &self.request.messages;
        let Some(history) = self.thinking.as_ref().map(|planned| planned.rules.history) else {
            return vec![false; messages.len()];
        };
        let asks = |message: &Message| message.role == Role::User;
        let calls = |message: &Message| message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        match history.turns {
            _ if history.field.is_none() => vec![false; messages.len()],
            ThoughtTurns::All => vec![true; messages.len()],
            ThoughtTurns::Loop => {
                // The loop that is under way begins behind the last words of the user.
                let begin = messages.iter().rposition(asks).map_or(0, |at| at + 1);
                (0..messages.len()).map(|at| at >= begin).collect()
            }
            ThoughtTurns::WithCalls => {
                messages.split_inclusive(asks).flat_map(|turn| vec![turn.iter().any(calls); turn.len()]).collect()
            }
        }
    }

    /// Writes the thoughts of a message of the assistant's.
    pub(super) fn thoughts(&self, message: &'r Message, out: &mut MessageOut<'r>, parts: &mut Vec<PartOut<'r>>) {
        let Some(Planned { rules, plan }) = &self.thinking else { return };
        let Some(field) = rules.history.field else { return };
        if field == ThoughtField::Details {
            return self.details(message, out);
        }
        let thoughts = words(message);
        let calls = message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        // Every message of a turn with calls is asked for.
        let demanded = rules.history.required && (calls || rules.history.turns == ThoughtTurns::WithCalls);
        let text = match thoughts {
            None if demanded && plan.thinks => LOST.to_owned(),
            None => return,
            Some(text) => text,
        };
        match field {
            ThoughtField::ReasoningContent => out.reasoning_content = Some(text),
            ThoughtField::Reasoning => out.reasoning = Some(text),
            ThoughtField::ContentPart => {
                parts.insert(0, PartOut::Thinking { thinking: vec![WordOut { r#type: "text", text }] });
            }
            ThoughtField::Details => {}
        }
    }

    /// Writes thoughts as OpenRouter has them. Only the maker of a model can read what it has signed.
    fn details(&self, message: &'r Message, out: &mut MessageOut<'r>) {
        let makers = [
            ("anthropic/", Family::Anthropic, "anthropic-claude-v1"),
            ("google/", Family::Gemini, "google-gemini-v1"),
            ("openai/", Family::OpenAi, "openai-responses-v1"),
        ];
        let model = self.target.model.trim_start_matches('~');
        let Some((_, family, format)) = makers.into_iter().find(|(maker, _, _)| model.starts_with(maker)) else {
            out.reasoning = words(message);
            return;
        };
        // Behind a colon OpenAI's own API has its content, which is bound to an id there.
        let data = |signature: &'r Signature| {
            (signature.family == family && !signature.data.contains(':')).then_some(signature.data.as_str())
        };
        let details = message.parts.iter().filter_map(|part| match part {
            Part::Thinking { text, signature: Some(signature) } => Some(DetailOut {
                r#type: "reasoning.text",
                text,
                signature: Some(data(signature)?),
                data: None,
                format,
            }),
            Part::RedactedThinking(signature) => Some(DetailOut {
                r#type: "reasoning.encrypted",
                text: "",
                signature: None,
                data: Some(data(signature)?),
                format,
            }),
            _ => None,
        });
        out.reasoning_details = details.collect();
    }
}

/// The thoughts of a message. None where it has none.
fn words(message: &Message) -> Option<String> {
    let thoughts: Vec<_> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Thinking { text, .. } if !text.is_empty() => Some(text.as_str()),
            // Only the family that made a signature can read it (`docs/TRANSLATION.md` section 11).
            _ => None,
        })
        .collect();
    (!thoughts.is_empty()).then(|| thoughts.join("\n\n"))
}

fn thinking(thinking: Thinking) -> Value {
    match thinking {
        Thinking::Off => json!({"type": "disabled"}),
        Thinking::Adaptive => json!({"type": "enabled"}),
        Thinking::Budget(tokens) => json!({"type": "enabled", "budget_tokens": tokens}),
    }
}
