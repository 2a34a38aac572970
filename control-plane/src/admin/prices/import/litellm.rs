//! `model_prices_and_context_window.json` of LiteLLM: models, mostly with their provider in front. Prices are in
//! dollars a token, or a piece. Names that end in `_above_200k_tokens` have the rates of long contexts, and in `_flex`,
//! `_priority` and `_batches` those of tiers of service.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::row::{self, RateNames};
use super::{RawObject, ReadList, decimal};

const SOURCE: &str = "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json";

/// From dollars a token to micro-dollars a million tokens.
const TOKENS: i32 = 12;

/// From dollars to micro-dollars.
const PIECES: i32 = 6;

const RATES: RateNames = &[
    ("input_cost_per_token", "input"),
    ("cache_read_input_token_cost", "cachedInput"),
    ("cache_creation_input_token_cost", "cacheWrite5m"),
    ("input_cost_per_audio_token", "inputAudio"),
    ("input_cost_per_image_token", "inputImage"),
    ("output_cost_per_token", "output"),
    ("output_cost_per_reasoning_token", "reasoning"),
    ("output_cost_per_audio_token", "outputAudio"),
    ("output_cost_per_image_token", "outputImage"),
];

const WRITE_1H: &str = "cache_creation_input_token_cost_above_1hr";

/// Prices by the piece, which count where there are none of tokens. Beside those they say the same in another way.
const UNITS: RateNames =
    &[("output_cost_per_image", "image"), ("input_cost_per_second", "second"), ("input_cost_per_query", "rerank")];

const TIERS: &[(&str, &str)] = &[("_flex", "flex"), ("_priority", "priority"), ("_batches", "batch")];

/// The providers of the list, and what they are called here. All that begin with `vertex_ai` are one.
const VENDORS: &[(&str, &[&str])] = &[
    ("openai", &["openai", "openai_responses"]),
    ("text-completion-openai", &["openai", "openai_responses"]),
    ("azure", &["azure_openai"]),
    ("anthropic", &["anthropic"]),
    ("gemini", &["gemini"]),
    ("bedrock", &["bedrock"]),
    ("bedrock_converse", &["bedrock"]),
    ("groq", &["groq"]),
    ("mistral", &["mistral"]),
    ("deepseek", &["deepseek"]),
    ("xai", &["xai"]),
    ("together_ai", &["together"]),
    ("fireworks_ai", &["fireworks"]),
    ("cerebras", &["cerebras"]),
    ("moonshot", &["moonshot"]),
    ("perplexity", &["perplexity"]),
    ("dashscope", &["qwen"]),
    ("zai", &["zhipu"]),
    ("openrouter", &["openrouter"]),
    ("siliconflow", &["siliconflow"]),
];

/// Entries that are no models.
const OTHERS: &[&str] = &["sample_spec", "fallback_generalizations"];

/// The list in `entries`. None where it is another one.
pub(super) fn read(entries: &BTreeMap<String, &RawValue>) -> Option<ReadList> {
    let mut list = ReadList::new("litellm", SOURCE);
    let mut models = 0;
    for (name, entry) in entries.iter().filter(|(name, _)| !OTHERS.contains(&&***name)) {
        let Ok(entry) = serde_json::from_str::<RawObject<'_>>(entry.get()) else { continue };
        let provider = entry.get("litellm_provider").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let Some(provider) = provider else { continue };
        models += 1;
        let vendors: Option<&[&str]> = if provider.starts_with("vertex_ai") {
            Some(&["vertex"])
        } else {
            VENDORS.iter().find(|(known, _)| *known == provider).map(|(_, vendors)| *vendors)
        };
        let Some(vendors) = vendors else {
            list.unknown_vendors.insert(provider);
            continue;
        };
        let prefixes = [provider.as_str(), "vertex_ai", "bedrock"];
        let bare = name.split_once('/').filter(|(first, _)| prefixes.contains(first)).map_or(&**name, |(_, rest)| rest);
        list.take(vendors, bare, &row_of(&entry));
    }
    (models > 0).then_some(list)
}

fn row_of(entry: &RawObject<'_>) -> Result<Value, String> {
    let base = row::rates(entry, RATES, "", TOKENS)?;
    if !base.contains_key("input") {
        return by_the_piece(entry);
    }
    let mut base = row::checked(base)?;
    if let Some(rate) = entry.get(WRITE_1H).and_then(|raw| decimal::shifted(raw.get(), TOKENS)).filter(|rate| *rate > 0)
    {
        base.insert("cacheWrite1h".to_owned(), json!(rate));
    }
    let mut row = json!({ "rates": base });
    let mut above = Vec::new();
    for thousands in steps(entry) {
        let rates = row::rates(entry, RATES, &format!("_above_{thousands}k_tokens"), TOKENS)?;
        let rates = row::filled(row::checked(row::filled(rates, &base))?, &base);
        above.push(json!({ "tokens": thousands * 1_000, "rates": rates }));
    }
    if !above.is_empty() {
        row["above"] = Value::Array(above);
    }
    for (suffix, tier) in TIERS {
        let rates = row::rates(entry, RATES, suffix, TOKENS)?;
        if rates.contains_key("input") {
            let rates = row::filled(row::checked(rates)?, &base);
            row["tiers"][*tier] = json!({ "rates": rates });
        }
    }
    Ok(row)
}

/// Beyond how many thousands of tokens in there are other rates, in ascending order.
fn steps(entry: &RawObject<'_>) -> BTreeSet<u64> {
    let thousands = |name: &&str| {
        let rest = name.strip_prefix("input_cost_per_token_above_")?;
        rest.strip_suffix("k_tokens")?.parse().ok().filter(|thousands| *thousands <= 1_000_000)
    };
    entry.keys().filter_map(thousands).collect()
}

fn by_the_piece(entry: &RawObject<'_>) -> Result<Value, String> {
    let mut units = row::rates(entry, UNITS, "", PIECES)?;
    units.retain(|_, rate| *rate != json!(0));
    if units.is_empty() { Err("has no price that is known here".to_owned()) } else { Ok(json!({ "units": units })) }
}
