//! Waiting for a condition, with a deadline.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;

/// How often a condition is checked.
const PERIOD: Duration = Duration::from_millis(5);

/// Waits until `condition` has a value.
///
/// # Errors
/// When it has none within `deadline`; `what` names it.
pub async fn until<T>(what: &str, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if started.elapsed() > deadline {
            bail!("not within {deadline:?}: {what}");
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Waits until an asynchronous `condition` has a value.
///
/// # Errors
/// When it has no value within `deadline`; `what` names it.
pub async fn until_async<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return Ok(value);
        }
        if started.elapsed() > deadline {
            bail!("not within {deadline:?}: {what}");
        }
        tokio::time::sleep(PERIOD).await;
    }
}
