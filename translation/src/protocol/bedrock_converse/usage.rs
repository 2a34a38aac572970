//! Token counts (Bedrock API Reference, "TokenUsage").

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ir::Usage;

/// `usage` as the provider sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    cache_details: Option<Vec<Detail>>,
}

/// What was written to the cache, by how long it stays there.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Detail {
    ttl: Option<String>,
    input_tokens: Option<u64>,
}

/// Reads `usage`. None where there is no count in it.
pub(super) fn of(raw: &RawValue) -> Option<Usage> {
    let wire: Wire = serde_json::from_str(raw.get()).ok()?;
    if wire.input_tokens.is_none() && wire.output_tokens.is_none() {
        return None;
    }
    let (input, output) = (wire.input_tokens.unwrap_or_default(), wire.output_tokens.unwrap_or_default());
    let (cached, cache_write) =
        (wire.cache_read_input_tokens.unwrap_or_default(), wire.cache_write_input_tokens.unwrap_or_default());
    let in_cache = cached.saturating_add(cache_write);
    // Anthropic counts the tokens of the cache beside `inputTokens`. The total shows where a maker counts otherwise.
    let counted = in_cache <= input && wire.total_tokens == Some(input.saturating_add(output));
    let hour = wire.cache_details.unwrap_or_default().into_iter().filter(|detail| detail.ttl.as_deref() == Some("1h"));
    let hour = hour.filter_map(|detail| detail.input_tokens).fold(0, u64::saturating_add);
    let usage = Usage {
        input: if counted { input } else { input.saturating_add(in_cache) },
        cached,
        cache_write,
        cache_write_1h: hour,
        output,
        ..Usage::default()
    };
    Some(usage.fitted())
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// The usage in a whole answer.
pub(super) fn of_answer(body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    Ok(answer.usage.and_then(of))
}
