//! What nodes tell each other of upstream keys, as messages of the config stream.

use shared::key_news;
use shared::pb;
use shared::pb::node_message::Message as ToControl;

use crate::route::health::{Health, KeyState};

/// What another node saw. None where it speaks of a health that this version does not know.
pub(super) fn read(message: pb::KeyState) -> Option<KeyState> {
    let observed = key_news::observed(&message)?;
    let state = KeyState {
        upstream_key_id: message.upstream_key_id.into(),
        group_id: message.group_id.into(),
        model: message.model.into(),
        health: Health::Valid,
        until_ms: 0,
        times: 0,
        status: u16::try_from(message.status).unwrap_or_default(),
        reason: message.reason.into(),
        observed_at_ms: message.observed_at_ms,
    };
    Some(state.with(observed))
}

/// What is written of `state`.
pub(super) fn message(state: &KeyState) -> pb::KeyState {
    pb::KeyState {
        upstream_key_id: state.upstream_key_id.to_string(),
        group_id: state.group_id.to_string(),
        status: state.status.into(),
        reason: state.reason.to_string(),
        observed_at_ms: state.observed_at_ms,
        model: state.model.to_string(),
        ..key_news::message(state.observed())
    }
}

/// The message that tells other nodes of `state`. The control plane knows by the stream which node it is from.
pub(super) fn write(state: &KeyState) -> ToControl {
    let message = message(state);
    if state.model.is_empty() { ToControl::KeyState(message) } else { ToControl::ModelKeyState(message) }
}

#[cfg(test)]
mod tests;
