//! Bounds on one client request.

use std::time::Duration;

use crate::media::Policy;

/// Bounds on one client request.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest request body in bytes, after decompression.
    pub max_body_bytes: usize,
    /// For the client to send its body.
    pub body_timeout: Duration,
    /// From the request's arrival until the first byte of the answer, all attempts together.
    pub request_timeout: Duration,
    /// Between two chunks of a provider's answer.
    pub stream_idle_timeout: Duration,
    /// What it may make the gateway fetch.
    pub media: Policy,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 32 * 1024 * 1024,
            body_timeout: Duration::from_mins(1),
            request_timeout: Duration::from_mins(10),
            stream_idle_timeout: Duration::from_mins(5),
            media: Policy::default(),
        }
    }
}
