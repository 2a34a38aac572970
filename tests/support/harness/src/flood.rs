//! Many requests at a rate that does not wait for answers, as the world sends them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::http::Connection;
use crate::planes::chat_request;

/// Requests of one client.
#[derive(Clone, Debug)]
pub struct Flood {
    /// Who is asked.
    pub address: SocketAddr,
    /// The value of the proxy key.
    pub key: String,
    /// The body of each request.
    pub body: Value,
    /// Requests a second.
    pub rate: u32,
    /// How many seconds of them.
    pub seconds: u32,
}

/// What became of the requests of a flood.
#[derive(Debug, Default)]
pub struct Flooded {
    /// How long answers took, by their status; the shortest first.
    pub took: BTreeMap<u16, Vec<Duration>>,
    /// The refusals (429 and 503) that do not say when to come back.
    pub without_retry_after: usize,
    /// Requests without an answer, and why.
    pub failures: Vec<String>,
}

impl Flood {
    /// Sends all of them, each when its time has come, over as many connections as that takes.
    ///
    /// # Errors
    /// When a task of this program fails.
    pub async fn send(self) -> Result<Flooded> {
        let mut tick = interval(Duration::from_secs(1) / self.rate.max(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
        let mut running = JoinSet::new();
        for _ in 0..self.rate * self.seconds {
            tick.tick().await;
            let (idle, request) = (Arc::clone(&idle), chat_request(&self.key, &self.body)?);
            let connection = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = connection.unwrap_or_else(|| Connection::to(self.address));
            running.spawn(async move {
                let sent = Instant::now();
                let answer = connection.fetch(request).await?;
                let took = sent.elapsed();
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                anyhow::Ok((answer, took))
            });
        }
        let mut flooded = Flooded::default();
        while let Some(ended) = running.join_next().await {
            match ended? {
                Ok((answer, took)) => {
                    flooded.took.entry(answer.status).or_default().push(took);
                    let refused = matches!(answer.status, 429 | 503);
                    flooded.without_retry_after += usize::from(refused && answer.header("retry-after").is_empty());
                }
                Err(error) => flooded.failures.push(format!("{error:#}")),
            }
        }
        flooded.took.values_mut().for_each(|took| took.sort_unstable());
        Ok(flooded)
    }
}

impl Flooded {
    /// How many answers had this status.
    pub fn count(&self, status: u16) -> usize {
        self.took.get(&status).map_or(0, Vec::len)
    }

    /// Within which time `percent` of 100 answers of this status came; 0 where there are none.
    pub fn within(&self, status: u16, percent: usize) -> Duration {
        let took = self.took.get(&status).map_or(&[][..], Vec::as_slice);
        took.get((took.len() * percent / 100).min(took.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}
