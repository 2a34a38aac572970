//! A scriptable stand-in for the vendors: OpenAI and those compatible with it, Azure OpenAI, Anthropic and Gemini, all
//! at their own paths. It answers as their documentation and their recorded traffic say, refuses what they refuse, and
//! misbehaves on demand: errors, delays, cut connections, bytes that are no HTTP. It shares no code with the
//! translation between the formats, so that the vendors' documents are read twice, independently.
//!
//! In the order in which a request meets them:
//! - `wire`: the accept loop. `control`: the control routes.
//! - [`journal`]: what was received, and how it ended.
//! - `route`: which API a path is. `vendor`: how a vendor authenticates, what its errors and headers are. `form`:
//!   uploads.
//! - [`queue`]: which script answers which request. [`script`]: what an answer is to be. `replay`: answers from
//!   recordings.
//! - `call`: a request on its way. `provider`: what all requests share. `openai`, `anthropic`, `gemini`: a file for
//!   each API.
//! - `speech`: what the model says, whatever the format. `example`: values that fit a schema. `signature`, `vector`:
//!   what looks random and is not. `shelf`: what is remembered.
//! - `stream`: what a script does to a stream. `send`: what it does to an answer. `body`: the body as it leaves.
//!
//! # Which script answers
//!
//! A request is answered by the first of these that says how: a field `fake` in its body, a header `x-fake-script`, the
//! queue of its upstream key, the queue of its model (for requests without one: of its path), the queue for all, the
//! model's name (`fake-error-429`, see [`script::Script::for_model`]). Otherwise it gets a plain answer: a greeting; a
//! call of the first tool, if it offers tools and does not answer one; a JSON document, if it wants one that fits a
//! schema.
//!
//! # Control routes
//!
//! For tests in other languages. `POST /_fake/script` takes one script:
//!
//! ```json
//! { "target": { "model": "gpt-4o" }, "kind": "error", "values": { "status": 429 }, "apply": "once" }
//! ```
//!
//! - `target`: `"all"` (also without it), `{ "key": .. }`, `{ "model": .. }`.
//! - `apply`: `"once"` (also without it), `{ "times": n }`, `"always"`.
//! - `kind`, and what it reads of `values`; all else in there are fields of [`script::Script`]: `script` (only those),
//!   `saying` (`text`), `thinking` (`text`), `refusal` (`text`), `blocked` (`reason`), `tool_calls` (`calls`: names,
//!   and arguments as objects or texts), `error` (`status`, `error`), `paced` (`chunks`, `every_ms`), `endless`
//!   (`every_ms`), `verbatim` (`status`, `content_type`, `body`), `sse` (`events`), `json` (`document`), `recording`
//!   (`recording`: a path; `seed`), `echo`.
//!
//! `DELETE /_fake/script` forgets all scripts, `GET /_fake/journal` tells what was received, `DELETE /_fake/journal`
//! forgets it. With `?key=` the first two are about one upstream key alone. `/_script` takes lists of scripts field by
//! field (`{ "for": target, "scripts": [..], "always": .. }`), and `/_requests` is the journal under its older name.

mod anthropic;
mod body;
mod call;
mod chat_request;
mod control;
mod example;
mod fields;
mod form;
mod gemini;
mod handle;
pub mod journal;
mod openai;
mod provider;
pub mod queue;
mod refusal;
mod replay;
mod route;
pub mod script;
mod send;
mod shelf;
mod signature;
mod speech;
mod stream;
mod vector;
mod vendor;
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

use crate::body::RawBytes;
use crate::journal::Journal;
use crate::provider::Provider;
use crate::queue::Target;
use crate::script::Script;

/// How many requests the journal holds by default.
pub const DEFAULT_JOURNAL: usize = 10_000;

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

    /// Does the same as [`Self::bind`] with a journal of `capacity` requests. With 0 nothing is recorded, which is
    /// cheaper.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn with_journal(addr: SocketAddr, capacity: usize) -> std::io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let provider = Arc::new(Provider::new(capacity));
        let tasks = Tasks::new();
        tasks.spawn("fake provider", wire::serve(listener, Arc::clone(&provider), tasks.clone()));
        Ok(Self { addr, provider, tasks })
    }

    /// Where all vendors' paths begin, without a slash at the end.
    pub fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The `baseUrl` of a group that is to reach it as an OpenAI-format provider.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The same routes for another listener. There, a script that asks for a cut before the head or for raw bytes gives
    /// an empty 500.
    pub fn router(&self) -> Router {
        Router::new().fallback(routed).with_state(Arc::clone(&self.provider))
    }

    /// What was received.
    pub fn journal(&self) -> &Journal {
        &self.provider.journal
    }

    /// Answers the next request of `target` by `script`. Several scripts queue up.
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

    /// Stops the provider and closes open connections.
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
    match provider.handle(request, &RawBytes::default()).await {
        Ok(response) => response.map(axum::body::Body::new),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests;
