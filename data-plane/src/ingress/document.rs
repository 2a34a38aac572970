//! The OpenAPI 3.1 document of the APIs that clients speak, and of the probes. It is made from the table in `tests.rs`,
//! and kept in `data-plane/openapi-client.json`, from where both planes serve it. A test holds it against the routes
//! that are served.

use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;

use crate::respond::own;

/// The path of the document.
pub(super) const CLIENT_DOCUMENT: &str = "/openapi-client.json";

/// The document.
pub(super) const CLIENT_DOCUMENT_TEXT: &str = include_str!("../../openapi-client.json");

/// `GET /openapi-client.json`.
pub(super) async fn document() -> Response {
    own::no_page(([(CONTENT_TYPE, "application/json")], CLIENT_DOCUMENT_TEXT).into_response())
}

#[cfg(test)]
mod tests;
