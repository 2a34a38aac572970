//! Walks a plan: sends the request to one candidate after the other until one answers, and learns about upstream keys on the way.
//! Nothing of an answer has gone to the client while a walk goes on.

mod headers;

use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use hyper::body::Incoming;
use shared::pb;
use shared::pb::key_state::Health;
use shared::time::now_ms;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info};

use crate::error::GatewayError;
use crate::metrics::AttemptResult;
use crate::protocol::openai_chat::answer::provider_error;
use crate::protocol::openai_chat::request::ChatRequest;
use crate::provider::{Target, Verdict};
use crate::respond::collect::{self, Collected, Patience};
use crate::respond::redact::redact_text;
use crate::route::plan::{Candidate, Plan};
use crate::upstream::Upstream;
use crate::usage::meter::Meter;

pub use headers::ClientHeaders;

/// Further attempts after the first, however many a group allows.
const MOST_RETRIES: u32 = 1;

/// How long a key rests after a 429 that names no time.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

/// An error document longer than this is cut.
const LONGEST_ERROR: usize = 64 * 1024;

/// For the body of an error answer to arrive.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends attempts.
#[derive(Debug)]
pub struct Attempts {
    upstream: Upstream,
    /// Takes what is learnt about upstream keys, for other nodes to know. When it is full they learn it by themselves.
    key_states: mpsc::Sender<pb::KeyState>,
}

/// The head of an answer, and its body to come.
#[derive(Debug)]
pub struct Answer {
    /// Status and headers.
    pub head: Parts,
    /// The body.
    pub body: Incoming,
    /// Who answers.
    pub candidate: Candidate,
}

/// Why a walk ended without an answer.
#[derive(Debug)]
pub enum Failure {
    /// No provider gave a status of its own that the client may see.
    Gateway(GatewayError),
    /// What a provider said.
    Provider(ProviderAnswer),
}

/// The error answer of a provider.
#[derive(Debug)]
pub struct ProviderAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Who answered.
    pub candidate: Candidate,
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        Self::Gateway(error)
    }
}

/// Whether the walk may go on after an attempt.
enum Step {
    End(Failure),
    Next(Failure),
}

impl Attempts {
    /// Sends through `upstream`, and what it learns about keys to `key_states`.
    pub fn new(upstream: Upstream, key_states: mpsc::Sender<pb::KeyState>) -> Self {
        Self { upstream, key_states }
    }

    /// Sends `request` to the candidates of `plan` until one answers. On a connect error, no answer in time, 408, 429 or 5xx, and when the
    /// provider refuses the key, the next one is tried, once.
    ///
    /// # Errors
    /// [`Failure`]: what a provider said last, or why none said anything.
    pub async fn walk(
        &self,
        plan: Plan,
        request: &ChatRequest<'_>,
        client: &ClientHeaders<'_>,
        meter: &mut Meter,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let mut last: Option<Failure> = None;
        let mut retries = 0;
        for candidate in plan.candidates {
            if last.is_some() {
                if retries >= MOST_RETRIES.min(candidate.group.group.retry_count) || Instant::now() >= deadline {
                    break;
                }
                retries += 1;
            }
            match self.attempt(candidate, request, client, meter, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(Step::End(failure)) => return Err(failure),
                // What a provider said is worth more to the client than that another could not be reached.
                Err(Step::Next(failure)) => match (&last, &failure) {
                    (Some(Failure::Provider(_)), Failure::Gateway(_)) => {}
                    _ => last = Some(failure),
                },
            }
        }
        Err(last.unwrap_or(Failure::Gateway(GatewayError::Internal("the plan has no candidate"))))
    }

    async fn attempt(
        &self,
        candidate: Candidate,
        request: &ChatRequest<'_>,
        client: &ClientHeaders<'_>,
        meter: &mut Meter,
        deadline: Instant,
    ) -> Result<Answer, Step> {
        let group = &candidate.group;
        let Some(endpoint) = &group.endpoint else {
            return Err(Step::Next(GatewayError::Internal("the group has no provider").into()));
        };
        let ask_for_usage = endpoint.provider.reports_usage_on_request();
        let body = request.edited(&candidate.upstream_model, &group.defaults, &group.overrides, ask_for_usage);
        let target = Target { url: &endpoint.chat, credential: &candidate.key.credential, headers: &group.headers };
        let upstream_request = endpoint.provider.prepare(&target, client.for_upstream(), body);

        meter.attempt(&candidate);
        let until = deadline.min(Instant::now() + group.group.timeout);
        let response = match timeout_at(until, self.upstream.send(&group.exit, upstream_request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                debug!(request_id = meter.request_id(), group = &*group.group.name, %error, "attempt failed");
                let reason =
                    if error.is_connect() { "no connection" } else { "it closed the connection without an answer" };
                meter.attempt_ended(AttemptResult::ConnectError, 0, reason);
                return Err(Step::Next(GatewayError::Connect(reason).into()));
            }
            Err(_elapsed) => {
                meter.attempt_ended(AttemptResult::Timeout, 0, "no answer in time");
                return Err(Step::Next(GatewayError::Timeout.into()));
            }
        };
        let (head, body) = response.into_parts();
        let verdict = endpoint.provider.classify(head.status, &head.headers);
        let status = head.status.as_u16();
        match verdict {
            Verdict::Success => {
                meter.attempt_ended(AttemptResult::Success, status, "");
                self.worked(&candidate);
                Ok(Answer { head, body, candidate })
            }
            Verdict::ClientFault => {
                meter.attempt_ended(AttemptResult::ClientFault, status, "the provider refused the request");
                Err(Step::End(Failure::Provider(said(candidate, head, body).await)))
            }
            Verdict::RateLimited(pause) => {
                meter.attempt_ended(AttemptResult::RateLimited, status, "rate limited");
                let pause = i64::try_from(pause.unwrap_or(DEFAULT_PAUSE).as_millis()).unwrap_or_default();
                self.observe(&candidate, Health::CoolingDown, now_ms() + pause, status);
                Err(Step::Next(Failure::Provider(said(candidate, head, body).await)))
            }
            Verdict::KeyRefused => {
                self.observe(&candidate, Health::Invalid, 0, status);
                let said = said(candidate, head, body).await;
                let words = redact_text(&said.candidate.key, provider_error(&said.body).message);
                meter.attempt_ended(
                    AttemptResult::KeyRefused,
                    status,
                    &format!("the provider refused the upstream key: {words}"),
                );
                // A 401 is about the key, and such texts repeat the half of it; a 403 is about what it may do.
                let words = Some(words).filter(|words| said.status == StatusCode::FORBIDDEN && !words.is_empty());
                Err(Step::Next(GatewayError::Credentials { status: said.status, said: words }.into()))
            }
            Verdict::Retryable => {
                meter.attempt_ended(AttemptResult::ServerError, status, "the provider failed");
                Err(Step::Next(Failure::Provider(said(candidate, head, body).await)))
            }
            Verdict::Unusable(why) => {
                meter.attempt_ended(AttemptResult::Unusable, status, why);
                Err(Step::End(GatewayError::Unusable(why).into()))
            }
        }
    }

    /// A key that was refused before works again.
    fn worked(&self, candidate: &Candidate) {
        // The clock is read only where there is something to forget.
        if candidate.key.health.was_refused() && candidate.key.health.worked(now_ms()) {
            self.tell(candidate, Health::Valid, 0, 200);
        }
    }

    fn observe(&self, candidate: &Candidate, health: Health, until_ms: i64, status: u16) {
        let now = now_ms();
        if candidate.key.health.observe(&key_state(candidate, health, until_ms, status, now), now) {
            self.tell(candidate, health, until_ms, status);
        }
    }

    fn tell(&self, candidate: &Candidate, health: Health, until_ms: i64, status: u16) {
        info!(
            group = &*candidate.group.group.name,
            upstream_key = &*candidate.key.key.masked,
            health = health.as_str_name(),
            status,
            "upstream key changed"
        );
        let state = key_state(candidate, health, until_ms, status, now_ms());
        if self.key_states.try_send(state).is_err() {
            debug!("other nodes are not told of a key's state: the queue is full");
        }
    }
}

fn key_state(candidate: &Candidate, health: Health, until_ms: i64, status: u16, now: i64) -> pb::KeyState {
    pb::KeyState {
        upstream_key_id: candidate.key.key.id.to_string(),
        group_id: candidate.group.group.id.to_string(),
        health: health.into(),
        until_ms,
        status: status.into(),
        reason: String::new(),
        observed_at_ms: now,
        node_id: String::new(),
    }
}

/// What the provider says in an error answer. A body that does not come, or is too long, is left out or cut: the status stands.
async fn said(candidate: Candidate, head: Parts, body: Incoming) -> ProviderAnswer {
    let collected = collect::collect(body, LONGEST_ERROR, Patience::within(ERROR_BODY_TIMEOUT)).await;
    let body = match collected {
        Ok(Collected::Whole(body)) => collect::unpack(&head.headers, body, LONGEST_ERROR).unwrap_or_default(),
        Ok(Collected::Larger { .. }) | Err(_) => Bytes::new(),
    };
    ProviderAnswer { status: head.status, headers: head.headers, body, candidate }
}
