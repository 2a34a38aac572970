//! What nodes tell each other of upstream keys, as messages of the config stream.

use shared::pb;
use shared::pb::key_state::Health as Word;
use shared::pb::node_message::Message as ToControl;

use crate::route::health::{Health, KeyState};

/// What another node saw. None where it speaks of a health that this version does not know.
pub(super) fn read(message: pb::KeyState) -> Option<KeyState> {
    let health = match message.health() {
        Word::Valid => Health::Valid,
        Word::Invalid => Health::Invalid,
        Word::CoolingDown => Health::CoolingDown,
        Word::Unspecified => return None,
    };
    Some(KeyState {
        upstream_key_id: message.upstream_key_id.into(),
        group_id: message.group_id.into(),
        model: message.model.into(),
        health,
        until_ms: message.until_ms,
        status: u16::try_from(message.status).unwrap_or_default(),
        observed_at_ms: message.observed_at_ms,
    })
}

/// The message that tells other nodes of `state`. The control plane knows by the stream which node it is from.
pub(super) fn write(state: &KeyState) -> ToControl {
    let health = match state.health {
        Health::Valid => Word::Valid,
        Health::Invalid => Word::Invalid,
        Health::CoolingDown => Word::CoolingDown,
    };
    let message = pb::KeyState {
        upstream_key_id: state.upstream_key_id.to_string(),
        group_id: state.group_id.to_string(),
        health: health.into(),
        until_ms: state.until_ms,
        status: state.status.into(),
        reason: String::new(),
        observed_at_ms: state.observed_at_ms,
        node_id: String::new(),
        model: state.model.to_string(),
    };
    if state.model.is_empty() { ToControl::KeyState(message) } else { ToControl::ModelKeyState(message) }
}

#[cfg(test)]
mod tests;
