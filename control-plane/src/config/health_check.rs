//! Section `HealthCheck`: checks of providers, upstream keys and models on a schedule. Its keys are those of the .NET
//! program of the same name.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::SettingError;

/// The longest pause between two checks of a group: a week, in minutes.
const LONGEST_INTERVAL: u64 = 7 * 24 * 60;

/// The longest time that results are kept, in days.
const LONGEST_KEPT: u64 = 365;

/// Section `HealthCheck`: checks on a schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HealthCheckSettings {
    /// Whether groups whose `healthCheckEnabled` is true are checked on a schedule.
    pub enabled: bool,
    /// Minutes between two checks of a group.
    pub interval_minutes: u64,
    /// Days that results are kept.
    pub retention_days: u64,
}

impl Default for HealthCheckSettings {
    fn default() -> Self {
        Self { enabled: true, interval_minutes: 5, retention_days: 7 }
    }
}

impl HealthCheckSettings {
    /// The time between two checks, where there are any, and how long results are kept.
    pub fn times(&self) -> (Option<Duration>, Duration) {
        let every = Duration::from_mins(self.interval_minutes);
        (self.enabled.then_some(every), Duration::from_hours(24 * self.retention_days))
    }

    /// Refuses times that cannot be meant.
    ///
    /// # Errors
    /// [`SettingError`].
    pub(super) fn check(&self) -> Result<(), SettingError> {
        for (name, value, most) in [
            ("HealthCheck:IntervalMinutes", self.interval_minutes, LONGEST_INTERVAL),
            ("HealthCheck:RetentionDays", self.retention_days, LONGEST_KEPT),
        ] {
            if !(1..=most).contains(&value) {
                return Err(SettingError::new(name, format!("is {value}: it must be from 1 to {most}")));
            }
        }
        Ok(())
    }
}
