//! Bounds on one client request.

use std::path::PathBuf;
use std::time::Duration;

use crate::media::Policy;

/// Bounds on one client request.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest request body in bytes, after decompression.
    pub max_body_bytes: usize,
    /// Largest upload (`multipart/form-data`) in bytes. Uploads are not held in memory.
    pub max_upload_bytes: u64,
    /// Where an upload waits that is too large for memory before it says which model it is for.
    pub upload_directory: PathBuf,
    /// For the client to send its body; of an upload, the longest pause in it.
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
            // What OpenAI's files may have (API reference, "Upload file").
            max_upload_bytes: 512 * 1024 * 1024,
            upload_directory: std::env::temp_dir(),
            body_timeout: Duration::from_mins(1),
            request_timeout: Duration::from_mins(10),
            stream_idle_timeout: Duration::from_mins(5),
            media: Policy::default(),
        }
    }
}
