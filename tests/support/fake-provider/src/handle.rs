//! Answers a request: finds its API and its script, and has the API reply.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use serde_json::Value;

use crate::body::{Answer, Closed, RawBytes};
use crate::call::{Call, Input, Reads};
use crate::chat_request::ChatRequest;
use crate::form::Form;
use crate::journal::Ending;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::replay;
use crate::route::{self, Route};
use crate::script::Script;
use crate::send::{Sender, refuse};
use crate::vendor::Vendor;

/// The size of a request body, in bytes, above which it is refused.
const MAX_BODY: usize = 256 << 20;

impl Provider {
    /// Answers one request. The error closes the connection without an answer.
    pub(crate) async fn handle<B>(
        self: &Arc<Self>,
        request: Request<B>,
        raw: &RawBytes,
    ) -> Result<Response<Answer>, Closed>
    where
        B: Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| Closed)?.to_bytes();
        match self.control(&parts, &body) {
            Some(answer) => Ok(answer),
            None => self.provide(&parts, body, raw).await,
        }
    }

    /// Answers a request to one of the provider's APIs.
    async fn provide(self: &Arc<Self>, parts: &Parts, body: Bytes, raw: &RawBytes) -> Result<Response<Answer>, Closed> {
        let (number, received) = self.journal.receive(parts, &body);
        let ending = Ending::new(&self.journal, received);
        let route = route::find(parts);
        let key = match route.vendor.key(&parts.headers, parts.uri.query().unwrap_or_default()) {
            Ok(key) => key,
            Err(refusal) => return Ok(refuse(route.vendor, &refusal, ending)),
        };
        if route.api.is_none() && parts.method != Method::GET {
            return Ok(refuse(route.vendor, &unknown(parts, route.vendor), ending));
        }
        let (input, fake) = match read(&route, parts, &body) {
            Ok(read) => read,
            Err(refusal) => return Ok(refuse(route.vendor, &refusal, ending)),
        };
        let model = model(&route, &input, parts);
        let header =
            || parts.headers.get("x-fake-script").and_then(|value| serde_json::from_slice(value.as_bytes()).ok());
        let mut script = fake
            .or_else(header)
            .or_else(|| self.queues.take(&key, &model))
            .or_else(|| Script::for_model(&model))
            .unwrap_or_default();
        if script.recording.is_some() {
            replay::load(&mut script).await;
        }
        if script.head_delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(script.head_delay_ms)).await;
        }
        let sender = Sender { vendor: route.vendor, script: &script, model: &model, raw };
        if script.status != 200 || script.body.is_some() || script.raw.is_some() {
            return sender.scripted(ending);
        }
        let Some(api) = route.api else {
            return Ok(refuse(route.vendor, &unknown(parts, route.vendor), ending));
        };
        let call = Call {
            provider: self,
            vendor: route.vendor,
            parts,
            body: &body,
            key: &key,
            id: &route.id,
            model: &model,
            input: &input,
            script: &script,
            number,
        };
        match api(&call) {
            Ok(reply) => sender.send(reply, ending),
            Err(refusal) => Ok(refuse(route.vendor, &refusal, ending)),
        }
    }
}

/// The body as the API reads it, and the script that it carries.
fn read<'a>(route: &Route, parts: &Parts, body: &'a Bytes) -> Result<(Input<'a>, Option<Script>), Refusal> {
    match route.reads {
        Reads::Nothing => Ok((Input::Nothing, None)),
        Reads::Chat => {
            let mut request: Box<ChatRequest<'a>> =
                serde_json::from_slice(body).map_err(|error| not_json(route.vendor, &error.to_string()))?;
            if request.model.is_none() && route.model.is_none() {
                return Err(Refusal::invalid("you must provide a model parameter"));
            }
            let fake = request.fake.take();
            Ok((Input::Chat(request), fake))
        }
        Reads::Json => {
            let mut value: Value =
                serde_json::from_slice(body).map_err(|error| not_json(route.vendor, &error.to_string()))?;
            let fields = value.as_object_mut().ok_or_else(|| not_json(route.vendor, "expected an object"))?;
            let fake = fields.remove("fake").and_then(|fake| serde_json::from_value(fake).ok());
            Ok((Input::Json(value), fake))
        }
        Reads::Form => {
            let content_type =
                parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let form = Form::parse(content_type, body)
                .ok_or_else(|| Refusal::invalid("Could not parse multipart form: expected multipart/form-data"))?;
            let fake = form.text("fake").and_then(|fake| serde_json::from_str(&fake).ok());
            Ok((Input::Form(form), fake))
        }
    }
}

/// The model that the request asks for. Without one it is the path, so that a script can be for the path.
fn model(route: &Route, input: &Input<'_>, parts: &Parts) -> String {
    let own = match input {
        _ if route.model.is_some() => None,
        Input::Chat(request) => request.model.as_deref().map(str::to_owned),
        Input::Json(value) => value.get("model").and_then(Value::as_str).map(str::to_owned),
        Input::Form(form) => form.text("model"),
        Input::Nothing => None,
    };
    route.model.clone().or(own).unwrap_or_else(|| parts.uri.path().to_owned())
}

fn unknown(parts: &Parts, vendor: Vendor) -> Refusal {
    match vendor {
        Vendor::OpenAi => Refusal::new(404, format!("Invalid URL ({} {})", parts.method, parts.uri.path())),
        Vendor::Azure => Refusal::new(404, "Resource not found").code("404"),
        Vendor::Anthropic => Refusal::new(404, "Not found"),
        Vendor::Gemini => Refusal::new(404, "Requested entity was not found."),
    }
}

fn not_json(vendor: Vendor, error: &str) -> Refusal {
    Refusal::invalid(match vendor {
        Vendor::Anthropic => format!("The request body is not valid JSON: {error}"),
        Vendor::Gemini => format!("Invalid JSON payload received. {error}"),
        Vendor::OpenAi | Vendor::Azure => format!("We could not parse the JSON body of your request: {error}"),
    })
}
