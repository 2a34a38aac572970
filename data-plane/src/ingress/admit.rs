//! The front of every API: takes a request in, finds out whose it is, and under which config it is served.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, request};
use tokio::time::Instant;
use translation::Format;

use super::gateway::Gateway;
use crate::answer::{Answer, Failure};
use crate::attempt::ClientHeaders;
use crate::auth;
use crate::body::collect::Patience;
use crate::body::receive;
use crate::cache::note::CacheNote;
use crate::error::GatewayError;
use crate::limit::estimate::{LONGEST_ANSWER, USUAL_ANSWER, tokens_of};
use crate::limit::standing::Standing;
use crate::metrics::Api;
use crate::request::Outbound;
use crate::respond::way::RouteTaken;
use crate::respond::{limits, own};
use crate::route::candidate::Candidate;
use crate::route::client::Client;
use crate::route::owners::Owner;
use crate::route::plan::{Hints, Plan};
use crate::route::table::RouteTable;
use crate::usage::meter::Meter;

/// A request that has passed this many gateways like this one goes in a circle.
const MOST_HOPS: u64 = 2;

/// How long a client lets the whole answer take, in seconds.
const TIMEOUT: &str = "x-orchestration-timeout";

/// A request that has come in and whose client is not known yet.
pub(super) struct Arrival<'g> {
    gateway: &'g Gateway,
    parts: request::Parts,
    format: Format,
    /// The config under which the request is served. None where no config has reached this node.
    table: Option<Arc<RouteTable>>,
    deadline: Instant,
    /// When the client wants the whole answer, if it says so.
    end: Option<Instant>,
    /// The id of the request, which names its answer.
    id: HeaderValue,
    notes: Mutex<Notes>,
}

/// What is noted on the way for the answer.
#[derive(Debug, Default)]
struct Notes {
    /// The way of the request so far, where answers show it.
    way: Option<RouteTaken>,
    /// What the cache was to it, where it is on.
    cache: Option<CacheNote>,
    /// How the limits of its proxy key stand, where that has any.
    standing: Option<Standing>,
}

/// A request whose client is known.
pub(super) struct Admitted<'r> {
    pub(super) gateway: &'r Gateway,
    pub(super) parts: &'r request::Parts,
    /// The format of the client's API.
    pub(super) format: Format,
    pub(super) table: &'r RouteTable,
    pub(super) client: &'r Client,
    /// The headers of the request, as far as they go upstream.
    pub(super) headers: ClientHeaders<'r>,
    /// When the answer has to begin at the latest, after all attempts.
    pub(super) deadline: Instant,
    notes: &'r Mutex<Notes>,
    /// When the client wants the whole answer, if it says so.
    end: Option<Instant>,
}

impl<'g> Arrival<'g> {
    /// Takes in a request of a client of `format`, and begins to meter it.
    pub(super) fn new(gateway: &'g Gateway, parts: request::Parts, api: Api, format: Format) -> (Self, Meter) {
        let meter = Meter::start(&gateway.recorder, api, &parts);
        let started = meter.started();
        let end = timeout(&parts.headers).ok().flatten().map(|time| started + time);
        let deadline = started + gateway.limits.request_timeout;
        let deadline = end.map_or(deadline, |end| deadline.min(end));
        let id = own::id_header(meter.request_id());
        let (table, notes) = (gateway.config.table(), Mutex::default());
        (Self { gateway, parts, format, table, deadline, end, id, notes }, meter)
    }

    /// Finds out whose the request is. What is learnt on the way is noted in `meter`.
    ///
    /// # Errors
    /// [`GatewayError`]: this node has no config yet, or too much to do, or the request carries no key that opens
    /// anything.
    pub(super) fn admit(&self, meter: &mut Meter) -> Result<Admitted<'_>, GatewayError> {
        if self.gateway.is_crowded() {
            return Err(GatewayError::Busy("it works on as many requests as it may"));
        }
        let table = self.table.as_deref().ok_or(GatewayError::NotReady)?;
        meter.snapshot_version = table.snapshot.version;
        meter.series = Some(Arc::clone(&table.series));
        meter.prices = Some(Arc::clone(&table.snapshot.prices));
        let client = auth::client(table, &self.parts, self.format)?;
        meter.proxy_key = Some(Arc::clone(&client.key));
        meter.seat = Some(self.gateway.seat(client)?);
        timeout(&self.parts.headers)?;
        Ok(Admitted {
            gateway: self.gateway,
            parts: &self.parts,
            format: self.format,
            table,
            client,
            headers: ClientHeaders::new(&self.parts, self.format),
            deadline: self.deadline,
            notes: &self.notes,
            end: self.end,
        })
    }

    /// Does the same for a request whose body is to be read. The body of a request that is refused is read and thrown
    /// away.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub(super) async fn admit_with(&self, body: Body, meter: &mut Meter) -> Result<(Admitted<'_>, Body), GatewayError> {
        let admitted = match self.admit(meter) {
            Ok(admitted) => admitted.begin(meter).await.map(|()| admitted),
            Err(refused) => Err(refused),
        };
        receive::or_discard(admitted, body).await
    }

    /// How long `answer` may take.
    pub(super) fn patience(&self, answer: &Answer) -> Patience {
        patience(self.gateway, self.deadline, self.end, answer)
    }

    /// `response` with the id of the request where its client looks for it, with the way that it took, and with what
    /// the cache was to it.
    pub(super) fn identify(&self, response: Response) -> Response {
        let Notes { way, cache, standing } =
            std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner));
        let response = cache.into_iter().fold(response, |response, note| note.shown(response));
        let response = standing.iter().fold(response, |response, now| limits::shown(response, now, self.format));
        let response = own::identified_to(self.format, response, &self.id);
        way.into_iter().fold(response, |response, way| way.shown(response))
    }
}

impl Admitted<'_> {
    /// Notes the trace that the request belongs to, and refuses it where it has come back to a gateway like this one.
    ///
    /// # Errors
    /// [`GatewayError::Loop`].
    pub(super) fn trace(&self, meter: &mut Meter) -> Result<(), GatewayError> {
        if let Some(trace_id) = self.headers.trace_id() {
            meter.trace(trace_id);
        }
        if self.headers.hops() >= MOST_HOPS { Err(GatewayError::Loop) } else { Ok(()) }
    }

    /// Refuses a request that names `further` models, where the key is limited to some. The gateway does not see which
    /// of them the provider runs.
    ///
    /// # Errors
    /// [`GatewayError::Forbidden`].
    pub(super) fn may_name(&self, further: bool) -> Result<(), GatewayError> {
        if further && !self.client.key.allowed_models.is_empty() {
            return Err(GatewayError::Forbidden("it is limited to some models, and the request names further ones"));
        }
        Ok(())
    }

    /// Takes one request of the limits of the proxy key, and waits for a seat where the key has a queue.
    ///
    /// # Errors
    /// [`GatewayError::Limited`].
    async fn begin(&self, meter: &mut Meter) -> Result<(), GatewayError> {
        let Some(limits) = &self.client.limits else { return Ok(()) };
        let begun = limits.begin(self.deadline).await;
        self.note_standing(limits.standing(None));
        meter.limits = begun.map_err(GatewayError::Limited)?;
        Ok(())
    }

    /// Takes of the limits of the proxy key, and of those that it has with `model`, what a request with this `body`
    /// has, by an estimate. Its answer may have so many tokens, where it says so.
    ///
    /// # Errors
    /// [`GatewayError::Limited`].
    pub(super) async fn reserve(
        &self,
        model: &str,
        body: &[u8],
        longest_answer: Option<u64>,
        meter: &mut Meter,
    ) -> Result<(), GatewayError> {
        let Some(limits) = &self.client.limits else { return Ok(()) };
        let answered = longest_answer.map_or(USUAL_ANSWER, |longest| longest.min(LONGEST_ANSWER));
        let reserved = limits.go_on(&mut meter.limits, model, [tokens_of(body), answered], self.deadline).await;
        self.note_standing(limits.standing(Some(model)));
        reserved.map_err(GatewayError::Limited)
    }

    /// Notes for the answer how the limits of the client stand.
    fn note_standing(&self, standing: Standing) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).standing = Some(standing);
    }

    /// Reads a body that is to be held, and has `meter` hold it.
    ///
    /// # Errors
    /// As [`receive::read`].
    pub(super) async fn read(&self, body: Body, meter: &mut Meter) -> Result<Bytes, GatewayError> {
        let held = meter.held.insert(self.gateway.budget.hold());
        receive::read(&self.parts.headers, body, &self.gateway.limits, held).await
    }

    /// Reads a body that is to be held, and notes what is asked for in `meter`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) async fn body(&self, body: Body, meter: &mut Meter) -> Result<Bytes, GatewayError> {
        let body = self.read(body, meter).await?;
        meter.asked(&body);
        Ok(body)
    }

    /// A plan for `model` that has a candidate, in the groups that the client wants.
    ///
    /// # Errors
    /// As [`Plan::asked`], [`Plan::wanted`] and [`Plan::or_none_left`].
    pub(super) fn serving(&self, model: &str) -> Result<Plan<'_>, GatewayError> {
        self.narrowed(Plan::asked(self.table, self.client, model), model)
    }

    /// `plan`, narrowed to the groups that the client wants. It has a candidate. `model` is what the request asks for.
    ///
    /// # Errors
    /// Those of `plan`, and as [`Plan::wanted`] and [`Plan::or_none_left`].
    pub(super) fn narrowed<'p>(
        &self,
        plan: Result<Plan<'p>, GatewayError>,
        model: &str,
    ) -> Result<Plan<'p>, GatewayError> {
        plan?.wanted(&self.hints())?.or_none_left(model)
    }

    /// The group that the client names for a request without a model.
    pub(super) fn pinned(&self) -> Option<&str> {
        Hints::of(&self.parts.headers).group()
    }

    /// What the client wants of the groups that serve it, where its proxy key may say so.
    pub(super) fn hints(&self) -> Hints<'_> {
        if self.client.key.routing.client_hints { Hints::of(&self.parts.headers) } else { Hints::default() }
    }

    /// Who made the object `id`, as far as this node remembers it and the client may know. The group of another client
    /// is as unknown to it as one that is gone.
    pub(super) fn owner_of(&self, id: &str) -> Option<Owner> {
        let owner = self.gateway.owners.of(id)?;
        let place = self.table.groups().iter().position(|group| group.group.id == owner.group)?;
        self.client.may_use_group(place).then_some(owner)
    }

    /// Sends `request` to the candidates of `plan` until one answers. Where all of them are out for a moment, it waits.
    ///
    /// # Errors
    /// As [`crate::attempt::Walker::ready`] and [`crate::attempt::Walker::walk`].
    pub(super) async fn walk(
        &self,
        mut plan: Plan<'_>,
        request: &dyn Outbound,
        meter: &mut Meter,
    ) -> Result<Answer, Failure> {
        self.gateway.attempts.ready(&mut plan, self.deadline).await?;
        meter.home = Some(plan.home());
        self.walk_until(self.deadline, plan, request, meter).await
    }

    /// All candidates of `plan`. Where all of them are out for a moment, it waits.
    ///
    /// # Errors
    /// As [`crate::attempt::Walker::ready`].
    pub(super) async fn candidates(&self, mut plan: Plan<'_>) -> Result<Vec<Candidate>, GatewayError> {
        self.gateway.attempts.ready(&mut plan, self.deadline).await?;
        Ok(plan.collect())
    }

    /// Sends `request` to the candidates of `plan` until one answers, `until` then at the latest.
    ///
    /// # Errors
    /// As [`crate::attempt::Walker::walk`].
    pub(super) async fn walk_until(
        &self,
        until: Instant,
        candidates: impl Iterator<Item = Candidate> + Send,
        request: &dyn Outbound,
        meter: &mut Meter,
    ) -> Result<Answer, Failure> {
        let until = self.deadline.min(until);
        let walked = self.gateway.attempts.walk(candidates, request, &self.headers, meter, until).await;
        self.note_way(meter);
        walked
    }

    /// Notes for the answer which way the request has taken so far.
    pub(super) fn note_way(&self, meter: &Meter) {
        if self.gateway.limits.route_headers {
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).way = Some(RouteTaken::of(meter));
        }
    }

    /// Notes for the answer what the cache was to the request.
    pub(super) fn note_cache(&self, note: CacheNote) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).cache = Some(note);
    }

    /// How long `answer` may take.
    pub(super) fn patience(&self, answer: &Answer) -> Patience {
        patience(self.gateway, self.deadline, self.end, answer)
    }
}

fn patience(gateway: &Gateway, deadline: Instant, end: Option<Instant>, answer: &Answer) -> Patience {
    let group = &answer.candidate.group.group;
    let end = [end, answer.end].into_iter().flatten().min();
    let whole = end.map_or(deadline, |end| deadline.min(end));
    let first = whole.min(Instant::now() + group.timeout);
    Patience { first, pause: group.routing.chunk_timeout.unwrap_or(gateway.limits.stream_idle_timeout), whole, end }
}

/// The longest time that a client can ask for. What is longer is no bound beside those of the node.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

/// How long the whole answer may take, where a client says so.
///
/// # Errors
/// [`GatewayError::Malformed`] where it is no number of seconds.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, GatewayError> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    let seconds = value.to_str().ok().and_then(|value| value.trim().parse::<f64>().ok());
    let seconds = seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    let problem = GatewayError::Malformed("the header 'x-orchestration-timeout' must be a number of seconds above 0");
    seconds.map(|seconds| Some(Duration::from_secs_f64(seconds.min(LONGEST_TIMEOUT.as_secs_f64())))).ok_or(problem)
}

/// Waits for what `asked` gives, unless the gateway is `closing` before.
///
/// # Errors
/// [`GatewayError::Draining`], and those of `asked`.
pub(super) async fn unless_closing<T>(
    closing: impl Future<Output = ()>,
    asked: Pin<&mut impl Future<Output = Result<T, Failure>>>,
) -> Result<T, Failure> {
    tokio::select! {
        asked = asked => asked,
        () = closing => Err(GatewayError::Draining.into()),
    }
}
