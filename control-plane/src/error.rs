//! Why a request is not answered with what it asked for. `web::problem` is the only place where such an error becomes
//! an HTTP answer.

use std::time::Duration;

use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use crate::store::StoreError;

/// One bad field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field, such as `models[2]` or `proxyConfig.port`.
    #[schema(example = "balancePolicy")]
    pub field: String,
    /// What is wrong with the field.
    #[schema(example = "must be one of round_robin, random, least_used")]
    pub message: String,
}

impl FieldError {
    /// A bad field and what is wrong with it.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Why a request of the admin API is not answered with what it asked for.
#[derive(Debug, Error)]
pub enum ApiError {
    /// The body is not JSON, or the query cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// Fields are missing, unknown, of the wrong type or without meaning.
    #[error("the request holds invalid fields")]
    Invalid(Vec<FieldError>),
    /// There is no credential, or it is not valid.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The caller is known, and may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such thing. The text is its name with a verb, such as `the group was`.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The path exists, the method does not.
    #[error("the path does not take this method")]
    MethodNotAllowed,
    /// The client took too long to send its body.
    #[error("the body did not arrive in time")]
    BodyTimeout,
    /// The body is over the limit.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body is not sent as JSON.
    #[error("the body must be sent as application/json")]
    NotJson,
    /// There were too many wrong logins.
    #[error("too many wrong logins")]
    TooManyLogins {
        /// Time until the next login may be tried.
        retry_after: Duration,
    },
    /// No node gave what was asked of it. The text says why, in words that can follow `because`.
    #[error("no node can tell, because {0}")]
    NoNode(String),
    /// The server has more to do than it can.
    #[error("the server is busy")]
    Busy,
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The program failed by its own fault.
    #[error("{0}")]
    Internal(String),
}

impl ApiError {
    /// The error for one invalid field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }
}
