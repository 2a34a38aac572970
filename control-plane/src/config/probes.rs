//! Section `Probes`: tries of upstream keys that are out.

use serde::{Deserialize, Serialize};
use shared::config::SettingError;
use shared::marks::REFUSED_FOR_MS;

/// The longest time until the first probe, in seconds: after that a refused key is tried again without.
const LONGEST: i64 = REFUSED_FOR_MS / 1000;

/// Section `Probes`: tries of upstream keys that are out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ProbeSettings {
    /// Seconds after which an upstream key that is refused, or has no money left, is tried at the latest. Each further
    /// try takes twice as long, up to twelve times as long. 0: never.
    pub after: f64,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self { after: 300.0 }
    }
}

impl ProbeSettings {
    /// The time until the first probe, in milliseconds; none where there are to be no probes.
    ///
    /// # Errors
    /// [`SettingError`] for a time that is negative, or longer than a refusal counts.
    pub fn first_ms(&self) -> Result<Option<i64>, SettingError> {
        let time = shared::config::bounds::seconds("Probes:After", self.after).ok();
        let time = time.and_then(|time| i64::try_from(time.as_millis()).ok()).filter(|time| *time <= REFUSED_FOR_MS);
        let wrong =
            || SettingError::new("Probes:After", format!("must be from 0 to {LONGEST} seconds, not {}", self.after));
        time.ok_or_else(wrong).map(|time| (time > 0).then_some(time))
    }
}
