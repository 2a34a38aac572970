//! Writes an error as an answer, in the shape of the client's own API. Nowhere else does an error become an answer.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use translation::Format;
use translation::ir::{ErrorKind, ProviderError};

use super::headers::forward;
use super::own::json_response;
use crate::answer::{Failure, ProviderAnswer};
use crate::error::GatewayError;
use crate::usage::meter::Meter;

/// Tells the official SDKs whether to send the request again by themselves.
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// How long a client is to wait when its provider is overloaded and does not say so itself (`docs/TRANSLATION.md`
/// section 5).
const OVERLOADED_PAUSE: Duration = Duration::from_secs(1);

/// Answers a client of `format` whose request has no answer of a provider.
pub fn failed(failure: &Failure, format: Format, meter: Meter) -> Response {
    let no_retry = meter.has_no_retry();
    let mut response = match failure {
        Failure::Gateway(error) => refused(error, format, meter),
        Failure::Provider(said) => passed_on(said, format, meter),
    };
    if no_retry {
        response.headers_mut().insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    response
}

/// Answers a client of `format` with an error of the gateway's.
pub fn refused(error: &GatewayError, format: Format, mut meter: Meter) -> Response {
    meter.failed(error);
    let response = response(error, format, meter.request_id());
    // Formats have statuses of their own for some errors.
    meter.answering(response.status());
    response
}

/// Answers a client of `format` with the provider's own status and words, in the client's shape.
fn passed_on(said: &ProviderAnswer, format: Format, mut meter: Meter) -> Response {
    let key = &said.candidate.key;
    let same_shape = said.format.facts().error_shape == format.facts().error_shape;
    let mut error = said.error.clone();
    key.leak.redact_error(&mut error);
    let mut response = if same_shape && format.protocol().is_error_document(&said.body) {
        json_response(said.status, key.leak.redact(said.body.clone()))
    } else {
        if same_shape {
            error.status = said.status.as_u16();
            // A proxy in front of the provider has no word for it, or another.
            error.code.get_or_insert("upstream_error".into());
        }
        if error.code.as_deref() == Some("model_not_found")
            && let Some(model) = &meter.model
        {
            // The client knows the model by its own name (`docs/TRANSLATION.md` section 5).
            error.message = error.message.replace(&*said.candidate.upstream_model, model);
        }
        written(&error, format, meter.request_id())
    };
    meter.first_byte();
    meter.answering(response.status());
    meter.provider_failed(&error.message);
    if said.usage.is_some() {
        // The provider has counted what it refuses to give.
        meter.usage = said.usage;
        meter.finished = true;
    }
    meter.response_bytes = http_body::Body::size_hint(response.body()).lower();
    let mut forwarded = HeaderMap::new();
    forward(&said.headers, &mut forwarded, key, format);
    forwarded.remove(CONTENT_TYPE);
    response.headers_mut().extend(forwarded);
    // The pause may stand in the body, or in Anthropic's own headers.
    tell_pause(&mut response, error.retry_after);
    response
}

/// The answer to a client of `format` that says `error`, without the headers that every answer has.
pub fn response(error: &GatewayError, format: Format, request_id: &str) -> Response {
    let mut response = written(&error.neutral(), format, request_id);
    if matches!(error, GatewayError::Busy(_)) {
        // Whoever stands between the client and the gateway, and sends its requests elsewhere then, knows this status.
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let headers = response.headers_mut();
    match error {
        // The rest of the body is not read, so the connection ends; a client that is not told sends its next request
        // into it.
        GatewayError::BodyTooLarge { .. }
        | GatewayError::BodyTimeout
        | GatewayError::Busy(_)
        | GatewayError::UploadsFull
        | GatewayError::DiskFull => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        GatewayError::Method { allowed, .. } => {
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        // RFC 9110, section 15.5.22: the answer names the protocol to use.
        GatewayError::WebSocket => {
            headers.insert(UPGRADE, HeaderValue::from_static("HTTP/1.1"));
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade, close"));
        }
        _ => {}
    }
    if error.is_final() {
        headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    response
}

/// The last event of a stream of `format` that has begun and cannot be completed because of `error`.
pub(super) fn event(error: &GatewayError, format: Format, request_id: &str) -> Bytes {
    format.protocol().error_event(&error.in_stream(), request_id).into()
}

/// The answer to a client of `format` with the document and the status that `error` has there.
fn written(error: &ProviderError, format: Format, request_id: &str) -> Response {
    let (status, document) = format.protocol().encode_error(error, request_id);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = json_response(status, document.into());
    let overloaded = (error.kind == ErrorKind::Overloaded).then_some(OVERLOADED_PAUSE);
    tell_pause(&mut response, error.retry_after.or(overloaded));
    response
}

/// Tells the client how long to wait, unless the answer does.
fn tell_pause(response: &mut Response, pause: Option<Duration>) {
    if let Some(pause) = pause {
        response.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from(whole_seconds(pause)));
    }
}

/// `pause` in whole seconds, rounded up.
fn whole_seconds(pause: Duration) -> u64 {
    pause.as_secs() + u64::from(pause.subsec_nanos() > 0)
}
