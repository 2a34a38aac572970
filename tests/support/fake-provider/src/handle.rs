//! The routes.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Provider;
use crate::body::{Answer, Closed, Step};
use crate::chat::{Chat, ChatRequest};
use crate::journal::{End, Ending};
use crate::queue::Target;
use crate::script::{Cut, Script};
use crate::wire::RawBytes;

/// Larger request bodies are refused.
const MAX_BODY: usize = 256 << 20;

const MODELS: &[&str] = &["gpt-4o", "gpt-4o-mini", "gpt-5", "fake-model"];

/// Body of `POST /_script`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scripts {
    #[serde(rename = "for")]
    target: Target,
    /// Queued, one for each request.
    #[serde(default, rename = "scripts")]
    next: Vec<Script>,
    /// For every request that finds none queued.
    #[serde(default)]
    always: Option<Script>,
}

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
        let path = parts.uri.path();
        match (&parts.method, path) {
            (&Method::POST, "/_script") => Ok(self.set_scripts(&body)),
            (&Method::DELETE, "/_script") => {
                self.queues.clear();
                Ok(json_answer(StatusCode::OK, &json!({}), None))
            }
            (&Method::GET, "/_requests") => Ok(json_answer(StatusCode::OK, &self.journal.describe(), None)),
            (&Method::DELETE, "/_requests") => {
                self.journal.clear();
                Ok(json_answer(StatusCode::OK, &json!({}), None))
            }
            _ => self.provide(&parts, body, raw).await,
        }
    }

    fn set_scripts(&self, body: &[u8]) -> Response<Answer> {
        match serde_json::from_slice::<Scripts>(body) {
            Ok(scripts) => {
                for script in scripts.next {
                    self.queues.push(scripts.target.clone(), script);
                }
                if let Some(always) = scripts.always {
                    self.queues.set_always(scripts.target, always);
                }
                json_answer(StatusCode::OK, &json!({}), None)
            }
            Err(error) => json_answer(StatusCode::BAD_REQUEST, &refusal(&error.to_string(), "bad_script", None), None),
        }
    }

    /// The provider's own API.
    async fn provide(self: &Arc<Self>, parts: &Parts, body: Bytes, raw: &RawBytes) -> Result<Response<Answer>, Closed> {
        let received = self.journal.receive(parts, &body);
        let mut ending = Ending::new(self, received);
        let key = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let Some(key) = key else {
            let message = "You didn't provide an API key. You need to provide your API key in an Authorization header \
                           using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
            return Ok(json_answer(StatusCode::UNAUTHORIZED, &refusal(message, "", None), Some(ending)));
        };
        let path = parts.uri.path();
        if parts.method == Method::GET {
            if let Some(script) = self.queues.take(key, path) {
                tokio::time::sleep(Duration::from_millis(script.head_delay_ms)).await;
                return send(&script, "", None, ending, raw);
            }
            let (status, value) = models(path);
            return Ok(json_answer(status, &value, Some(ending)));
        }
        if parts.method != Method::POST || !path.ends_with("/chat/completions") {
            let message = format!("Invalid URL ({} {path})", parts.method);
            return Ok(json_answer(StatusCode::NOT_FOUND, &refusal(&message, "", None), Some(ending)));
        }
        let request: ChatRequest<'_> = match serde_json::from_slice(&body) {
            Ok(request) => request,
            Err(error) => {
                let message = format!("We could not parse the JSON body of your request: {error}");
                return Ok(json_answer(StatusCode::BAD_REQUEST, &refusal(&message, "", None), Some(ending)));
            }
        };
        let header = parts.headers.get("x-fake-script").and_then(|value| serde_json::from_slice(value.as_bytes()).ok());
        let script = request
            .fake
            .clone()
            .or(header)
            .or_else(|| self.queues.take(key, &request.model))
            .or_else(|| Script::for_model(&request.model))
            .unwrap_or_default();
        if script.head_delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(script.head_delay_ms)).await;
        }
        if script.status != 200 || script.body.is_some() || script.raw.is_some() {
            return send(&script, &request.model, None, ending, raw);
        }
        if matches!(script.cut, Some(Cut::BeforeHead)) {
            ending.note(End::Cut);
            return Err(Closed);
        }
        let echo = script.echo.then(|| echo(parts, &body));
        let chat = Chat::new(&request, &script, echo, self.journal.total());
        if request.stream {
            let mut steps = chat.stream();
            if matches!(script.cut, Some(Cut::AfterHead)) {
                steps = VecDeque::from([Step::Cut]);
            }
            if let Some(size) = script.split_bytes {
                steps = split(&steps, size);
            }
            let mut response = Response::new(Answer::steps(steps, None, ending));
            decorate(&script, StatusCode::OK, "text/event-stream; charset=utf-8", &mut response);
            Ok(response)
        } else {
            send(&script, &request.model, Some(chat.completion().to_string()), ending, raw)
        }
    }
}

/// A unary answer by `script`; `answer` is the body unless the script has its own.
fn send(
    script: &Script,
    model: &str,
    answer: Option<String>,
    mut ending: Ending,
    raw: &RawBytes,
) -> Result<Response<Answer>, Closed> {
    if let Some(bytes) = &script.raw {
        raw.set(Bytes::from(bytes.clone()));
        ending.note(End::Cut);
        let mut response = Response::new(Answer::whole(Bytes::new(), None));
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return Ok(response);
    }
    if matches!(script.cut, Some(Cut::BeforeHead)) {
        ending.note(End::Cut);
        return Err(Closed);
    }
    let mut body = match (&script.body, answer) {
        (Some(body), _) => Bytes::from(body.clone()),
        (None, Some(answer)) => Bytes::from(answer),
        (None, None) => Bytes::from(script.error_body(model).to_string()),
    };
    if let Some(size) = script.body_bytes.filter(|_| !body.is_empty()) {
        body = body.iter().copied().cycle().take(size).collect();
    }
    if script.gzip {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        body = encoder.write_all(&body).and_then(|()| encoder.finish()).map_err(|_| Closed)?.into();
    }
    let length = body.len();
    let mut steps = VecDeque::new();
    if script.first_chunk_delay_ms > 0 {
        steps.push_back(Step::Wait(Duration::from_millis(script.first_chunk_delay_ms)));
    }
    if script.cut.is_some() {
        // A truncated answer: the length that was announced never comes.
        if !matches!(script.cut, Some(Cut::AfterHead)) {
            steps.push_back(Step::Write(body.slice(..length / 2)));
        }
        steps.push_back(Step::Cut);
    } else {
        steps.push_back(Step::Write(body));
    }
    if let Some(size) = script.split_bytes {
        steps = split(&steps, size);
    }
    let chunked = script.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str()));
    let mut response = Response::new(Answer::steps(steps, (!chunked).then_some(length as u64), ending));
    let status = StatusCode::from_u16(script.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = script.content_type.as_deref().unwrap_or("application/json");
    decorate(script, status, content_type, &mut response);
    if script.gzip {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn decorate(script: &Script, status: StatusCode, content_type: &str, response: &mut Response<Answer>) {
    *response.status_mut() = status;
    provider_headers(response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    let mut named: Vec<HeaderName> = Vec::new();
    for (name, value) in &script.headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) else {
            continue;
        };
        if name == TRANSFER_ENCODING {
            // It only asks for an answer without a length; hyper writes the header.
            continue;
        }
        if named.contains(&name) {
            response.headers_mut().append(name, value);
        } else {
            response.headers_mut().insert(name.clone(), value);
            named.push(name);
        }
    }
}

/// What the provider adds to each answer.
fn provider_headers(headers: &mut HeaderMap) {
    let fixed = [
        ("openai-organization", "fake-organization"),
        ("openai-processing-ms", "7"),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-limit-tokens", "1000000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-remaining-tokens", "999977"),
        ("x-ratelimit-reset-requests", "6ms"),
        ("x-ratelimit-reset-tokens", "1ms"),
        ("x-request-id", "req_fake"),
    ];
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

fn json_answer(status: StatusCode, value: &Value, ending: Option<Ending>) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(Bytes::from(value.to_string()), ending));
    decorate(&Script::default(), status, "application/json", &mut response);
    response
}

fn models(path: &str) -> (StatusCode, Value) {
    let model = |id: &str| json!({ "id": id, "object": "model", "created": 1_715_367_049, "owned_by": "fake" });
    if path.ends_with("/models") {
        let data: Vec<_> = MODELS.iter().map(|id| model(id)).collect();
        return (StatusCode::OK, json!({ "object": "list", "data": data }));
    }
    match path.rsplit_once("/models/") {
        Some((_, id)) if MODELS.contains(&id) => (StatusCode::OK, model(id)),
        Some((_, id)) => {
            let message = format!("The model `{id}` does not exist or you do not have access to it.");
            (StatusCode::NOT_FOUND, refusal(&message, "model_not_found", Some("model")))
        }
        None => (StatusCode::NOT_FOUND, refusal(&format!("Invalid URL (GET {path})"), "", None)),
    }
}

fn refusal(message: &str, code: &str, param: Option<&str>) -> Value {
    let code = (!code.is_empty()).then_some(code);
    json!({ "error": { "message": message, "type": "invalid_request_error", "param": param, "code": code } })
}

fn echo(parts: &Parts, body: &[u8]) -> String {
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    json!({
        "method": parts.method.as_str(),
        "path": parts.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(body),
    })
    .to_string()
}

/// The same bytes in writes of `size`; what comes after a pause or a cut stays after it.
fn split(steps: &VecDeque<Step>, size: usize) -> VecDeque<Step> {
    let mut pieces = VecDeque::new();
    for step in steps {
        match step {
            Step::Write(bytes) => {
                for start in (0..bytes.len()).step_by(size.max(1)) {
                    pieces.push_back(Step::Write(bytes.slice(start..bytes.len().min(start + size.max(1)))));
                    // Lets each piece leave on its own.
                    pieces.push_back(Step::Wait(Duration::from_millis(1)));
                }
            }
            Step::Wait(duration) => pieces.push_back(Step::Wait(*duration)),
            Step::Cut => pieces.push_back(Step::Cut),
            Step::Repeat(bytes, pause) => pieces.push_back(Step::Repeat(bytes.clone(), *pause)),
        }
    }
    pieces
}
