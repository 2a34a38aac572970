//! The only place where an error becomes an HTTP answer: problem documents (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::{error, warn};
use utoipa::ToSchema;

use super::fields::camel_case;
use crate::error::{ApiError, FieldError};
use crate::store::StoreError;

/// Media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a client may try again when the database did not answer.
const UNAVAILABLE_RETRY_AFTER: &str = "1";

/// A problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// The kind of problem, for programs.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, in words.
    pub title: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// What is wrong with this request, and what to do about it.
    pub detail: String,
    /// Every bad field, all at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
}

impl ApiError {
    /// The document that the client gets.
    pub fn problem(&self) -> Problem {
        let (status, kind, title) = self.kind();
        let mut errors = Vec::new();
        let detail = match self {
            Self::Invalid(fields) => {
                errors.clone_from(fields);
                let names: Vec<&str> = fields.iter().map(|error| error.field.as_str()).collect();
                format!("Correct these and send it again: {}.", names.join(", "))
            }
            Self::Store(StoreError::Taken { field, value }) => {
                let field = match *field {
                    "key_name" => "name".to_owned(),
                    "digest" => "key".to_owned(),
                    other => camel_case(other),
                };
                // The value of a proxy key is a secret.
                let message = if value.is_empty() || field == "key" {
                    "is in use already".to_owned()
                } else {
                    format!("{value:?} is in use already")
                };
                let detail = format!("{field} {message}; choose another.");
                errors.push(FieldError::new(field, message));
                detail
            }
            Self::Store(StoreError::Cursor) => {
                errors.push(FieldError::new("cursor", "must be the nextCursor of a page of this list"));
                "Correct it, or leave it out for the first page.".to_owned()
            }
            Self::Store(StoreError::Stale) => {
                "It was changed by someone else in the meantime. Read it again, repeat your change and send it once more."
                    .to_owned()
            }
            Self::Store(StoreError::NotFound) => "There is nothing under this id.".to_owned(),
            Self::Store(StoreError::Unavailable(_)) => "The database does not answer. Try again shortly. What was to be \
                changed may be changed all the same: read it again first."
                .to_owned(),
            Self::Store(error @ StoreError::Gone(_)) => format!(
                "{} Nothing is kept until it is back in its place, or the program is started again with the database \
                 that it should have.",
                sentence(&error.to_string())
            ),
            Self::Store(StoreError::Full) => "Nothing was changed: the disk of the database is full. Make room on it, then \
                try again; the program need not be started again."
                .to_owned(),
            Self::Store(_) | Self::Internal(_) => "The cause is in the server's log, under this x-request-id.".to_owned(),
            Self::MethodNotAllowed => "The header allow lists the methods of this path.".to_owned(),
            Self::Busy => "Try again shortly.".to_owned(),
            Self::TooManyLogins { retry_after } => {
                format!("Try again in {} seconds.", retry_after.as_secs().saturating_add(1))
            }
            other => sentence(&other.to_string()),
        };
        Problem {
            kind: format!("urn:orchestration-api:{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail,
            errors,
        }
    }

    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read"),
            Self::Invalid(_) | Self::Store(StoreError::Cursor) => {
                (StatusCode::BAD_REQUEST, "invalid-fields", "The request holds invalid fields")
            }
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated", "Log in first"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::NotFound(_) | Self::Store(StoreError::NotFound) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The path does not take this method")
            }
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body-timeout", "The body did not arrive in time"),
            Self::Store(StoreError::Taken { .. }) => (StatusCode::CONFLICT, "taken", "A value is in use already"),
            Self::Store(StoreError::Stale) => (StatusCode::CONFLICT, "stale", "It was changed in the meantime"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "The body is not sent as JSON"),
            Self::TooManyLogins { .. } => (StatusCode::TOO_MANY_REQUESTS, "too-many-logins", "Too many wrong logins"),
            Self::NoNode(_) => (StatusCode::SERVICE_UNAVAILABLE, "no-node", "No node can tell"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "The server is busy"),
            Self::Store(StoreError::Unavailable(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "database-unavailable", "The database does not answer")
            }
            Self::Store(StoreError::Gone(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "database-gone", "The database is not in its place")
            }
            Self::Store(StoreError::Full) => (StatusCode::INSUFFICIENT_STORAGE, "disk-full", "The disk is full"),
            Self::Store(_) | Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        match &self {
            Self::Store(StoreError::Unavailable(cause)) => warn!(cause, "the database does not answer"),
            // The store says so at a rate of its own.
            Self::Store(StoreError::Full) => {}
            failure if problem.status >= 500 => error!(error = %failure, "request failed"),
            _ => {}
        }
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Unauthenticated(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Busy | Self::Store(StoreError::Unavailable(_)) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(UNAVAILABLE_RETRY_AFTER));
            }
            Self::TooManyLogins { retry_after } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().saturating_add(1)));
            }
            _ => {}
        }
        response
    }
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let mut sentence: String = characters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    sentence.push_str(characters.as_str());
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}
