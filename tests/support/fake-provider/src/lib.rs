//! A scriptable stand-in for an OpenAI-format provider. It answers as the recorded traffic of the real one does, and misbehaves
//! on demand: errors, delays, cut connections, bytes that are no HTTP.
//!
//! - [`script`]: what an answer is to be.
//! - [`queue`]: which script answers which request.
//! - `chat`: the request as far as it matters here, and the wire format of the answer.
//! - `body`: an answer's body as it leaves, chunk by chunk.
//! - [`journal`]: what was received, and how it ended.
//! - `handle`: the routes.
//! - `wire`: the accept loop.
//!
//! A request is answered by the first of these that says how: a field `fake` in its body, a header `x-fake-script`, the queue of
//! its key, the queue of its model, the queue for all, the model's name (`fake-error-429`, see
//! [`script::Script::for_model`]). Otherwise it gets a plain answer.

mod body;
mod chat;
mod handle;
pub mod journal;
pub mod queue;
pub mod script;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use hyper::StatusCode;
use shared::drain::Tasks;
use tokio::net::TcpListener;

use crate::journal::Journal;
use crate::queue::{Queues, Target};
use crate::script::Script;

/// How many requests the journal holds by default.
pub const DEFAULT_JOURNAL: usize = 10_000;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) journal: Journal,
    pub(crate) queues: Queues,
}

/// A running fake provider. It stops when it is dropped.
#[derive(Debug)]
pub struct FakeProvider {
    /// Where it listens.
    pub addr: SocketAddr,
    provider: Arc<Provider>,
    tasks: Tasks,
}

impl FakeProvider {
    /// Listens on `addr` (port 0: a free one) and serves until dropped.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(addr: SocketAddr) -> std::io::Result<Self> {
        Self::with_journal(addr, DEFAULT_JOURNAL).await
    }

    /// The same with a journal of `capacity` requests; with 0 nothing is recorded, which makes it cheaper.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn with_journal(addr: SocketAddr, capacity: usize) -> std::io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let provider = Arc::new(Provider { journal: Journal::new(capacity), queues: Queues::default() });
        let tasks = Tasks::new();
        tasks.spawn("fake provider", wire::serve(listener, Arc::clone(&provider), tasks.clone()));
        Ok(Self { addr, provider, tasks })
    }

    /// The `baseUrl` of a group that is to reach it.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The same routes for another listener. A script that asks for a cut before the head, or for raw bytes, has no effect there
    /// beyond an empty 500.
    pub fn router(&self) -> Router {
        Router::new().fallback(routed).with_state(Arc::clone(&self.provider))
    }

    /// What was received.
    pub fn journal(&self) -> &Journal {
        &self.provider.journal
    }

    /// Answers the next request of `target` by `script`; several queue up.
    pub fn script(&self, target: Target, script: Script) {
        self.provider.queues.push(target, script);
    }

    /// Answers every request of `target` by `script` from now on, unless one is queued.
    pub fn always(&self, target: Target, script: Script) {
        self.provider.queues.set_always(target, script);
    }

    /// Forgets all scripts.
    pub fn clear_scripts(&self) {
        self.provider.queues.clear();
    }

    /// Stops: open connections are closed.
    pub async fn stop(self) {
        self.tasks.drain("fake provider", Duration::from_secs(5)).await;
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

async fn routed(State(provider): State<Arc<Provider>>, request: Request) -> Response {
    match provider.handle(request, &wire::RawBytes::default()).await {
        Ok(response) => response.map(axum::body::Body::new),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests;
