//! A body that passes from the client to a provider without being held.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

use crate::error::GatewayError;

/// A body on its way from the client. It can be sent once.
pub struct Passing {
    /// The body.
    pub body: UnsyncBoxBody<Bytes, io::Error>,
    /// How far the body has come, and why it broke off.
    pub progress: Arc<UploadProgress>,
}

impl fmt::Debug for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passing").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// How far an upload has come, and why it broke off.
#[derive(Debug, Default)]
pub struct UploadProgress {
    bytes: AtomicU64,
    fault: Mutex<Option<GatewayError>>,
}

impl UploadProgress {
    /// Bytes that have come from the client.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Why the upload broke off, where the reason is the client's. Given once.
    pub fn fault(&self) -> Option<GatewayError> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes that `bytes` more have come. Gives how many that are in all.
    pub(super) fn add(&self, bytes: u64) -> u64 {
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Notes why the upload broke off. Gives the same as an error of its body.
    pub(super) fn broke(&self, fault: GatewayError) -> io::Error {
        let error = io::Error::other(fault.to_string());
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        error
    }
}
