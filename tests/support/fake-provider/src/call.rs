//! A request on its way to the API that answers it, and the API's reply.

use std::collections::VecDeque;

use bytes::Bytes;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use crate::body::Step;
use crate::chat_request::ChatRequest;
use crate::form::Form;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::script::Script;
use crate::speech::{Ask, Speech};
use crate::vendor::{Vendor, query_value};

/// An API, as the function that answers a request.
pub(crate) type Api = fn(&Call<'_>) -> Result<Reply, Refusal>;

/// How a request's body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    Nothing,
    /// A chat completion.
    Chat,
    Json,
    Form,
}

/// A body that has been read.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    Nothing,
    Chat(Box<ChatRequest<'a>>),
    Json(Value),
    Form(Form),
}

/// A request for an answer of the provider.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) vendor: Vendor,
    pub(crate) parts: &'a Parts,
    pub(crate) body: &'a Bytes,
    pub(crate) key: &'a str,
    /// The id of the thing that the path names: a response, a file or a model.
    pub(crate) id: &'a str,
    pub(crate) model: &'a str,
    pub(crate) input: &'a Input<'a>,
    pub(crate) script: &'a Script,
    pub(crate) number: u64,
}

/// The reply of an API, before the script changes it.
#[derive(Debug)]
pub(crate) enum Reply {
    Json(Value),
    Bytes { content_type: String, body: Bytes },
    Stream { content_type: &'static str, steps: VecDeque<Step> },
}

pub(crate) const EVENTS: &str = "text/event-stream; charset=utf-8";

impl<'a> Call<'a> {
    /// The body as JSON, or null if the API takes another kind of body.
    pub(crate) fn json(&self) -> &'a Value {
        match self.input {
            Input::Json(value) => value,
            _ => &Value::Null,
        }
    }

    /// The body as a form, which is empty if the API takes another kind of body.
    pub(crate) fn form(&self) -> &'a Form {
        const EMPTY: &Form = &Form::new();
        match self.input {
            Input::Form(form) => form,
            _ => EMPTY,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// The value of `name` in the query.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        query_value(self.parts.uri.query().unwrap_or_default(), name)
    }

    /// What the model says to `ask` according to the script.
    pub(crate) fn speech<'s>(&'s self, ask: &Ask<'s>) -> Speech<'s> {
        Speech::new(ask, self.script, self.script.echo.then(|| self.echo()), self.number)
    }

    /// An id under `prefix` for something that this request makes.
    pub(crate) fn id_for(&self, prefix: &str) -> String {
        format!("{prefix}fake-{:x}-{:x}", shared::time::now_ms(), self.number)
    }

    fn echo(&self) -> String {
        let headers: Vec<_> = self
            .parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        json!({
            "method": self.parts.method.as_str(),
            "path": self.parts.uri.to_string(),
            "headers": headers,
            "body": String::from_utf8_lossy(self.body),
        })
        .to_string()
    }
}
