//! Bounds the bytes of all requests that the node holds at once: the bodies, and what becomes of them until the
//! provider has them. Whoever holds something has a [`Held`], which gives it all back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use shared::telemetry::Metrics;

use crate::error::GatewayError;

/// The bytes that the node may hold.
#[derive(Debug)]
pub struct BodyBudget {
    most: u64,
    held: AtomicU64,
    refused: Counter,
}

impl BodyBudget {
    /// A budget of `most` bytes.
    pub fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most, held: AtomicU64::new(0), refused: Counter::default() })
    }

    /// Shows in `metrics` how much is held, and how often there was no room.
    pub fn register(self: &Arc<Self>, metrics: &Metrics) {
        metrics.register(|registry| {
            registry.register_collector(Box::new(HeldGauge(Arc::clone(self))));
            let help = "Requests that were refused because the node held as many bytes of requests as it may";
            registry.register("requests_without_room", help, self.refused.clone());
        });
    }

    /// How many bytes are held now.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Begins to hold something, of which nothing has come yet.
    pub fn hold(self: &Arc<Self>) -> Held {
        Held { budget: Arc::clone(self), bytes: AtomicU64::new(0) }
    }

    /// Whether `bytes` more have room now. They are not held by asking.
    ///
    /// # Errors
    /// [`GatewayError::Busy`].
    fn has_room(&self, bytes: u64) -> Result<(), GatewayError> {
        if self.held().saturating_add(bytes) <= self.most { Ok(()) } else { Err(self.refuse()) }
    }

    fn refuse(&self) -> GatewayError {
        self.refused.inc();
        GatewayError::Busy("it holds as many bytes of requests as it may")
    }
}

/// Bytes that are held. Dropping it gives them back.
#[derive(Debug)]
pub struct Held {
    budget: Arc<BodyBudget>,
    bytes: AtomicU64,
}

impl Held {
    /// How many bytes are held.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Another part of the same request, of which nothing is held yet.
    #[must_use]
    pub fn another(&self) -> Self {
        self.budget.hold()
    }

    /// Whether `bytes` more have room now. They are not held by asking.
    ///
    /// # Errors
    /// [`GatewayError::Busy`].
    pub fn has_room(&self, bytes: u64) -> Result<(), GatewayError> {
        self.budget.has_room(bytes)
    }

    /// Holds `bytes` more.
    ///
    /// # Errors
    /// [`GatewayError::Busy`] where there is no room for them. What was held stays held.
    pub fn grow(&self, bytes: u64) -> Result<(), GatewayError> {
        let most = self.budget.most;
        let add = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= most);
        match self.budget.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(_) => Err(self.budget.refuse()),
        }
    }

    /// Holds `bytes` in all, whether that is more than before or less.
    ///
    /// # Errors
    /// As [`Self::grow`].
    pub fn set(&self, bytes: u64) -> Result<(), GatewayError> {
        let before = self.bytes();
        if bytes > before {
            return self.grow(bytes - before);
        }
        self.keep(bytes);
        Ok(())
    }

    /// Gives back all but `bytes`.
    pub fn keep(&self, bytes: u64) {
        let before = self.bytes.fetch_min(bytes, Ordering::Relaxed);
        self.budget.held.fetch_sub(before.saturating_sub(bytes), Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct HeldGauge(Arc<BodyBudget>);

impl Collector for HeldGauge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let gauge = ConstGauge::new(i64::try_from(self.0.held()).unwrap_or(i64::MAX));
        let help = "Bytes of requests that are held, and of what becomes of them until the provider has them";
        gauge.encode(encoder.encode_descriptor("request_bytes_held", help, None, gauge.metric_type())?)
    }
}

#[cfg(test)]
mod tests;
