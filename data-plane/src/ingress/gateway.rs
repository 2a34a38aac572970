//! What every request needs.

use std::sync::Arc;

use anyhow::Result;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use shared::descriptors;
use shared::telemetry::Metrics;
use tokio::sync::mpsc;

use crate::attempt::{Prober, Walker};
use crate::body::budget::BodyBudget;
use crate::cache::ResponseCache;
use crate::conversations::Conversations;
use crate::limits::RequestLimits;
use crate::media::MediaFetcher;
use crate::metrics::RequestMetrics;
use crate::node::Node;
use crate::route::current::ConfigState;
use crate::route::health::KeyState;
use crate::route::owners::Owners;
use crate::signatures::Signatures;
use crate::upstream::Upstream;
use crate::usage::UsageSink;
use crate::usage::meter::Recorder;
use crate::usage::refusals::RefusalLog;

/// Shows the series of the config in force.
#[derive(Debug)]
struct SeriesCollector(ConfigState);

impl Collector for SeriesCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        self.0.table().map_or(Ok(()), |table| table.kept.series.encode(&mut encoder))
    }
}

/// What every request needs.
#[derive(Debug)]
pub struct Gateway {
    pub(super) config: ConfigState,
    pub(super) recorder: Arc<Recorder>,
    pub(super) limits: RequestLimits,
    /// What all requests may hold.
    pub(super) budget: Arc<BodyBudget>,
    /// How many requests may be under way. Each may need a connection to a provider, and there are only so many.
    most_requests: usize,
    pub(super) attempts: Walker,
    pub(super) owners: Arc<Owners>,
    pub(super) signatures: Arc<Signatures>,
    pub(super) conversations: Arc<Conversations>,
    pub(super) media: MediaFetcher,
    pub(super) cache: Arc<ResponseCache>,
}

impl Gateway {
    /// Serves from `config`, gives usage records to `usage`, and what it learns about upstream keys to `key_states`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(
        config: ConfigState,
        usage: UsageSink,
        node: Arc<Node>,
        limits: RequestLimits,
        key_states: mpsc::Sender<KeyState>,
        metrics: &Metrics,
    ) -> Result<Arc<Self>> {
        let budget = BodyBudget::new(limits.max_bytes_in_flight);
        budget.register(metrics);
        let series = config.clone();
        metrics.register(|registry| registry.register_collector(Box::new(SeriesCollector(series))));
        let cache = ResponseCache::new(limits.max_cache_bytes, metrics);
        let metrics = RequestMetrics::register(metrics, &node);
        Ok(Arc::new(Self {
            config,
            recorder: Arc::new(Recorder { sink: usage, node, metrics, refusals: Arc::default() }),
            media: MediaFetcher::new(limits.media),
            budget,
            most_requests: descriptors::connections(),
            attempts: Walker::new(Upstream::new()?, key_states, limits.stream_idle_timeout),
            limits,
            owners: Arc::default(),
            signatures: Arc::default(),
            conversations: Arc::default(),
            cache,
        }))
    }

    /// Whether more requests are under way than there can be connections to providers.
    pub(super) fn is_crowded(&self) -> bool {
        usize::try_from(self.recorder.node.in_flight()).is_ok_and(|in_flight| in_flight > self.most_requests)
    }

    /// Asks providers what the gateway itself wants to know, over the connections of clients' requests.
    pub fn prober(&self) -> Prober {
        self.attempts.prober()
    }

    /// The answers that are kept in memory.
    pub fn cache(&self) -> Arc<ResponseCache> {
        Arc::clone(&self.cache)
    }

    /// What is logged of requests that are refused.
    pub fn refusals(&self) -> Arc<RefusalLog> {
        Arc::clone(&self.recorder.refusals)
    }
}
