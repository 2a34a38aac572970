//! How the model is to go on.

use std::borrow::Cow;

use super::Writer;
use super::wire::{BodyOut, ContentOut, FormatOut, MessageOut, SchemaOut};
use crate::facts::Sampling;
use crate::format::Family;
use crate::ir::{Field, Output, Part, Schema, ServiceTier, TranslateError};
use crate::names::{Mapping, OPENAI_NAMES};
use crate::protocol::openai_limits;

/// The most texts to stop at that OpenAI takes (API reference, `stop`).
const MOST_STOPS: usize = 4;

impl<'r> Writer<'r> {
    /// Writes everything that is neither a message nor a tool.
    pub(super) fn settings(&mut self, body: &mut BodyOut<'r>) -> Result<(), TranslateError> {
        let (request, facts, quirks) = (self.request, self.target.facts, self.target.quirks);
        body.stream = self.target.stream.then_some(true);
        let limit = request.max_output_tokens.map(|limit| facts.max_output.map_or(limit, |most| limit.min(most)));
        if quirks.max_completion_tokens {
            body.max_completion_tokens = limit;
        } else {
            body.max_tokens = limit;
        }
        self.sampling(body);
        self.candidates(body)?;
        if request.logprobs == Some(true) && !facts.logprobs {
            self.dropped.field(request, Field::Logprobs);
        } else {
            body.logprobs = request.logprobs;
            // The field is allowed only beside `logprobs`.
            body.top_logprobs = request.top_logprobs.filter(|_| request.logprobs == Some(true));
        }
        self.output(body);
        self.reasoning(body);
        if !request.modalities.is_empty() {
            if self.own {
                body.modalities = Some(&request.modalities);
            } else if request.modalities.iter().any(|modality| modality != "text") {
                let param = Field::Modalities.name(request.origin);
                return Err(TranslateError::unsupported(param, format!("{param}: the provider answers in text only")));
            }
        }
        if let Some(verbosity) = &request.verbosity {
            if self.own || self.newer {
                body.verbosity = Some(verbosity);
            } else {
                self.dropped.field(request, Field::Verbosity);
            }
        }
        if let Some(user) = &request.user {
            match (self.own, quirks.owner) {
                (true, _) => body.user = Some(Cow::Borrowed(user)),
                (false, true) => body.user = Some(openai_limits::user(user)),
                (false, false) => self.dropped.field(request, Field::User),
            }
        }
        self.service_tier(body);
        body.cache_control = self.cache(request.cache.as_ref());
        Ok(())
    }

    fn sampling(&mut self, body: &mut BodyOut<'r>) {
        let request = self.request;
        let within = |bound: f64| move |value: f64| value.clamp(-bound, bound);
        let temperature = self.taken(request.temperature, Field::Temperature);
        let top_p = self.taken(request.top_p, Field::TopP);
        let presence = self.taken(request.presence_penalty, Field::PresencePenalty);
        let frequency = self.taken(request.frequency_penalty, Field::FrequencyPenalty);
        let sampling = self.target.facts.sampling;
        if sampling == Sampling::None {
            for (given, field) in [
                (temperature, Field::Temperature),
                (top_p, Field::TopP),
                (presence, Field::PresencePenalty),
                (frequency, Field::FrequencyPenalty),
            ] {
                if given.is_some() {
                    self.dropped.field(request, field);
                }
            }
        } else {
            body.temperature = temperature.map(|temperature| temperature.clamp(0.0, 2.0));
            body.presence_penalty = presence.map(within(2.0));
            body.frequency_penalty = frequency.map(within(2.0));
            if sampling == Sampling::OneOf && temperature.is_some() && top_p.is_some() {
                self.dropped.field(request, Field::TopP);
            } else {
                body.top_p = top_p;
            }
        }
        if request.top_k.is_some() {
            // OpenAI has no such field. A client of this format that asks for it knows a vendor that has it.
            if self.own {
                body.top_k = request.top_k;
            } else {
                self.dropped.field(request, Field::TopK);
            }
        }
        body.seed = request.seed;
        body.stop = request.stop.iter().map(String::as_str).filter(|stop| !stop.is_empty()).collect();
        let most = match (self.target.facts.stop && !self.refuses(Field::Stop), self.target.quirks.owner) {
            (false, _) => 0,
            (true, true) => MOST_STOPS,
            (true, false) => usize::MAX,
        };
        if body.stop.len() > most {
            body.stop.truncate(most);
            self.dropped.field(request, Field::Stop);
        }
    }

    fn candidates(&mut self, body: &mut BodyOut<'r>) -> Result<(), TranslateError> {
        let Some(wanted) = self.request.candidates.filter(|wanted| *wanted > 1) else { return Ok(()) };
        let param = Field::Candidates.name(self.request.origin);
        let refused = if !self.target.facts.candidates {
            "the model gives one answer at a time"
        } else if self.target.stream {
            "a stream carries one answer"
        } else {
            body.n = Some(wanted);
            return Ok(());
        };
        Err(TranslateError::unsupported(param, format!("{param}: {refused}")))
    }

    fn output(&mut self, body: &mut BodyOut<'r>) {
        let (request, facts) = (self.request, self.target.facts);
        match &request.output {
            Output::Text => {}
            Output::JsonObject => {
                body.response_format = Some(FormatOut::JsonObject);
                // OpenAI refuses the mode where no message speaks of JSON (structured outputs guide).
                if !self.own && !self.speaks_of_json() {
                    instruct(body, "Answer with one JSON object and nothing else.".to_owned());
                }
            }
            Output::JsonSchema(schema) => {
                let with_tools = body.tools.is_empty() || facts.json_schema_with_tools;
                // OpenAI refuses schemas of lists and of alternatives, which other formats take.
                let own = request.origin.family() == Family::OpenAi;
                let taken = own || schema.is_of_object();
                if self.target.quirks.json_schema && facts.json_schema && with_tools && taken {
                    body.response_format = Some(FormatOut::JsonSchema { json_schema: named(schema) });
                    return;
                }
                if with_tools && taken {
                    body.response_format = Some(FormatOut::JsonObject);
                }
                self.back.unfence = true;
                instruct(body, schema.in_words());
            }
        }
    }

    fn speaks_of_json(&self) -> bool {
        let parts = self.request.messages.iter().flat_map(|message| &message.parts);
        parts.filter_map(Part::as_text).any(|text| text.to_ascii_lowercase().contains("json"))
    }

    fn service_tier(&mut self, body: &mut BodyOut<'r>) {
        let word = match &self.request.service_tier {
            None => return,
            Some(ServiceTier::Auto) => "auto",
            Some(ServiceTier::Standard) => "default",
            Some(ServiceTier::Priority) => "priority",
            Some(ServiceTier::Flex) => "flex",
            Some(ServiceTier::Other(word)) if self.own => word,
            Some(ServiceTier::Other(_)) => return self.dropped.field(self.request, Field::ServiceTier),
        };
        if self.own || self.newer {
            body.service_tier = Some(word);
        } else if word != "auto" {
            self.dropped.field(self.request, Field::ServiceTier);
        }
    }
}

fn named(schema: &Schema) -> SchemaOut<'_> {
    let name = match &schema.name {
        Some(name) => Cow::Owned(Mapping::new(OPENAI_NAMES).map(name)),
        None => Cow::Borrowed("response"),
    };
    SchemaOut { name, description: schema.description.as_deref(), schema: &schema.schema, strict: schema.strict }
}

/// Tells the model `words`, behind what the operator says first.
fn instruct(body: &mut BodyOut<'_>, words: String) {
    let first = body.messages.first_mut().filter(|message| matches!(message.role, "system" | "developer"));
    if let Some(MessageOut { content: Some(ContentOut::Text(text)), .. }) = first {
        let text = text.to_mut();
        text.push_str("\n\n");
        text.push_str(&words);
        return;
    }
    let content = Some(ContentOut::Text(Cow::Owned(words)));
    body.messages.insert(0, MessageOut { role: "system", content, ..MessageOut::default() });
}
