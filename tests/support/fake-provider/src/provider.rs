//! What all connections share.

use std::sync::Arc;

use crate::journal::Journal;
use crate::queue::Queues;
use crate::shelf::{Shelf, StoredFile, StoredResponse};

/// The state of a fake provider.
#[derive(Debug)]
pub(crate) struct Provider {
    /// Shared with the bodies of answers, which note in it how they end.
    pub(crate) journal: Arc<Journal>,
    pub(crate) queues: Queues,
    pub(crate) responses: Shelf<StoredResponse>,
    pub(crate) files: Shelf<StoredFile>,
    pub(crate) batches: Shelf<serde_json::Value>,
}

impl Provider {
    /// A provider that remembers nothing yet, with a journal of `capacity` requests.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            journal: Arc::new(Journal::new(capacity)),
            queues: Queues::default(),
            responses: Shelf::default(),
            files: Shelf::default(),
            batches: Shelf::default(),
        }
    }
}
