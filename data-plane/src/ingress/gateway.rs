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
use crate::error::GatewayError;
use crate::limits::RequestLimits;
use crate::media::MediaFetcher;
use crate::metrics::RequestMetrics;
use crate::node::Node;
use crate::node::tenants::{Seat, Tenants};
use crate::route::client::Client;
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
    /// Whose requests are under way, and how many there may be.
    tenants: Arc<Tenants>,
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
        // Each may need a connection to a provider, and there are only so many.
        let most = descriptors::connections().min(limits.max_requests_in_flight);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
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
            tenants: Tenants::new(most),
            attempts: Walker::new(Upstream::new()?, key_states, limits.stream_idle_timeout),
            limits,
            owners: Arc::default(),
            signatures: Arc::default(),
            conversations: Arc::default(),
            cache,
        }))
    }

    /// Whether more requests are under way than there may be.
    pub(super) fn is_crowded(&self) -> bool {
        self.tenants.is_full(self.recorder.node.in_flight())
    }

    /// A seat for a request of `client`.
    ///
    /// # Errors
    /// [`GatewayError::Busy`]: the node has much to do, and more of it is this client's than its share.
    pub(super) fn seat(&self, client: &Client) -> Result<Seat, GatewayError> {
        let seat = self.tenants.seat(&client.key.digest, self.recorder.node.in_flight());
        seat.ok_or(GatewayError::Busy("it has much to do, and more of that is for this key than its share"))
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
