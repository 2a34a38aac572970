//! Readiness as a set of guards. A program is ready when every guard has been dropped and it does not drain. The probes
//! `/health`, `/health/live` and `/health/ready` show it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::ids::new_id;
use crate::time::{now_ms, rfc3339};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whether the program is ready, and what it waits for. Clones share the state.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    version: &'static str,
    started: Instant,
    draining: AtomicBool,
    /// The names of what is waited for, each with the number of its guards.
    waiting: Mutex<BTreeMap<&'static str, usize>>,
    /// Facts shown beside the verdict, such as which config is in force.
    facts: Mutex<BTreeMap<&'static str, Value>>,
    /// What is wrong and keeps no request from being served, such as a full disk.
    degraded: Mutex<BTreeMap<&'static str, Value>>,
}

/// Keeps the program from being ready until it is dropped.
#[derive(Debug)]
pub struct ReadinessGuard {
    readiness: Readiness,
    name: &'static str,
}

impl Readiness {
    /// A program that is ready as long as no guard is taken. `version` is the version of the program.
    pub fn new(version: &'static str) -> Self {
        Self(Arc::new(Inner {
            version,
            started: Instant::now(),
            draining: AtomicBool::new(false),
            waiting: Mutex::default(),
            facts: Mutex::default(),
            degraded: Mutex::default(),
        }))
    }

    /// Keeps the program from being ready until the guard is dropped. `name` says what is waited for, such as `first
    /// snapshot`.
    pub fn guard(&self, name: &'static str) -> ReadinessGuard {
        *self.waiting().entry(name).or_default() += 1;
        ReadinessGuard { readiness: self.clone(), name }
    }

    /// Makes the program not ready for good.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Shows `value` under `name` in the answer of the readiness probe.
    pub fn set_fact(&self, name: &'static str, value: Value) {
        self.0.facts.lock().unwrap_or_else(PoisonError::into_inner).insert(name, value);
    }

    /// Shows nothing under `name` any more.
    pub fn clear_fact(&self, name: &'static str) {
        self.0.facts.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Shows that something is wrong, under `name`, that keeps no request from being served. The program stays ready.
    pub fn degraded(&self, name: &'static str, problem: Value) {
        self.0.degraded.lock().unwrap_or_else(PoisonError::into_inner).insert(name, problem);
    }

    /// Takes back what [`Self::degraded`] has shown under `name`.
    pub fn recovered(&self, name: &'static str) {
        self.0.degraded.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Whether something is wrong that keeps no request from being served.
    pub fn is_degraded(&self) -> bool {
        !self.problems().is_empty()
    }

    fn problems(&self) -> BTreeMap<&'static str, Value> {
        self.0.degraded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether requests may be sent here.
    pub fn is_ready(&self) -> bool {
        !self.0.draining.load(Ordering::Acquire) && self.waiting().is_empty()
    }

    /// `GET /health`, `/health/live` and `/health/ready`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/health", get(health))
            .route("/health/live", get(live))
            .route("/health/ready", get(ready))
            .with_state(self.clone())
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReadinessGuard {
    fn drop(&mut self) {
        let mut waiting = self.readiness.waiting();
        if let Some(guards) = waiting.get_mut(self.name) {
            *guards -= 1;
            if *guards == 0 {
                waiting.remove(self.name);
            }
        }
    }
}

async fn health(State(readiness): State<Readiness>) -> Response {
    let problems = readiness.problems();
    let mut body = json!({
        "status": if problems.is_empty() { "healthy" } else { "degraded" },
        "timestamp": rfc3339(now_ms()),
        "uptimeSeconds": readiness.0.started.elapsed().as_secs(),
        "version": readiness.0.version,
    });
    if !problems.is_empty() {
        body["degraded"] = json!(problems);
    }
    answer(StatusCode::OK, body)
}

async fn live() -> Response {
    answer(StatusCode::OK, json!({ "status": "alive" }))
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let draining = readiness.0.draining.load(Ordering::Acquire);
    let waiting: Vec<&str> = readiness.waiting().keys().copied().collect();
    let facts = readiness.0.facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let problems = readiness.problems();
    let (status, verdict) = match (draining, waiting.is_empty(), problems.is_empty()) {
        (true, ..) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (false, false, _) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
        (false, true, false) => (StatusCode::OK, "degraded"),
        (false, true, true) => (StatusCode::OK, "ready"),
    };
    let mut body = json!({ "status": verdict, "waitingFor": waiting });
    for (name, value) in facts {
        body[name] = value;
    }
    if !problems.is_empty() {
        body["degraded"] = json!(problems);
    }
    answer(status, body)
}

fn answer(status: StatusCode, body: Value) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store".to_owned()), (X_REQUEST_ID, new_id())];
    (status, headers, Json(body)).into_response()
}
