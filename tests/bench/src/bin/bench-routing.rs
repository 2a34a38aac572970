//! Measures the routing core alone, without a socket: a decision, from the name of a model to the first candidate, and
//! the compilation of a large config. All allocations of this program are counted.

use std::alloc::System;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use clap::Parser;
use data_plane::route::affinity::SessionKey;
use data_plane::route::client::Client;
use data_plane::route::plan::Plan;
use data_plane::route::table::RouteTable;
use http::{HeaderMap, HeaderValue};
use serde_json::Map;
use shared::crypto::sha256;
use shared::snapshot::{
    BalancePolicy, Group, GroupPolicy, GroupRouting, ProxyKey, ProxyKeyRouting, Snapshot, UnsupportedParameters,
    UpstreamKey, UpstreamKeyRouting, UpstreamStream,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use translation::Format;
use translation::object::Object;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A model that all groups serve. Each of the others is served by about three.
const EVERYWHERE: &str = "everywhere";

/// How many groups serve each of the other models.
const SHARED_BY: usize = 3;

/// Measures the routing core alone.
#[derive(Clone, Copy, Debug, Parser)]
struct Arguments {
    /// Groups.
    #[arg(long, default_value_t = 500)]
    groups: usize,
    /// Upstream keys of each group.
    #[arg(long, default_value_t = 20)]
    keys: usize,
    /// Proxy keys.
    #[arg(long, default_value_t = 10_000)]
    proxy_keys: usize,
    /// Names of models.
    #[arg(long, default_value_t = 2_000)]
    models: usize,
    /// Decisions of each kind.
    #[arg(long, default_value_t = 200_000)]
    decisions: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let before = resident();
    let config_in_force = Arc::new(snapshot(&arguments, GroupPolicy::Failover, BalancePolicy::RoundRobin));
    let config = resident();
    let mut times = Vec::new();
    let mut table = RouteTable::compile(Arc::clone(&config_in_force), None);
    let compiled = resident();
    for _ in 0..10 {
        let started = Instant::now();
        // As a change of config does it: what is known is taken over.
        table = RouteTable::compile(Arc::clone(&config_in_force), Some(&table.kept));
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let first = Instant::now();
    drop(black_box(RouteTable::compile(Arc::clone(&config_in_force), None)));
    let first = first.elapsed();
    say(&format!("{arguments:?}"));
    say(&format!("compile: anew {first:.1?}, with what is known {:.1?} (median of 10)", times[5]));
    say(&format!(
        "resident memory: the config {:.1} MiB, its table {:.1} MiB more",
        config - before,
        compiled - config
    ));
    drop((table, config_in_force));

    say(&format!(
        "\n{:<12} {:<12} {:>9} {:>12} {:>10} {:>7} {:>7}",
        "groups", "keys", "affinity", "served by", "ns", "allocs", "bytes"
    ));
    for (groups, keys) in [
        (GroupPolicy::Failover, BalancePolicy::RoundRobin),
        (GroupPolicy::RoundRobin, BalancePolicy::RoundRobin),
        (GroupPolicy::Weighted, BalancePolicy::Weighted),
        (GroupPolicy::Random, BalancePolicy::Random),
        (GroupPolicy::LeastUsed, BalancePolicy::LeastUsed),
        (GroupPolicy::Latency, BalancePolicy::Latency),
    ] {
        let table = RouteTable::compile(Arc::new(snapshot_of(&arguments, groups, keys)), None);
        for (model, by) in [("model-7", SHARED_BY), (EVERYWHERE, arguments.groups)] {
            for affinity in [false, true] {
                let Figures { time, allocations, bytes } = measure(&table, model, affinity, arguments.decisions)?;
                say(&format!(
                    "{:<12} {:<12} {:>9} {by:>12} {:>10} {allocations:>7} {bytes:>7}",
                    groups.as_str(),
                    keys.as_str(),
                    if affinity { "on" } else { "off" },
                    time.as_nanos(),
                ));
            }
        }
    }
    say("\nby the number of keys of each group, failover and round_robin, affinity on, served by 3");
    for keys in [1, 20, 200] {
        let few = Arguments { keys, groups: 20, proxy_keys: 10, models: 40, ..arguments };
        let table =
            RouteTable::compile(Arc::new(snapshot(&few, GroupPolicy::Failover, BalancePolicy::RoundRobin)), None);
        let Figures { time, allocations, bytes } = measure(&table, "model-7", true, arguments.decisions)?;
        say(&format!("{keys:>4} keys: {} ns, {allocations} allocations of {bytes} bytes", time.as_nanos()));
    }
    Ok(())
}

/// What one decision costs.
#[derive(Clone, Copy, Debug)]
struct Figures {
    time: Duration,
    allocations: usize,
    bytes: usize,
}

/// Measures a decision for `model`, with or without a conversation that it belongs to.
fn measure(table: &RouteTable, model: &str, affinity: bool, decisions: usize) -> Result<Figures> {
    let client = table.client(&digest(3)).context("a client")?;
    let sessions: Vec<SessionKey> = (0..256).filter_map(|number| session(client, number)).collect();
    let of = |number: usize| affinity.then(|| sessions.get(number % sessions.len()).copied()).flatten();
    for number in 0..decisions / 10 {
        decide(table, client, model, of(number))?;
    }
    let region = Region::new(ALLOCATOR);
    let started = Instant::now();
    for number in 0..decisions {
        decide(table, client, model, of(number))?;
    }
    let time = started.elapsed() / u32::try_from(decisions)?;
    let change = region.change();
    Ok(Figures { time, allocations: change.allocations / decisions, bytes: change.bytes_allocated / decisions })
}

/// One decision, as the ingress and the walk make it.
fn decide(table: &RouteTable, client: &Client, model: &str, session: Option<SessionKey>) -> Result<()> {
    let mut plan = Plan::asked(table, client, model)?.or_none_left(model)?;
    if session.is_some() && plan.keeps_sessions() && plan.has_choice() {
        plan = plan.of_session(session);
    }
    if plan.all_out(plan.time()).is_none() {
        black_box(plan.home());
        black_box(plan.next().context("a candidate")?);
    }
    Ok(())
}

fn session(client: &Client, number: u32) -> Option<SessionKey> {
    let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-session-id"), HeaderValue::from(number))]);
    let body = Bytes::from_static(b"{}");
    SessionKey::of(&client.key.id, Format::OpenAiChat, &headers, &Object::read(&body).ok()?)
}

fn snapshot_of(arguments: &Arguments, groups: GroupPolicy, keys: BalancePolicy) -> Snapshot {
    // The client that is measured is enough.
    snapshot(&Arguments { proxy_keys: 10, ..*arguments }, groups, keys)
}

fn snapshot(arguments: &Arguments, group_policy: GroupPolicy, balance_policy: BalancePolicy) -> Snapshot {
    let groups = (0..arguments.groups).map(|number| group(arguments, number, balance_policy));
    let keys = (0..arguments.proxy_keys).map(|number| proxy_key(number, group_policy));
    Snapshot {
        version: 1,
        epoch: "e".into(),
        lineage: "l".into(),
        error_rules: Arc::default(),
        groups: groups.map(|group| (Arc::clone(&group.id), Arc::new(group))).collect(),
        proxy_keys: keys.map(|key| (Arc::clone(&key.id), Arc::new(key))).collect(),
        prices: Arc::default(),
    }
}

fn digest(number: usize) -> [u8; 32] {
    sha256(format!("sk-{number}").as_bytes())
}

/// An id as the control plane makes them.
fn id(kind: u16, number: usize) -> Arc<str> {
    format!("0198a2b4-{kind:04x}-7c3e-9d21-{number:012x}").into()
}

fn group(arguments: &Arguments, number: usize, balance_policy: BalancePolicy) -> Group {
    let mut models: Vec<Arc<str>> = vec![EVERYWHERE.into()];
    let own = (0..arguments.models - 1)
        .filter(|model| (0..SHARED_BY).any(|place| (model * SHARED_BY + place * 7) % arguments.groups == number));
    models.extend(own.map(|model| format!("model-{model}").into()));
    let key = |key: usize| {
        Arc::new(UpstreamKey {
            id: id(2, number * 10_000 + key),
            masked: format!("sk-{key:04}****{number:04}").into(),
            secret: format!("sk-upstream-{number:06}-{key:06}-0123456789abcdef0123456789abcdef").into(),
            enabled: true,
            routing: UpstreamKeyRouting::default(),
        })
    };
    Group {
        id: id(1, number),
        name: format!("group-{number}").into(),
        provider_type: "openai".into(),
        base_url: format!("https://provider-{number}.example.com/v1").into(),
        upstream_keys: (0..arguments.keys).map(key).collect(),
        models,
        model_aliases: BTreeMap::new(),
        parameter_defaults: Map::new(),
        parameter_overrides: Map::new(),
        headers: BTreeMap::new(),
        balance_policy,
        retry_count: 3,
        timeout: Duration::from_mins(1),
        rpm_limit: 0,
        test_model: None,
        priority: 0,
        enabled: true,
        upstream_stream: UpstreamStream::default(),
        unsupported_parameters: UnsupportedParameters::default(),
        model_facts: Map::new(),
        api_version: None,
        health_check_enabled: true,
        outbound_proxy: None,
        routing: GroupRouting::default(),
    }
}

fn proxy_key(number: usize, group_policy: GroupPolicy) -> ProxyKey {
    ProxyKey {
        id: id(3, number),
        name: format!("application-{number}").into(),
        digest: digest(number),
        enabled: true,
        allowed_groups: Vec::new(),
        allowed_models: Vec::new(),
        group_policy,
        group_weights: BTreeMap::new(),
        rpm_limit: 0,
        tpm_limit: 0,
        concurrency_limit: 0,
        expires_at_ms: None,
        routing: ProxyKeyRouting::default(),
    }
}

/// The resident memory of this process in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim_end_matches("kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn say(line: &str) {
    println!("{line}");
}
