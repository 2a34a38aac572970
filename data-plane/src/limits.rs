//! Bounds on one client request.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds on one client request.
#[derive(Clone, Debug)]
pub struct RequestLimits {
    /// Largest request body in bytes, after decompression.
    pub max_body_bytes: usize,
    /// How many bytes of requests the node holds at once: the bodies, and what becomes of them until the provider has
    /// them.
    pub max_bytes_in_flight: u64,
    /// How many requests may be under way at once.
    pub max_requests_in_flight: usize,
    /// Largest upload (`multipart/form-data`) in bytes. Uploads are not held in memory.
    pub max_upload_bytes: u64,
    /// Where an upload waits that is too large for memory and has not yet said which model it is for.
    pub upload_directory: PathBuf,
    /// The room that such uploads have there, all together.
    pub upload_space: UploadSpace,
    /// How long such an upload may wait.
    pub upload_wait: Duration,
    /// How long the client may take to send its body. For an upload it bounds each pause and not the whole.
    pub body_timeout: Duration,
    /// Time from the request's arrival until the first byte of the answer, all attempts together.
    pub request_timeout: Duration,
    /// Longest pause between two chunks of a provider's answer.
    pub stream_idle_timeout: Duration,
    /// What a request may make the gateway fetch.
    pub media: MediaPolicy,
    /// Whether answers tell the group, the model and the number of attempts.
    pub route_headers: bool,
    /// The memory of answers that are kept, all together, in bytes. 0: none are kept.
    pub max_cache_bytes: u64,
}

/// Room on disk for uploads that wait. Clones share it.
#[derive(Clone, Debug)]
pub struct UploadSpace {
    taken: Arc<AtomicU64>,
    most: u64,
}

/// A part of an [`UploadSpace`], until it is dropped.
#[derive(Debug)]
pub struct UploadShare {
    space: UploadSpace,
    bytes: u64,
}

impl UploadSpace {
    /// Room for `most` bytes.
    pub fn new(most: u64) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// The most bytes that have room.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// A share of nothing yet.
    pub fn share(&self) -> UploadShare {
        UploadShare { space: self.clone(), bytes: 0 }
    }
}

impl UploadShare {
    /// Takes `bytes` more, and says whether there was room for them.
    pub fn grow(&mut self, bytes: u64) -> bool {
        let before = self.space.taken.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.space.most;
        if fits {
            self.bytes += bytes;
        } else {
            self.space.taken.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }
}

impl Drop for UploadShare {
    fn drop(&mut self) {
        self.space.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Whether media that a request names by URL are fetched, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaPolicy {
    /// Whether media are fetched at all.
    pub fetch: bool,
    /// Whether private networks are reached, too.
    pub private_networks: bool,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 32 * 1024 * 1024,
            max_bytes_in_flight: 512 * 1024 * 1024,
            // With some 70 KiB for each, what they hold stays below 350 MiB.
            max_requests_in_flight: 5_000,
            // The largest file that OpenAI takes (API reference, "Upload file").
            max_upload_bytes: 512 * 1024 * 1024,
            upload_directory: std::env::temp_dir(),
            upload_space: UploadSpace::new(2 * 1024 * 1024 * 1024),
            upload_wait: Duration::from_mins(5),
            body_timeout: Duration::from_mins(1),
            request_timeout: Duration::from_mins(10),
            stream_idle_timeout: Duration::from_mins(5),
            media: MediaPolicy::default(),
            route_headers: true,
            max_cache_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Default for MediaPolicy {
    fn default() -> Self {
        Self { fetch: true, private_networks: false }
    }
}
