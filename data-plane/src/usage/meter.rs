//! Meters one client request. What the meter knows when it is dropped becomes the one usage record of the request, so
//! every path has exactly one: an answer, a refusal, a provider's error, a client that leaves. A request of which it
//! was never known whose it is leaves none: it is counted in the metrics.

mod further;
mod limited;
mod log;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderValue, Method, StatusCode, request};
use shared::ids::new_id;
use shared::pb;
use shared::pb::usage_record::{Outcome, UsageSource};
use shared::prices::{PriceText, UnitCounts};
use shared::serve::Closing;
use shared::snapshot::ProxyKey;
use shared::time::now_ms;
use tokio::time::Instant;
use translation::ir::Usage;

use crate::body::budget::Held;
use crate::error::GatewayError;
use crate::limit::client::ClientPass;
use crate::metrics::series::{Series, SeriesTable};
use crate::metrics::{Affinity, Api, Estimate, Unauthenticated};
use crate::node::InFlight;
use crate::node::tenants::Seat;
use crate::route::plan::Home;
use crate::usage::attempts::{AttemptRecord, Trail, Tried, cut, micros};
use crate::usage::estimate::Unreported;
use crate::usage::estimate::heard::Heard;
use crate::usage::estimate::request::HeldRequest;

pub use crate::usage::recorder::Recorder;

/// The status for a client that closed the connection before the head of the answer, as nginx logs it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Meters one client request until it is dropped.
#[derive(Debug)]
pub struct Meter {
    recorder: Arc<Recorder>,
    _in_flight: InFlight,
    started: Instant,
    started_at_ms: i64,
    id: String,
    api: Api,
    method: Method,
    path: String,
    client: Option<SocketAddr>,
    closing: Option<Closing>,
    user_agent: Option<HeaderValue>,
    trace_id: Option<String>,
    /// The version of the config under which the request is served.
    pub snapshot_version: u64,
    /// The series of metrics of that config.
    pub series: Option<Arc<SeriesTable>>,
    /// The prices that the operator has set for all groups.
    pub prices: Option<Arc<PriceText>>,
    /// The proxy key of the client.
    pub proxy_key: Option<Arc<ProxyKey>>,
    /// The model, as the client named it.
    pub model: Option<String>,
    /// The model that is asked in place of that, after it has failed, as a client would name it.
    pub served_model: Option<String>,
    /// What the node holds of the request. It is given back when the meter is dropped.
    pub held: Option<Held>,
    /// Its seat among the requests that are under way.
    pub seat: Option<Seat>,
    /// Where the request belongs. None where it is not routed.
    pub home: Option<Home>,
    /// What the response cache was to the request: `hit`, `miss`, or empty where it was not asked.
    pub cache: &'static str,
    /// Is set when the client has the whole answer.
    pub succeeds: Option<Arc<AtomicBool>>,
    /// What the request has taken of the limits of its proxy key.
    pub limits: ClientPass,
    /// The tokens of the answer so far, at least.
    answered: u64,
    /// Whether the client asked for a stream.
    pub streamed: bool,
    /// Whether the model may call tools.
    pub has_tools: bool,
    /// The bytes of the request's body, unpacked.
    pub request_bytes: u64,
    /// The bytes of the answer's body so far.
    pub response_bytes: u64,
    /// The usage that the provider reported.
    pub usage: Option<Usage>,
    /// The tier of service that the answer says it was given, in the vendor's word, or else what the provider was asked
    /// for.
    pub tier: Option<String>,
    /// What the provider charges for beside tokens, as far as the answer shows it.
    pub units: UnitCounts,
    /// Whether the model has said why it stopped: then the usage that is reported is all of it.
    pub finished: bool,
    /// What has come of the answer.
    pub heard: Heard,
    asked: HeldRequest,
    attempts: Trail,
    /// Whether there was no retry left for the request.
    retries_spent: AtomicBool,
    first_byte: Option<Duration>,
    /// Whether what is asked for costs no tokens, whatever the answer says of tokens that another request has cost.
    free: bool,
    status: u16,
    outcome: Outcome,
    error_code: &'static str,
    error_message: String,
    /// Why it is not known whose the request is, where it is not.
    unauthenticated: Unauthenticated,
}

impl Meter {
    /// Begins to meter a request, which has just arrived.
    pub fn start(recorder: &Arc<Recorder>, api: Api, parts: &request::Parts) -> Self {
        Self {
            _in_flight: recorder.node.enter(),
            recorder: Arc::clone(recorder),
            started: Instant::now(),
            started_at_ms: now_ms(),
            id: new_id(),
            api,
            method: parts.method.clone(),
            path: cut(parts.uri.path()).to_owned(),
            client: parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0),
            closing: parts.extensions.get::<Closing>().cloned(),
            user_agent: parts.headers.get(USER_AGENT).cloned(),
            trace_id: None,
            snapshot_version: 0,
            series: None,
            prices: None,
            proxy_key: None,
            model: None,
            served_model: None,
            held: None,
            seat: None,
            home: None,
            cache: "",
            succeeds: None,
            limits: ClientPass::default(),
            answered: 0,
            streamed: false,
            has_tools: false,
            request_bytes: 0,
            response_bytes: 0,
            usage: None,
            tier: None,
            units: UnitCounts::default(),
            finished: false,
            heard: Heard::Nothing,
            asked: HeldRequest::default(),
            attempts: Trail::default(),
            retries_spent: AtomicBool::new(false),
            first_byte: None,
            free: false,
            status: CLIENT_CLOSED_REQUEST,
            outcome: Outcome::ClientGone,
            error_code: "client_closed_request",
            error_message: String::new(),
            unauthenticated: Unauthenticated::ClientGone,
        }
    }

    /// The id of the request, which every answer carries as `x-request-id`.
    pub fn request_id(&self) -> &str {
        &self.id
    }

    /// Resolves when the connection is about to be closed because the gateway ends.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let closing = self.closing.clone();
        async move {
            match closing {
                Some(Closing(token)) => token.cancelled_owned().await,
                None => std::future::pending().await,
            }
        }
    }

    /// When the request arrived.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Notes the trace that the request belongs to.
    pub fn trace(&mut self, trace_id: &str) {
        self.trace_id = Some(trace_id.to_owned());
    }

    /// Notes the request's body, unpacked.
    pub fn asked(&mut self, body: &Bytes) {
        self.request_bytes = body.len() as u64;
        self.asked = HeldRequest::new(body);
    }

    /// Gives back what is held of the request, now that the provider has it: all but what is kept for an estimate, and
    /// `besides`.
    pub fn let_go(&self, besides: u64) {
        if let Some(held) = &self.held {
            held.keep(self.asked.bytes() as u64 + besides);
        }
    }

    /// Notes that what is asked for costs no tokens: a list, a file, a count, an answer that was made before.
    pub fn costs_nothing(&mut self) {
        self.free = true;
    }

    /// Takes the record of an attempt that has ended, or that the client has left.
    pub fn attempted(&self, record: AttemptRecord) {
        if let Some(result) = record.result {
            self.recorder.metrics.attempt(result);
            if let Some(series) = self.series_of(&record) {
                series.attempt(result);
            }
        }
        self.attempts.leave(record);
    }

    /// Attempts so far.
    pub fn attempts(&self) -> usize {
        self.attempts.iter().count()
    }

    /// Whom the last attempt asked.
    pub fn last_tried(&self) -> Option<&Tried> {
        self.attempts.last().map(|last| &last.tried)
    }

    /// What kept the request at the upstream key of the last attempt. None where it was not routed, or not sent.
    fn affinity(&self) -> Option<Affinity> {
        let (home, last) = (self.home.as_ref()?, self.last_tried()?);
        Some(home.affinity(&last.key.id))
    }

    /// The series of the group that `record` is of.
    fn series_of(&self, record: &AttemptRecord) -> Option<&Arc<Series>> {
        self.series.as_ref()?.of(&record.tried.group.id, self.model.as_deref())
    }

    /// How long the request waited until its first attempt.
    fn queued(&self) -> Option<Duration> {
        self.attempts.iter().map(|record| record.started - self.started).min()
    }

    /// Whether a provider works on the answer, or has done so: then it may have spent tokens that it has not reported.
    fn is_spending(&self) -> bool {
        !self.free && self.attempts.last().is_some_and(AttemptRecord::may_spend)
    }

    /// Notes that the answer's body begins to leave.
    pub fn first_byte(&mut self) {
        if self.first_byte.is_none() {
            self.first_byte = Some(self.started.elapsed());
        }
    }

    /// Notes that the client gets a head with `status`. How the answer ends is not known yet.
    pub fn answering(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// Whether all of the answer has come, whatever becomes of the connection: the model has said why it stopped, and
    /// the provider what the answer has cost. The first alone may be true of one choice among several.
    pub fn has_all(&self) -> bool {
        self.finished && self.usage.is_some()
    }

    /// Notes that the client has the whole answer.
    pub fn succeeded(&mut self) {
        self.outcome = Outcome::Success;
        self.error_code = "";
    }

    /// Notes that the client gets an error of the gateway's, or would get it if it were still there.
    pub fn failed(&mut self, error: &GatewayError) {
        self.status = error.status().as_u16();
        self.broke(error);
    }

    /// Notes that the answer ends with an error after its head has left.
    pub fn broke(&mut self, error: &GatewayError) {
        self.outcome = error.outcome();
        self.error_code = error.code();
        if let GatewayError::Limited(reached) = error {
            self.recorder.metrics.limited(reached, false);
        }
        self.unauthenticated = error.into();
        cut(&error.for_operator()).clone_into(&mut self.error_message);
    }

    /// Notes that the provider ended the answer with an error of its own. `message` holds no secret.
    pub fn provider_failed(&mut self, message: &str) {
        self.outcome = Outcome::UpstreamError;
        self.error_code = "upstream_error";
        cut(message).clone_into(&mut self.error_message);
    }

    /// The usage of the request as far as the provider reported it, the source of the final count, and what the rest is
    /// estimated from, where a provider was at work and has not reported all.
    fn counts(&mut self) -> (Usage, UsageSource, Option<Unreported>) {
        let whole = self.outcome == Outcome::Success;
        match self.usage.map(Usage::fitted) {
            Some(usage) if usage.capped => (usage, UsageSource::Capped, None),
            Some(usage) if whole || self.finished => (usage, UsageSource::Reported, None),
            // Some providers report at the beginning what went in, which is true, and what came out so far, which is
            // not all.
            Some(usage) => {
                let heard = std::mem::take(&mut self.heard);
                let unreported = Unreported {
                    asked: None,
                    heard,
                    written: usage.output,
                    estimate: Estimate::default(),
                    limits: ClientPass::default(),
                };
                (usage, UsageSource::Partial, Some(unreported))
            }
            None if self.is_spending() => {
                let asked = Some(std::mem::take(&mut self.asked));
                let heard = std::mem::take(&mut self.heard);
                let (estimate, limits) = (Estimate::default(), ClientPass::default());
                let unreported = Unreported { asked, heard, written: 0, estimate, limits };
                let source = if whole { UsageSource::Estimated } else { UsageSource::Partial };
                (Usage::default(), source, Some(unreported))
            }
            None => (Usage::default(), UsageSource::None, None),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.free {
            self.usage = None;
        }
        let closed_by_us = self.closing.as_ref().is_some_and(|closing| closing.0.is_cancelled());
        if self.outcome == Outcome::ClientGone && closed_by_us {
            self.broke(&GatewayError::Draining);
        }
        if let (Some(succeeds), Outcome::Success) = (&self.succeeds, self.outcome) {
            succeeds.store(true, Ordering::Release);
        }
        let total = self.started.elapsed();
        let authenticated = self.proxy_key.is_some();
        let logged = self.outcome != Outcome::Refused && authenticated || self.recorder.refusals.takes(authenticated);
        let first_byte_us = self.first_byte.map(micros).unwrap_or_default();
        let (usage, usage_source, mut unreported) = self.counts();
        self.recorder.metrics.request(self.api, self.outcome, first_byte_us, micros(total));
        self.recorder.metrics.tokens(&usage);
        self.settle_limits(&usage, usage_source, unreported.as_mut());
        let affinity = self.affinity();
        affinity.inspect(|affinity| self.recorder.metrics.routed(*affinity));
        let last = self.attempts.last();
        let reported = (usage_source == UsageSource::Reported).then_some(usage);
        last.zip(reported.as_ref()).inspect(|(last, usage)| last.reported(usage));
        let series = last.and_then(|last| self.series_of(last));
        if let Some(series) = series {
            series.request(self.status, &usage);
        }
        if let Some(unreported) = &mut unreported {
            unreported.estimate = self.recorder.metrics.estimate(series);
        }
        if let (Some(last), Some(table), true) = (last, &self.series, self.api.is_chat()) {
            table.took(&last.tried.group.id, self.outcome, micros(total));
        }
        if logged {
            self.log(total, reported);
        }
        if !authenticated {
            // Those who have no key must not fill the ledger, nor push out the records of those who pay.
            self.recorder.metrics.unauthenticated(self.unauthenticated);
            return;
        }
        let mut record = pb::UsageRecord {
            id: self.id.clone(),
            request_id: std::mem::take(&mut self.id),
            node_id: self.recorder.node.id.to_string(),
            snapshot_version: self.snapshot_version,
            api: self.api.name().to_owned(),
            method: cut(self.method.as_str()).to_owned(),
            path: std::mem::take(&mut self.path),
            requested_model: self.model.take().unwrap_or_default(),
            streamed: self.streamed,
            has_tools: self.has_tools,
            status: self.status.into(),
            outcome: self.outcome.into(),
            error_code: self.error_code.to_owned(),
            error_message: std::mem::take(&mut self.error_message),
            input_tokens: usage.input,
            cached_tokens: usage.cached,
            cache_write_tokens: usage.cache_write,
            cache_write_1h_tokens: usage.cache_write_1h,
            input_audio_tokens: usage.input_audio,
            input_image_tokens: usage.input_image,
            output_audio_tokens: usage.output_audio,
            output_image_tokens: usage.output_image,
            output_tokens: usage.output,
            reasoning_tokens: usage.reasoning,
            usage_source: usage_source.into(),
            attempts: self.attempts.iter().map(|record| record.written(self.started)).collect(),
            affinity: affinity.map(|affinity| affinity.name().to_owned()).unwrap_or_default(),
            started_at_ms: self.started_at_ms,
            queue_us: self.queued().map(micros).unwrap_or_default(),
            first_byte_us,
            total_us: micros(total),
            client_ip: self.client.map(|address| address.ip().to_canonical().to_string()).unwrap_or_default(),
            user_agent: user_agent(self.user_agent.as_ref()),
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            cache: self.cache.to_owned(),
            service_tier: self.tier.take().unwrap_or_default(),
            units: self.charged_units(),
            ..pb::UsageRecord::default()
        };
        if let Some(key) = self.proxy_key.take() {
            record.proxy_key_id = key.id.to_string();
            record.proxy_key_name = key.name.to_string();
            if self.home.is_some() {
                key.group_policy.as_str().clone_into(&mut record.group_policy);
            }
        }
        self.last_tried().inspect(|tried| tried.name_in(&mut record));
        self.recorder.sink.submit(record, unreported);
    }
}

fn user_agent(value: Option<&HeaderValue>) -> String {
    value.map(|value| cut(&String::from_utf8_lossy(value.as_bytes())).to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
