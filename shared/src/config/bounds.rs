//! What values a setting may have, and the error that says so.

use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;

/// The longest time that a setting may name. Nothing waits longer, and no sum of times overflows.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// A setting that makes no sense, by its key.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{key} {problem}")]
pub struct SettingError {
    /// `Section:Key`.
    pub key: &'static str,
    /// What is wrong. Holds no secret.
    pub problem: String,
}

impl SettingError {
    /// The setting `key` has this `problem`.
    pub fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self { key, problem: problem.into() }
    }
}

/// The duration that the setting `key` gives in seconds, which may be a fraction, or 0 for none.
///
/// # Errors
/// [`SettingError`] for a duration that is negative or longer than 366 days.
pub fn seconds(key: &'static str, seconds: f64) -> Result<Duration, SettingError> {
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| *duration <= LONGEST);
    duration.ok_or_else(|| {
        SettingError::new(
            key,
            format!("must be a time in seconds from 0 to {} (366 days), not {seconds}", LONGEST.as_secs()),
        )
    })
}

/// The same, for a duration that must not be 0: a millisecond at least.
///
/// # Errors
/// [`SettingError`] for a duration that is not above 0, or longer than 366 days.
pub fn positive_seconds(key: &'static str, given: f64) -> Result<Duration, SettingError> {
    let duration = seconds(key, given).ok().filter(|duration| *duration >= Duration::from_millis(1));
    duration.ok_or_else(|| {
        let longest = LONGEST.as_secs();
        SettingError::new(key, format!("must be a time in seconds from 0.001 to {longest} (366 days), not {given}"))
    })
}

/// A number of things that may wait or be open at once: 1 at least.
///
/// # Errors
/// [`SettingError`] for 0, and for a number that no queue can have.
pub fn count(key: &'static str, given: usize) -> Result<usize, SettingError> {
    let most = Semaphore::MAX_PERMITS;
    if (1..=most).contains(&given) {
        return Ok(given);
    }
    Err(SettingError::new(key, format!("must be a whole number from 1 to {most}, not {given}")))
}

/// A size in bytes: `least` at least.
///
/// # Errors
/// [`SettingError`] for a size below `least`.
pub fn bytes<T: PartialOrd + std::fmt::Display>(key: &'static str, given: T, least: T) -> Result<T, SettingError> {
    if given >= least {
        return Ok(given);
    }
    Err(SettingError::new(key, format!("must be at least {least} bytes, not {given}")))
}

/// Refuses a text that is no address to listen on with a port that others can know.
///
/// # Errors
/// [`SettingError`].
pub fn listen_address(key: &'static str, given: &str) -> Result<(), SettingError> {
    let port = given.trim().rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(1..)) => Ok(()),
        Some(Ok(0)) => Err(SettingError::new(
            key,
            format!("is {given:?}: port 0 would be another one at each start; name one from 1 to 65535"),
        )),
        _ => Err(SettingError::new(
            key,
            format!(
                "is {given:?}: it must be ADDRESS:PORT, such as 127.0.0.1:5000 or 0.0.0.0:5000, with a port from 1 to 65535"
            ),
        )),
    }
}
