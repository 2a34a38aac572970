//! Writes answers of the gateway's own, and the headers that name an answer.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use translation::Format;

use crate::usage::meter::Meter;

/// Forbids a browser to load, run or frame anything from an answer.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";

/// Answers with the JSON `body`, which no provider has given.
pub fn answered(body: Bytes, mut meter: Meter) -> Response {
    meter.first_byte();
    meter.answering(StatusCode::OK);
    meter.response_bytes = body.len() as u64;
    meter.succeeded();
    json_response(StatusCode::OK, body)
}

/// An answer with a JSON body.
pub(super) fn json_response(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The value of the header that names a request by its `id`.
pub fn id_header(id: &str) -> HeaderValue {
    HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// `response` with the id where a client of `format` looks for it: Anthropic's SDKs read `request-id` (Claude API
/// documentation, "Errors").
pub fn identified_to(format: Format, mut response: Response, id: &HeaderValue) -> Response {
    if let Some(name) = format.facts().request_id_header {
        response.headers_mut().insert(name, id.clone());
    }
    identified(response, id)
}

/// `response` with its `x-request-id`, and as [`no_page`].
pub fn identified(mut response: Response, id: &HeaderValue) -> Response {
    response.headers_mut().insert("x-request-id", id.clone());
    no_page(response)
}

/// `response` with what keeps a browser from making a page of it, whatever is in it.
pub fn no_page(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(NO_PAGE));
    response
}
