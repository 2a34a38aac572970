//! What other families left in items that a client sends to OpenAI itself.

use super::super::foreign::{Cleaning, Own};
use super::super::raw::RawObject;
use crate::names::RESPONSES_IDS;

/// The longest id of an item, in bytes.
const LONGEST_ID: usize = 64;

/// How a client's input is cleaned.
pub(super) const CLEANING: Cleaning = Cleaning {
    fields: &[
        "reasoning_content",
        "reasoning_details",
        "thinking",
        "thinking_blocks",
        "signature",
        "thought_signature",
        "provider_specific_fields",
        "extra_content",
        "cache_control",
    ],
    ids: Some(RESPONSES_IDS),
    id_fields: &["call_id"],
    inner: &["content"],
    own,
};

/// OpenAI looks up thoughts by their id unless it has encrypted them, and demands ids that begin as it makes them.
fn own(item: &RawObject<'_>) -> Own {
    let Some(id) = item.string("id") else { return Own::Keep };
    let begin = match item.string("type").as_deref() {
        Some("reasoning") => "rs",
        Some("function_call") => "fc",
        Some("custom_tool_call") => "ctc",
        Some("message") => "msg",
        _ => "",
    };
    let wrong = !id.starts_with(begin) || id.len() > LONGEST_ID;
    let encrypted = || item.string("encrypted_content").is_some_and(|content| !content.is_empty());
    match begin {
        "rs" if (wrong || is_gateways(&id)) && !encrypted() => Own::Remove,
        _ if wrong => Own::RemoveId,
        _ => Own::Keep,
    }
}

/// Whether the gateway made the id, for an item of a provider that has none: see the encoder's `next`.
fn is_gateways(id: &str) -> bool {
    let mut pieces = id.splitn(3, '_').skip(1);
    let (answer, number) = (pieces.next().unwrap_or_default(), pieces.next().unwrap_or_default());
    answer.len() == 24
        && answer.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}
