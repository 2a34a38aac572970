//! What was learnt about an upstream key while serving. Kept over config changes, by the key's id.

use std::sync::atomic::{AtomicI64, Ordering};

use shared::pb;
use shared::pb::key_state::Health;

/// The health of one upstream key. All times are epoch milliseconds; 0 is never.
#[derive(Debug, Default)]
pub struct KeyHealth {
    /// The provider refused the key: not to be used before then.
    invalid_until: AtomicI64,
    /// The provider asked for a pause: not to be used before then.
    cooling_until: AtomicI64,
}

/// How long a key stays out after the provider refused it, unless it is seen to work again. In milliseconds.
pub const INVALID_FOR_MS: i64 = 5 * 60 * 1000;

/// Why a key is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unhealthy {
    /// The provider refused it.
    Invalid,
    /// The provider asked for a pause.
    CoolingDown,
}

impl KeyHealth {
    /// Whether the key may be used at `now`, and why not.
    pub fn at(&self, now: i64) -> Result<(), Unhealthy> {
        if self.invalid_until.load(Ordering::Relaxed) > now {
            Err(Unhealthy::Invalid)
        } else if self.cooling_until.load(Ordering::Relaxed) > now {
            Err(Unhealthy::CoolingDown)
        } else {
            Ok(())
        }
    }

    /// Takes in an observation, one's own or another node's, at `now`. Says whether it changed something worth telling
    /// others.
    pub fn observe(&self, state: &pb::KeyState, now: i64) -> bool {
        match state.health() {
            Health::Invalid => self.invalid_until.swap(now + INVALID_FOR_MS, Ordering::Relaxed) <= now,
            Health::CoolingDown => self.cooling_until.fetch_max(state.until_ms, Ordering::Relaxed) < state.until_ms,
            Health::Valid => {
                let was_invalid = self.invalid_until.swap(0, Ordering::Relaxed) > now;
                self.cooling_until.swap(0, Ordering::Relaxed) > now || was_invalid
            }
            Health::Unspecified => false,
        }
    }

    /// Whether the provider has refused the key since it last worked. One load: this is asked on every request.
    pub fn was_refused(&self) -> bool {
        self.invalid_until.load(Ordering::Relaxed) != 0
    }

    /// Notes that the provider accepted the key. Says whether it was out.
    pub fn worked(&self, now: i64) -> bool {
        self.invalid_until.swap(0, Ordering::Relaxed) > now
    }
}
