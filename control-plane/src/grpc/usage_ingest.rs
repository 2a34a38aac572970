//! Takes usage records from nodes into the ledger. A batch is read only when the one before is in the ledger, so that
//! the flow control of the stream holds a node back and nothing queues up here.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, stream};
use shared::drain::Tasks;
use shared::pb::usage_service_server::UsageService;
use shared::pb::{UsageAck, UsageBatch};
use tonic::{Request, Response, Status, Streaming};
use tracing::warn;

use crate::ledger::Ledger;
use crate::snapshot::publish::Publisher;

/// The service that nodes report usage to.
pub(crate) struct UsageIngest {
    publisher: Arc<Publisher>,
    ledger: Arc<Ledger>,
    tasks: Tasks,
}

impl UsageIngest {
    pub(crate) fn new(publisher: Arc<Publisher>, ledger: Arc<Ledger>, tasks: Tasks) -> Self {
        Self { publisher, ledger, tasks }
    }
}

type Acks = Pin<Box<dyn Stream<Item = Result<UsageAck, Status>> + Send>>;

#[tonic::async_trait]
impl UsageService for UsageIngest {
    type ReportStream = Acks;

    async fn report(&self, request: Request<Streaming<UsageBatch>>) -> Result<Response<Acks>, Status> {
        let report = Report {
            publisher: Arc::clone(&self.publisher),
            ledger: Arc::clone(&self.ledger),
            tasks: self.tasks.clone(),
            batches: request.into_inner(),
        };
        let acks = stream::unfold(Some(report), |report| async {
            let mut report = report?;
            match report.next().await {
                Ok(Some(ack)) => Some((Ok(ack), Some(report))),
                Ok(None) => None,
                Err(status) => Some((Err(status), None)),
            }
        });
        Ok(Response::new(Box::pin(acks)))
    }
}

struct Report {
    publisher: Arc<Publisher>,
    ledger: Arc<Ledger>,
    tasks: Tasks,
    batches: Streaming<UsageBatch>,
}

impl Report {
    /// Stores the next batch. Returns nothing when the node has no more.
    async fn next(&mut self) -> Result<Option<UsageAck>, Status> {
        let batch = tokio::select! {
            biased;
            () = self.tasks.stopping() => return Err(Status::unavailable("the control plane is stopping")),
            batch = self.batches.message() => batch?,
        };
        let Some(UsageBatch { node_id, sequence, records, epoch }) = batch else { return Ok(None) };
        if !epoch.is_empty() && *epoch != *self.publisher.position().borrow().epoch {
            warn!(node = node_id, database = epoch, "usage of another database is not taken");
            return Err(Status::failed_precondition(
                "the records belong to another database than this control plane has",
            ));
        }
        let count = records.len();
        match self.ledger.ingest(records).await {
            Ok(()) => Ok(Some(UsageAck { sequence })),
            Err(error) => {
                warn!(node = node_id, sequence, records = count, %error, "usage is not in the ledger; the node will send it again");
                Err(Status::unavailable("the ledger cannot be written at the moment"))
            }
        }
    }
}
