//! Requests of the gateway's own, which no client has sent: a question to a model, and one for the list of models.

use bytes::Bytes;
use http::Method;
use translation::Format;
use translation::ir::{self, Effort, Message, Part, Reasoning, Role};

use super::outgoing::{Added, Content, Outbound, Outgoing, Proof};
use super::written::{target, written};
use crate::error::GatewayError;
use crate::route::candidate::Candidate;

/// What a model is asked by which only the key, the model or the way there is tested. It is the shortest question that
/// all providers take.
pub const GREETING: &str = "Hi";

/// Fields of a request that limit the length of its answer, or hold what does, in whatever format. Config may not make
/// the cheapest request a dear one.
const LIMITS: &[&str] = &[
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "generationConfig",
    "generation_config",
    "inferenceConfig",
];

/// The longest answer that is asked for by which only the way to a model is tested, in tokens.
const PROBED: u64 = 1;

/// The same, of a model that thinks before it answers and cannot be kept from it: with less, some providers answer with
/// an error.
const PROBED_THINKER: u64 = 16;

/// A question to a model, in the words of the provider's own API.
#[derive(Debug)]
pub struct OwnQuestion {
    prompt: String,
    /// The longest answer, in tokens. None: the shortest that there is, without thoughts where the model can do so.
    longest: Option<u64>,
}

impl OwnQuestion {
    /// The cheapest question that there is.
    pub fn cheapest() -> Self {
        Self { prompt: GREETING.to_owned(), longest: None }
    }

    /// The question `prompt`, with an answer of `longest` tokens at most.
    pub fn new(prompt: &str, longest: u64) -> Self {
        let prompt = if prompt.trim().is_empty() { GREETING } else { prompt };
        Self { prompt: prompt.to_owned(), longest: Some(longest) }
    }

    fn neutral(&self, candidate: &Candidate, stream: bool) -> ir::Request {
        let facts = &candidate.facts;
        let mut request = ir::Request::new(Format::OpenAiChat, &*candidate.upstream_model);
        request.messages = vec![Message::new(Role::User, vec![Part::text(&*self.prompt)], 0)];
        request.stream = stream;
        let (longest, thinks) = (self.longest, facts.thinks_by_default);
        if longest.is_none() && thinks {
            // Where the model cannot but think, formats make the least of it that it knows.
            request.reasoning = Some(Reasoning { effort: Some(Effort::None), ..Reasoning::default() });
        }
        let keeps_thinking = thinks && facts.off.is_none();
        let probed = if keeps_thinking { PROBED_THINKER } else { PROBED };
        request.max_output_tokens = Some(longest.unwrap_or(probed));
        request
    }
}

impl Outbound for OwnQuestion {
    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        let formats = candidate.endpoint()?.formats(&candidate.upstream_model);
        let format = formats.first().copied().unwrap_or(Format::OpenAiChat);
        let stream = candidate.group.streams(false);
        let (request, target) = (self.neutral(candidate, stream), target(candidate, stream)?);
        let encoded = format.protocol().encode_request(&request, &target).map_err(GatewayError::Translate)?;
        let kept = if self.longest.is_none() { LIMITS } else { &[] };
        let outgoing = written(encoded, candidate, (format, stream), kept, &|_| true)?;
        // All of it is the gateway's own, whatever the group says of what clients send.
        Ok(Outgoing { added: Added::All, ..outgoing })
    }
}

/// A question for the models that a provider has.
#[derive(Debug, Default)]
pub struct OwnListing {
    /// Which page of the list, as the name and the value of a parameter. None: the first.
    pub page: Option<(&'static str, String)>,
}

impl Outbound for OwnListing {
    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        let endpoint = candidate.endpoint()?;
        let format = endpoint.formats("").first().copied().unwrap_or(Format::OpenAiChat);
        let page = self.page.as_ref().map(|(name, value)| (*name, value.as_str()));
        let uri = endpoint.models(page)?;
        let outgoing = Outgoing::json(uri, Bytes::new(), format);
        let (method, content) = (Method::GET, Content::None);
        Ok(Outgoing { method, content, beside_chat: true, proves: Proof::Nothing, ..outgoing })
    }
}

#[cfg(test)]
mod tests;
