//! `https://models.dev/api.json`: providers with their models. `cost` is in dollars per million tokens; `tiers` of the
//! type `context`, or the older `context_over_200k`, have the rates of long contexts.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::row::{self, RateNames};
use super::{RawObject, ReadList};

const SOURCE: &str = "https://models.dev/api.json";

/// From dollars to micro-dollars.
const SHIFT: i32 = 6;

const RATES: RateNames = &[
    ("input", "input"),
    ("cache_read", "cachedInput"),
    ("cache_write", "cacheWrite5m"),
    ("input_audio", "inputAudio"),
    ("output", "output"),
    ("reasoning", "reasoning"),
    ("output_audio", "outputAudio"),
];

/// The providers of the list, and what they are called here.
const VENDORS: &[(&str, &[&str])] = &[
    ("openai", &["openai", "openai_responses"]),
    ("azure", &["azure_openai"]),
    ("anthropic", &["anthropic"]),
    ("google", &["gemini"]),
    ("google-vertex", &["vertex"]),
    ("google-vertex-anthropic", &["vertex"]),
    ("amazon-bedrock", &["bedrock"]),
    ("groq", &["groq"]),
    ("mistral", &["mistral"]),
    ("deepseek", &["deepseek"]),
    ("xai", &["xai"]),
    ("togetherai", &["together"]),
    ("fireworks-ai", &["fireworks"]),
    ("cerebras", &["cerebras"]),
    ("moonshotai", &["moonshot"]),
    ("perplexity", &["perplexity"]),
    ("alibaba", &["qwen"]),
    ("zhipuai", &["zhipu"]),
    ("openrouter", &["openrouter"]),
    ("siliconflow", &["siliconflow"]),
];

#[derive(Deserialize)]
struct Provider<'a> {
    #[serde(borrow)]
    models: BTreeMap<String, Model<'a>>,
}

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Steps<'a> {
    #[serde(borrow)]
    tiers: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    context_over_200k: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Step {
    tier: Kind,
}

#[derive(Deserialize)]
struct Kind {
    r#type: String,
    size: u64,
}

/// The list in `entries`. None where it is another one.
pub(super) fn read(entries: &BTreeMap<String, &RawValue>) -> Option<ReadList> {
    let mut list = ReadList::new("models.dev", SOURCE);
    let mut providers = 0;
    for (name, entry) in entries {
        let Ok(provider) = serde_json::from_str::<Provider<'_>>(entry.get()) else { continue };
        providers += 1;
        let Some((_, vendors)) = VENDORS.iter().find(|(known, _)| known == name) else {
            list.unknown_vendors.insert(name.clone());
            continue;
        };
        for (model, facts) in &provider.models {
            // A model without a price is none that could be read.
            if let Some(cost) = facts.cost.filter(|cost| cost.get() != "null") {
                list.take(vendors, model, &row_of(cost));
            }
        }
    }
    (providers > 0).then_some(list)
}

fn row_of(cost: &RawValue) -> Result<Value, String> {
    let read = |raw: &RawValue| -> Result<serde_json::Map<String, Value>, String> {
        let entry: RawObject<'_> = serde_json::from_str(raw.get()).map_err(|_| "cost is no object".to_owned())?;
        row::rates(&entry, RATES, "", SHIFT)
    };
    let base = row::checked(read(cost)?)?;
    let steps: Steps<'_> = serde_json::from_str(cost.get()).map_err(|error| format!("its steps: {error}"))?;
    let mut above = Vec::new();
    if let Some(tiers) = steps.tiers {
        for raw in tiers {
            let step: Step = serde_json::from_str(raw.get()).map_err(|error| format!("a step: {error}"))?;
            if step.tier.r#type != "context" {
                return Err(format!("has a step by {:?}", step.tier.r#type));
            }
            above.push((step.tier.size, raw));
        }
    } else if let Some(raw) = steps.context_over_200k {
        above.push((200_000, raw));
    }
    above.sort_by_key(|(tokens, _)| *tokens);
    let mut row = json!({ "rates": base });
    let mut all = Vec::new();
    for (tokens, raw) in above {
        let rates = row::filled(row::checked(row::filled(read(raw)?, &base))?, &base);
        all.push(json!({ "tokens": tokens, "rates": rates }));
    }
    if !all.is_empty() {
        row["above"] = Value::Array(all);
    }
    Ok(row)
}
