//! The requests that were received, and how each ended.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::http::request::Parts;
use serde::Serialize;
use serde_json::{Value, json};
use shared::time::now_ms;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The whole answer was handed to the connection.
    Answered,
    /// The script closed the connection.
    Cut,
    /// The client left before that.
    ClientGone,
}

/// One request.
#[derive(Debug)]
pub struct Received {
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers as they came, in their order.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The time when the request had been read, in epoch milliseconds.
    pub at_ms: i64,
    chunks: AtomicU64,
    end: Mutex<Option<(End, i64)>>,
}

impl Received {
    /// How the request ended and when, in epoch milliseconds. Nothing while it is open.
    pub fn end(&self) -> Option<(End, i64)> {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of chunks of the body that have been written so far.
    pub fn chunks(&self) -> u64 {
        self.chunks.load(Ordering::Relaxed)
    }

    /// The header `name` as text, which is empty if it did not come.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The upstream key that the request carried, in whichever header.
    pub fn key(&self) -> &str {
        let own = ["x-api-key", "x-goog-api-key", "api-key"].iter().map(|name| self.header(name));
        let bearer = self.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
        own.chain([bearer]).find(|key| !key.is_empty()).unwrap_or_default()
    }

    /// The query without its question mark, which is empty if there is none.
    pub fn query(&self) -> &str {
        self.path.split_once('?').map_or("", |(_, query)| query)
    }

    /// The body as JSON, or null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn describe(&self) -> Value {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let end = self.end();
        json!({
            "method": self.method,
            "path": self.path,
            "query": self.query(),
            "headers": headers,
            "body": String::from_utf8_lossy(&self.body),
            "atMs": self.at_ms,
            "chunks": self.chunks(),
            "end": end.map(|(end, _)| end),
            "endMs": end.map(|(_, at)| at),
        })
    }
}

/// The requests that were received last, up to a bound, and the totals since the start.
#[derive(Debug)]
pub struct Journal {
    capacity: usize,
    requests: Mutex<VecDeque<Arc<Received>>>,
    total: AtomicU64,
    ended: AtomicU64,
    client_gone: AtomicU64,
}

impl Journal {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            requests: Mutex::default(),
            total: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            client_gone: AtomicU64::new(0),
        }
    }

    /// The number of requests since the start, without control requests.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// The number of requests that have not ended.
    pub fn open(&self) -> u64 {
        self.total().saturating_sub(self.ended.load(Ordering::Relaxed))
    }

    /// The number of requests whose client left before the end.
    pub fn client_gone(&self) -> u64 {
        self.client_gone.load(Ordering::Relaxed)
    }

    /// The requests that were received last, oldest first.
    pub fn requests(&self) -> Vec<Arc<Received>> {
        self.lock().iter().cloned().collect()
    }

    /// The request that was received last.
    pub fn last(&self) -> Option<Arc<Received>> {
        self.lock().back().cloned()
    }

    /// Forgets the requests. The totals stay.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The requests with the upstream key `key`, or all, and the totals of all.
    pub(crate) fn describe(&self, key: Option<&str>) -> Value {
        let requests = self.requests();
        let asked = requests.iter().filter(|request| key.is_none_or(|key| request.key() == key));
        json!({
            "total": self.total(),
            "open": self.open(),
            "clientGone": self.client_gone(),
            "requests": asked.map(|request| request.describe()).collect::<Vec<_>>(),
        })
    }

    /// Takes note of a request. Returns its number, which no other request has, and what is kept of it.
    pub(crate) fn receive(self: &Journal, parts: &Parts, body: &Bytes) -> (u64, Option<Arc<Received>>) {
        let number = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        if self.capacity == 0 {
            return (number, None);
        }
        let received = Arc::new(Received {
            method: parts.method.to_string(),
            path: parts.uri.to_string(),
            headers: parts.headers.clone(),
            body: body.clone(),
            at_ms: now_ms(),
            chunks: AtomicU64::new(0),
            end: Mutex::default(),
        });
        let mut requests = self.lock();
        if requests.len() == self.capacity {
            requests.pop_front();
        }
        requests.push_back(Arc::clone(&received));
        (number, Some(received))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Received>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes how a request ends. If it is dropped before that, the client has left.
#[derive(Debug)]
pub(crate) struct Ending {
    journal: Arc<Journal>,
    received: Option<Arc<Received>>,
    noted: bool,
}

impl Ending {
    pub(crate) fn new(journal: &Arc<Journal>, received: Option<Arc<Received>>) -> Self {
        Self { journal: Arc::clone(journal), received, noted: false }
    }

    pub(crate) fn chunk(&self) {
        if let Some(received) = &self.received {
            received.chunks.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn note(&mut self, end: End) {
        if std::mem::replace(&mut self.noted, true) {
            return;
        }
        self.journal.ended.fetch_add(1, Ordering::Relaxed);
        if end == End::ClientGone {
            self.journal.client_gone.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(received) = &self.received {
            *received.end.lock().unwrap_or_else(PoisonError::into_inner) = Some((end, now_ms()));
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.note(End::ClientGone);
    }
}
