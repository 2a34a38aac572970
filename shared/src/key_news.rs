//! What is observed of upstream keys, as messages of the config stream.

use crate::marks::Observed;
use crate::pb::KeyState;
use crate::pb::key_state::{Health, Pause};

/// What `message` says of a key. None where it speaks of a health that this version does not know. A pause of an
/// unknown kind is one that was stated.
pub fn observed(message: &KeyState) -> Option<Observed> {
    let (until, times) = (message.until_ms, u8::try_from(message.times).unwrap_or(u8::MAX));
    Some(match (message.health(), message.pause()) {
        (Health::Valid, _) => Observed::Worked,
        (Health::Invalid, Pause::Guessed) => Observed::Doubted { times },
        (Health::Invalid, _) => Observed::Refused { times },
        (Health::CoolingDown, Pause::Stated) => Observed::Paused { until },
        (Health::CoolingDown, Pause::Guessed) => Observed::Guessed { until, times },
        (Health::CoolingDown, Pause::Exhausted) => Observed::Exhausted { until, times },
        (Health::Unspecified, _) => return None,
    })
}

/// A message that says `observed`, and nothing else yet.
pub fn message(observed: Observed) -> KeyState {
    let (health, pause, until_ms, times) = match observed {
        Observed::Worked => (Health::Valid, Pause::Stated, 0, 0),
        Observed::Refused { times } => (Health::Invalid, Pause::Stated, 0, times),
        Observed::Doubted { times } => (Health::Invalid, Pause::Guessed, 0, times),
        Observed::Paused { until } => (Health::CoolingDown, Pause::Stated, until, 0),
        Observed::Guessed { until, times } => (Health::CoolingDown, Pause::Guessed, until, times),
        Observed::Exhausted { until, times } => (Health::CoolingDown, Pause::Exhausted, until, times),
    };
    KeyState { health: health.into(), pause: pause.into(), until_ms, times: times.into(), ..KeyState::default() }
}
