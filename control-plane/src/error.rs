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
    /// Its path, such as `models[2]` or `proxyConfig.port`.
    #[schema(example = "balancePolicy")]
    pub field: String,
    /// What is wrong with it.
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
    /// No credential, or one that is not valid.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The credential does not allow this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such thing.
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
    /// Too many wrong logins.
    #[error("too many wrong logins")]
    TooManyLogins {
        /// When the next one may be tried.
        retry_after: Duration,
    },
    /// The server has more to do than it can.
    #[error("the server is busy")]
    Busy,
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A failure that is nobody's but ours.
    #[error("{0}")]
    Internal(String),
}

impl ApiError {
    /// One invalid field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }
}
