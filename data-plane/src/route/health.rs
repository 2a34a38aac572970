//! What is known of an upstream key's health: as one node saw it ([`KeyState`]), and as this node counts it
//! ([`KeyHealth`]).

use std::sync::atomic::{AtomicI64, Ordering};

use shared::ids::Id;

/// How long a key stays out after the provider refused it, unless it is seen to work again. In milliseconds.
pub const INVALID_FOR_MS: i64 = 5 * 60 * 1000;

/// What a provider made of an upstream key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The key works.
    Valid,
    /// The provider refused the key.
    Invalid,
    /// The provider asked for a pause.
    CoolingDown,
}

impl Health {
    /// The name in log lines: that of the config stream's messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "HEALTH_VALID",
            Self::Invalid => "HEALTH_INVALID",
            Self::CoolingDown => "HEALTH_COOLING_DOWN",
        }
    }
}

/// What a node saw of an upstream key. All times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// Id of the upstream key.
    pub upstream_key_id: Id,
    /// Id of its group.
    pub group_id: Id,
    /// What the provider made of it.
    pub health: Health,
    /// The end of the pause, where the provider asked for one.
    pub until_ms: i64,
    /// The HTTP status that said so.
    pub status: u16,
    /// When it was seen.
    pub observed_at_ms: i64,
}

/// The health of one upstream key. All times are epoch milliseconds; 0 is never.
#[derive(Debug, Default)]
pub struct KeyHealth {
    /// The provider refused the key: it is not used before then.
    invalid_until: AtomicI64,
    /// The provider asked for a pause: the key is not used before then.
    cooling_until: AtomicI64,
}

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

    /// Takes in what this node or another one saw, at `now`. Says whether it changed something worth telling others.
    pub fn observe(&self, state: &KeyState, now: i64) -> bool {
        match state.health {
            Health::Invalid => self.invalid_until.swap(now + INVALID_FOR_MS, Ordering::Relaxed) <= now,
            Health::CoolingDown => self.cooling_until.fetch_max(state.until_ms, Ordering::Relaxed) < state.until_ms,
            Health::Valid => {
                let was_invalid = self.invalid_until.swap(0, Ordering::Relaxed) > now;
                self.cooling_until.swap(0, Ordering::Relaxed) > now || was_invalid
            }
        }
    }

    /// Whether the provider has refused the key since it last worked. One load: this is asked on every request.
    pub fn was_refused(&self) -> bool {
        self.invalid_until.load(Ordering::Relaxed) != 0
    }

    /// Notes that the provider accepted the key. Says whether the key was out.
    pub fn worked(&self, now: i64) -> bool {
        self.invalid_until.swap(0, Ordering::Relaxed) > now
    }
}
