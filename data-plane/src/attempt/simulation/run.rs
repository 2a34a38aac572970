//! Makes a schedule happen, and looks at the end whether all has come back to rest.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request as HttpRequest};
use shared::telemetry::Metrics;
use shared::time::steady_ms;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep, timeout};
use translation::Format;
use translation::object::Object;

use super::agree::disagreements;
use super::clock::{self, EPOCH};
use super::fleet::{self, Fleet, Shared};
use super::judge::{Counts, Judge};
use super::request::{Reason, Request, candidates};
use super::schedule::{ANY, Event, MODELS, Schedule, Wanted};
use super::world::{About, Asked, Providers};
use crate::answer::Failure;
use crate::attempt::ClientHeaders;
use crate::attempt::send::simulated::inhabit;
use crate::error::GatewayError;
use crate::metrics::{Api, RequestMetrics};
use crate::node::Node;
use crate::request::{Outbound, Outgoing};
use crate::route::affinity::SessionKey;
use crate::route::candidate::Candidate;
use crate::route::client::Client;
use crate::route::plan::Plan;
use crate::upstream::Upstream;
use crate::usage::meter::{Meter, Recorder};
use crate::usage::{UsageMetrics, UsageSink};

/// What came of one simulation.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What was wrong.
    pub(super) violations: Vec<String>,
    pub(super) counts: Counts,
    /// What happened, where that was wanted.
    pub(super) notes: Vec<String>,
}

/// Simulates what follows from `seed`. `notes` says whether what happens is to be told.
pub(super) fn run(seed: u64, notes: bool) -> Outcome {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    // What the core draws is drawn from this thread's generator.
    fastrand::seed(seed);
    let outcome = LocalSet::new().block_on(&runtime, simulate(seed, notes));
    inhabit(None);
    outcome
}

async fn simulate(seed: u64, notes: bool) -> Outcome {
    clock::begin();
    let Schedule { nodes, snapshot, clients, events } = Schedule::of(seed);
    let notes = notes.then(Vec::new);
    let judge = Judge::new(snapshot.groups.len(), notes);
    let providers = Arc::new(Providers::new(seed, judge));
    inhabit(Some(Arc::new(Asked(Arc::clone(&providers)))));
    let fleet = Fleet::start(nodes, Arc::new(snapshot), &providers, upstream(), seed);
    let digests = clients.iter().map(|client| client.digest).collect();
    let stage =
        Stage { fleet, providers, digests, recorder: recorder(), under_way: Rc::default(), ends: Rc::default() };
    for (at, event) in events {
        sleep_until(at).await;
        stage.happens(event);
    }
    stage.ends().await;
    stage.recovers().await;
    stage.returns().await;
    let mut state = stage.providers.state();
    let judge = std::mem::take(&mut state.judge);
    Outcome { violations: judge.violations, counts: judge.counts, notes: judge.notes.unwrap_or_default() }
}

async fn sleep_until(at: i64) {
    sleep(Duration::from_millis(u64::try_from(at - clock::now()).unwrap_or_default())).await;
}

/// A client for providers that nobody sends with.
fn upstream() -> Upstream {
    static UPSTREAM: OnceLock<Upstream> = OnceLock::new();
    UPSTREAM.get_or_init(|| Upstream::new().expect("TLS")).another()
}

fn recorder() -> Arc<Recorder> {
    static RECORDER: OnceLock<Arc<Recorder>> = OnceLock::new();
    let recorder = RECORDER.get_or_init(|| {
        let (sink, _records) = UsageSink::channel(1, &UsageMetrics::default());
        let node = Arc::new(Node::new("n"));
        let metrics = RequestMetrics::register(&Metrics::new(), &node);
        Arc::new(Recorder { sink, node, metrics, refusals: Arc::default() })
    });
    Arc::clone(recorder)
}

/// All that there is.
struct Stage {
    fleet: Shared,
    providers: Arc<Providers>,
    digests: Vec<[u8; 32]>,
    recorder: Arc<Recorder>,
    /// Requests that are under way.
    under_way: Rc<Cell<usize>>,
    /// When what is wrong with something ends.
    ends: Rc<RefCell<BTreeMap<About, i64>>>,
}

impl Stage {
    fn asks(&self, wanted: Wanted) {
        let digest = self.digests[wanted.client];
        let serving = serve(Rc::clone(&self.fleet), Arc::clone(&self.recorder), digest, wanted);
        let under_way = Rc::clone(&self.under_way);
        under_way.set(under_way.get() + 1);
        spawn_local(async move {
            match wanted.leaves {
                None => serving.await,
                Some(after) => drop(timeout(Duration::from_millis(after), serving).await),
            }
            under_way.set(under_way.get() - 1);
        });
    }

    fn happens(&self, event: Event) {
        match event {
            Event::Request(wanted) => self.asks(wanted),
            Event::Trouble(group, trouble, lasts) => {
                self.providers.state().trouble(&group, Some(trouble));
                let providers = Arc::clone(&self.providers);
                let about = (Arc::clone(&group), "group".into());
                self.later(about, lasts, move || providers.state().trouble(&group, None));
            }
            Event::Fault(about, fault, lasts) => {
                self.providers.state().fault(about.clone(), Some(fault));
                let providers = Arc::clone(&self.providers);
                self.later(about.clone(), lasts, move || providers.state().fault(about, None));
            }
            Event::Alike(keys, fault, lasts) => {
                for key in keys {
                    self.happens(Event::Fault((key, "".into()), fault, lasts));
                }
            }
            Event::Leave(node) => {
                self.note(|| format!("node {node} leaves"));
                fleet::leave(&self.fleet, node);
            }
            Event::Restart(node) => {
                self.note(|| format!("node {node} restarts"));
                fleet::restart(&self.fleet, node);
            }
            Event::Join => {
                self.note(|| "a node joins".to_owned());
                fleet::join(&self.fleet);
            }
            Event::Cut(node, lasts) => {
                self.note(|| format!("node {node} is cut off for {lasts} ms"));
                fleet::cut(&self.fleet, node, lasts);
            }
            Event::RestartControl(lasts) => {
                self.note(|| format!("the control plane restarts within {lasts} ms"));
                fleet::restart_control(&self.fleet, lasts);
            }
            Event::Config(snapshot) => {
                self.note(|| format!("config {}", snapshot.version));
                fleet::publish(&self.fleet, snapshot);
            }
        }
    }

    fn note(&self, what: impl FnOnce() -> String) {
        self.providers.state().judge.note(what);
    }

    fn wrong(&self, what: String) {
        self.providers.state().judge.wrong(what);
    }

    /// Has `end` happen in so many milliseconds, unless something else begins to be wrong with the same before.
    fn later(&self, about: About, lasts: i64, end: impl FnOnce() + 'static) {
        let at = clock::now() + lasts;
        self.ends.borrow_mut().insert(about.clone(), at);
        let ends = Rc::clone(&self.ends);
        spawn_local(async move {
            sleep_until(at).await;
            if ends.borrow().get(&about) == Some(&at) {
                end();
            }
        });
    }

    /// Nothing more happens: all requests end, and all nodes agree about the states of keys.
    async fn ends(&self) {
        self.fleet.borrow_mut().calm_down();
        // The most patient client, and the longest answer; then the longest way of a message and of a connection.
        sleep(Duration::from_secs(80)).await;
        if self.under_way.get() > 0 {
            self.wrong(format!("{} requests do not end", self.under_way.get()));
        }
        let models = ["", MODELS[0], MODELS[1]];
        let differ = disagreements(&self.fleet.borrow(), &models);
        if !differ.is_empty() {
            self.wrong(format!("the nodes disagree: {differ:#?}"));
        }
    }

    /// Providers are well again, and requests for each group come to each node. After the longest time for which a
    /// breaker stays open, none is, nor does any test go on.
    async fn recovers(&self) {
        self.providers.state().heal();
        for second in [9, 4, 4] {
            sleep(Duration::from_secs(second)).await;
            let nodes = self.fleet.borrow().present().count();
            for (node, client) in
                (0..nodes).flat_map(|node| (ANY..self.digests.len()).map(move |client| (node, client)))
            {
                let (model, session, bad, leaves) = (MODELS[0], None, false, None);
                self.asks(Wanted { node, client, model, session, bad, patience: 4_000, answer: 0, leaves });
            }
        }
        sleep(Duration::from_secs(5)).await;
        let mut left = Vec::new();
        for (number, node) in self.fleet.borrow().present() {
            let Some(table) = node.config.table() else { continue };
            clock::on(node.ahead, || {
                for (digest, model) in self.digests.iter().flat_map(|digest| MODELS.map(|model| (digest, model))) {
                    let client = table.client(digest).expect("a client of the table");
                    for (route, key) in candidates(&table, client, model) {
                        let reason = Reason::of(&route, &key);
                        if matches!(reason, Some(Reason::Failing | Reason::Tested)) {
                            left.push(format!("node {number}: {} for {model}: {reason:?}", key.key.id));
                        }
                    }
                }
            });
        }
        if !left.is_empty() {
            self.wrong(format!("what is well is not used again: {left:?}"));
        }
    }

    /// After the longest time for which something can be left alone nothing is.
    async fn returns(&self) {
        sleep(Duration::from_hours(25)).await;
        let fleet = self.fleet.borrow();
        let mut left = Vec::new();
        for (number, node) in fleet.present() {
            let Some(table) = node.config.table() else { continue };
            clock::on(node.ahead, || {
                for (digest, model) in self.digests.iter().flat_map(|digest| MODELS.map(|model| (digest, model))) {
                    let client = table.client(digest).expect("a client of the table");
                    let all = candidates(&table, client, model).len();
                    let given = Plan::make(&table, client, model).count();
                    if given != all {
                        left.push(format!("node {number}: {given} of {all} for {model}"));
                    }
                }
                for group in table.groups() {
                    let busy = group.keys.iter().map(|key| key.load.in_flight()).sum::<u32>() + group.load.in_flight();
                    if busy > 0 {
                        left.push(format!("node {number}: {} has {busy} in flight", group.group.id));
                    }
                }
            });
        }
        drop(fleet);
        if !left.is_empty() {
            self.wrong(format!("what is well is left alone: {left:?}"));
        }
    }
}

/// A request of nothing in particular.
struct Plain;

impl Outbound for Plain {
    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        let uri = candidate.endpoint()?.uri(Format::OpenAiChat, &candidate.upstream_model, false)?;
        Ok(Outgoing::json(uri, Bytes::from_static(b"{}"), Format::OpenAiChat))
    }
}

/// The session of this number of `client`, as the client names it.
fn session(client: &Client, number: u32) -> Option<SessionKey> {
    let mut headers = HeaderMap::new();
    headers.insert("x-session-id", number.into());
    let body = Bytes::from_static(b"{}");
    SessionKey::of(&client.key.id, Format::OpenAiChat, &headers, &Object::read(&body).ok()?)
}

/// Serves a request of the client of `digest` as the ingress does, from its plan to the end of its answer.
async fn serve(fleet: Shared, recorder: Arc<Recorder>, digest: [u8; 32], wanted: Wanted) {
    let (machine, ahead, table, walker, providers) = {
        let fleet = fleet.borrow();
        let there = fleet.present().count();
        let (number, node) = fleet.present().nth(wanted.node % there).expect("a node that has not left");
        let table = node.config.table().expect("a config");
        (fleet.machine(number), node.ahead, table, Arc::clone(&node.walker), Arc::clone(&fleet.providers))
    };
    let deadline = Instant::now() + Duration::from_millis(wanted.patience);
    let number = clock::on(ahead, || {
        let patience = i64::try_from(wanted.patience).unwrap_or(i64::MAX);
        let request = Request {
            session: wanted.session,
            bad: wanted.bad,
            deadline: clock::now() + patience,
            ..Request::new(machine, &table, digest, wanted.model)
        };
        providers.state().judge.came(request)
    });
    let served = async {
        let (parts, ()) = HttpRequest::post("/v1/chat/completions").body(()).expect("a request").into_parts();
        let headers = ClientHeaders::new(&parts, Format::OpenAiChat);
        let meter = Meter::start(&recorder, Api::OpenAiChat, &parts);
        let client = table.client(&digest).expect("a client of the table");
        let walked = async {
            let mut plan = Plan::asked(&table, client, wanted.model)?.or_none_left(wanted.model)?;
            if plan.keeps_sessions() && plan.has_choice() {
                plan = plan.of_session(wanted.session.and_then(|number| session(client, number)));
            } else {
                providers.state().judge.requests[number].session = None;
            }
            walker.ready(&mut plan, deadline).await?;
            providers.state().judge.routed(number);
            walker.walk(plan, &Plain, &headers, &meter, deadline).await
        };
        let walked: Result<_, Failure> = walked.await;
        // What a node knows that has begun anew is not what this one knew.
        let same = fleet.borrow().machine(machine.0) == machine;
        match walked {
            Ok(answer) => {
                providers.state().judge.succeeded(number, &answer.candidate);
                // The attempt keeps its key busy as long as its answer comes.
                sleep(Duration::from_millis(wanted.answer)).await;
            }
            Err(failure) if same => providers.state().given_up(number, &words(&failure), meter.has_no_retry()),
            Err(_) => {}
        }
    };
    clock::serving(ahead, number, served).await;
}

fn words(failure: &Failure) -> String {
    match failure {
        Failure::Gateway(error) => error.for_operator(),
        Failure::Provider(said) => format!("status {}", said.status),
    }
}

/// The time that is shown to `act` on each machine is the one that it is meant to be.
#[test]
fn each_machine_has_a_clock_of_its_own() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        clock::begin();
        sleep(Duration::from_secs(2)).await;
        assert_eq!(clock::on(-500, steady_ms), EPOCH + 1_500);
        assert_eq!(clock::on(500, || clock::on(7, steady_ms)), EPOCH + 2_007);
    });
    assert!(steady_ms() < EPOCH);
}
