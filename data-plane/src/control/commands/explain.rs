//! What the plan of a request would be now.

use shared::pb;

use crate::route::current::ConfigState;
use crate::route::needs::Needs;
use crate::route::plan::Explanation;

/// The plan of the proxy key for the model that are `asked`, as JSON text.
///
/// # Errors
/// Why there is none, for people.
pub(super) fn answer(state: &ConfigState, asked: &pb::Explain) -> Result<String, String> {
    let table = state.table().ok_or("the node has no config yet")?;
    let key = table.snapshot.proxy_keys.get(&*asked.proxy_key_id);
    let client = key.and_then(|key| table.client(&key.digest)).ok_or("the node does not know the proxy key yet")?;
    let needs = Needs { tokens: asked.input_tokens, tools: asked.needs_tools, vision: asked.needs_vision };
    let session = Some(&*asked.session).filter(|session| !session.is_empty());
    let explained = Explanation::of(&table, client, &asked.model, needs, session);
    serde_json::to_string(&explained).map_err(|error| error.to_string())
}
