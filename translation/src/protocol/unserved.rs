//! The methods of a format that no client speaks.

use bytes::Bytes;

use crate::format::Format;
use crate::ir::{self, ErrorKind, Event, ProviderError, TranslateError, Usage};
use crate::protocol::contract::{
    AnswerContext, Encoded, ListedModel, Protocol, Seen, StreamDecoder, StreamEncoder, StreamWatcher, Target,
};

/// Refuses whatever is asked of it.
#[derive(Debug)]
pub(super) struct Unserved(pub(super) Format);

impl Unserved {
    fn refusal(&self) -> TranslateError {
        TranslateError::unsupported("model", format!("this gateway does not serve the format {}", self.0))
    }

    fn failure(&self) -> ProviderError {
        ProviderError::new(ErrorKind::Server, self.refusal().message)
    }
}

impl Protocol for Unserved {
    fn format(&self) -> Format {
        self.0
    }

    fn decode_request(&self, _body: &[u8]) -> Result<ir::Request, TranslateError> {
        Err(self.refusal())
    }

    fn encode_request(&self, _request: &ir::Request, _target: &Target<'_>) -> Result<Encoded, TranslateError> {
        Err(self.refusal())
    }

    fn decode_response(&self, _body: &[u8]) -> Result<ir::Response, ProviderError> {
        Err(self.failure())
    }

    fn encode_response(&self, _response: &ir::Response, _asked: &AnswerContext) -> Vec<u8> {
        Vec::new()
    }

    fn decode_error(&self, _status: u16, _body: &[u8]) -> ProviderError {
        self.failure()
    }

    fn encode_error(&self, error: &ProviderError, _request_id: &str) -> (u16, Vec<u8>) {
        (error.status, Vec::new())
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(Refusing(self.failure()))
    }

    fn encoder(&self, _asked: AnswerContext) -> Box<dyn StreamEncoder> {
        Box::new(Refusing(self.failure()))
    }

    fn encode_models(&self, _models: &[ListedModel<'_>]) -> Vec<u8> {
        Vec::new()
    }

    fn encode_model(&self, _model: &ListedModel<'_>) -> Vec<u8> {
        Vec::new()
    }

    fn watcher(&self) -> Box<dyn StreamWatcher> {
        Box::new(Refusing(self.failure()))
    }

    fn usage(&self, _body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
        Ok(None)
    }

    fn usage_in_tail(&self, _tail: &[u8]) -> Option<Usage> {
        None
    }
}

#[derive(Debug)]
struct Refusing(ProviderError);

impl StreamDecoder for Refusing {
    fn push(&mut self, _portion: Bytes, _events: &mut Vec<Event>) {}

    fn end(&mut self, events: &mut Vec<Event>) {
        events.push(Event::Error(self.0.clone()));
    }
}

impl StreamEncoder for Refusing {
    fn event(&mut self, _event: &Event, _bytes: &mut Vec<u8>) {}

    fn end(&mut self, _bytes: &mut Vec<u8>) {}
}

impl StreamWatcher for Refusing {
    fn event(&mut self, _data: &Bytes) -> Seen {
        Seen::default()
    }
}
