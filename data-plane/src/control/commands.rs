//! What the control plane asks a node to do.

use std::time::Instant;

use shared::pb;
use tracing::debug;

/// Answers `command`. Every command has an answer, so that the control plane does not have to wait until its deadline.
pub fn answer(command: pb::Command) -> pb::CommandResult {
    let started = Instant::now();
    debug!(command_id = command.id, "a command that this version does not serve");
    pb::CommandResult {
        id: command.id,
        ok: false,
        error: "not served by this version".to_owned(),
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or_default(),
        ..pb::CommandResult::default()
    }
}
