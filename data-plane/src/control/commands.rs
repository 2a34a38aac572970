//! What the control plane asks a node to do.
//!
//! - `explain`: what the plan of a request would be.

mod explain;

use std::time::Instant;

use shared::pb;
use shared::pb::command::Command;
use tracing::debug;

use crate::route::current::ConfigState;

/// Answers `command` under the config of `state`. Every command has an answer, so that the control plane does not have
/// to wait until its deadline.
pub fn answer(state: &ConfigState, command: pb::Command) -> pb::CommandResult {
    let started = Instant::now();
    let outcome = if let Some(Command::Explain(asked)) = command.command {
        explain::answer(state, &asked)
    } else {
        debug!(command_id = command.id, "a command that this version does not serve");
        Err("not served by this version".to_owned())
    };
    let (ok, result_json, error) = match outcome {
        Ok(result) => (true, result, String::new()),
        Err(error) => (false, String::new(), error),
    };
    pb::CommandResult {
        id: command.id,
        ok,
        error,
        result_json,
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or_default(),
        ..pb::CommandResult::default()
    }
}
