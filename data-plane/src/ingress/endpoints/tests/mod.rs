//! Tests of the endpoints beside chat, over real sockets to fake providers.

mod counts;
mod embeddings;
mod json;
mod named;
mod objects;
mod responses;
mod uploads;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use fake_provider::FakeProvider;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use shared::pb;
use shared::snapshot::{Group, ProxyKey};
use shared::telemetry::Metrics;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::ingress::{Gateway, router};
use crate::limits::RequestLimits;
use crate::node::Node;
use crate::route::current::ConfigState;
use crate::route::fixtures::{group, key, snapshot};
use crate::route::health::KeyState;
use crate::route::table::RouteTable;
use crate::usage::{UsageMetrics, UsageQueue, UsageSink};

/// A provider for each group, and two nodes that share nothing but config.
struct Bench {
    providers: Vec<FakeProvider>,
    nodes: Vec<axum::Router>,
    records: UsageQueue,
    key_states: mpsc::Receiver<KeyState>,
}

/// Starts a bench with groups of those names and vendors, in that order of priority.
async fn bench(groups: &[(&str, &str)], change: impl Fn(&mut Group, &mut ProxyKey, &mut RequestLimits)) -> Bench {
    bench_with(groups, change, []).await
}

/// The same with `further` proxy keys.
async fn bench_with(
    groups: &[(&str, &str)],
    change: impl Fn(&mut Group, &mut ProxyKey, &mut RequestLimits),
    further: impl IntoIterator<Item = ProxyKey>,
) -> Bench {
    let mut providers = Vec::new();
    let mut configured = Vec::new();
    let mut key = key("k", "sk-client");
    let mut limits = RequestLimits::default();
    for (at, (name, vendor)) in groups.iter().enumerate() {
        let provider = FakeProvider::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let mut group = group(name, &["m", "dall-e-2", "omni-moderation-latest"]);
        group.provider_type = (*vendor).into();
        group.base_url = if vendor.starts_with("openai") { provider.base_url() } else { provider.origin() }.into();
        group.priority = -i32::try_from(at).unwrap();
        group.model_aliases.insert("alias".into(), "upstream-m".into());
        change(&mut group, &mut key, &mut limits);
        configured.push(group);
        providers.push(provider);
    }
    let (sink, records) = UsageSink::channel(1000, &UsageMetrics::default());
    let (sender, key_states) = mpsc::channel(10);
    let snapshot = Arc::new(snapshot(configured, std::iter::once(key).chain(further)));
    let node = |name: &str| {
        let config = ConfigState::default();
        config.replace(RouteTable::compile(Arc::clone(&snapshot), None));
        let node = Arc::new(Node::new(name));
        let (sink, sender) = (sink.clone(), sender.clone());
        router(Gateway::new(config, sink, node, limits.clone(), sender, &Metrics::new()).unwrap(), None)
    };
    Bench { providers, nodes: vec![node("n0"), node("n1")], records, key_states }
}

async fn plain(groups: &[(&str, &str)]) -> Bench {
    bench(groups, |_, _, _| {}).await
}

/// What a client got.
struct Got {
    status: u16,
    content_type: String,
    body: Bytes,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: {}", self.status, self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("{}: {}", self.status, self.text())).to_owned()
    }
}

impl Bench {
    async fn raw(&self, node: usize, request: Request<Body>) -> Response {
        let response = self.nodes[node].clone().oneshot(request).await.unwrap();
        assert!(response.headers().contains_key("x-request-id"));
        response
    }

    async fn send(&self, node: usize, request: Request<Body>) -> Got {
        let response = self.raw(node, request).await;
        let status = response.status().as_u16();
        let content_type =
            response.headers().get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Got { status, content_type, body }
    }

    async fn post(&self, path: &str, body: &Value) -> Got {
        self.send(0, post(path, body)).await
    }

    async fn call(&self, node: usize, method: Method, path: &str) -> Got {
        self.send(node, request(method, path).body(Body::empty()).unwrap()).await
    }

    async fn get(&self, node: usize, path: &str) -> Got {
        self.call(node, Method::GET, path).await
    }

    /// The one usage record of the previous request.
    fn record(&mut self) -> pb::UsageRecord {
        let record = self.records.try_recv().expect("one record").counted();
        assert!(self.records.try_recv().is_none(), "one record and no more");
        record
    }

    /// The requests that each provider got, as method and path.
    fn asked(&self) -> Vec<Vec<String>> {
        let of = |provider: &FakeProvider| {
            provider.journal().requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
        };
        self.providers.iter().map(of).collect()
    }

    fn forget(&mut self) {
        for provider in &self.providers {
            provider.journal().clear();
        }
        while self.records.try_recv().is_some() {}
    }
}

fn request(method: Method, path: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path).header("authorization", "Bearer sk-client");
    if path.contains("messages") {
        request.header("anthropic-version", "2023-06-01").header("x-api-key", "sk-client")
    } else {
        request
    }
}

fn post(path: &str, body: &Value) -> Request<Body> {
    request(Method::POST, path).header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}
