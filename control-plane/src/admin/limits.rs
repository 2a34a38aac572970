//! How much a proxy key, a group or an upstream key may take, as it is written and shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use shared::snapshot::{
    HEAVIEST_TOKEN, LARGEST_AMOUNT, LONGEST_LIMIT_QUEUE, LONGEST_LIMIT_WAIT, LimitMode, LimitQueue, LimitRaise,
    LimitSpan, LimitUnit, LimitWindow, ModelLimits, RAISES, SubjectLimits, TokenWeights, validate_pattern,
};
use utoipa::ToSchema;

use super::bounds::MODEL_BYTES;
use crate::web::fields::{Fields, Known, kind, text_problem};

const WINDOW_FIELDS: &[Known] = &[Known::new("unit"), Known::new("window"), Known::new("amount")];
const MODEL_FIELDS: &[Known] = &[Known::new("limits"), Known::also("concurrencyLimit", &["concurrency"])];
const WEIGHT_FIELDS: &[Known] = &[Known::new("cached"), Known::new("output"), Known::new("reasoning")];
const QUEUE_FIELDS: &[Known] = &[Known::new("length"), Known::new("waitMs")];
const RAISE_FIELDS: &[Known] = &[Known::new("percent"), Known::new("until")];

/// The most models that a proxy key has limits of their own for.
const MOST_MODELS: usize = 100;

/// How much may be taken within any minute, hour or day.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitWindowBody {
    /// What is counted: `requests` or `tokens`.
    #[schema(value_type = String, example = "tokens")]
    pub unit: &'static str,
    /// Length of the window: `minute`, `hour` or `day` (24 hours).
    #[schema(value_type = String, example = "day")]
    pub window: &'static str,
    /// The most that any window may hold.
    #[schema(minimum = 1, maximum = 1_099_511_627_775_u64, example = 1_000_000)]
    pub amount: u64,
}

/// How much a proxy key may take with one model.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelLimitsBody {
    /// Windows of requests and tokens, each kind once.
    #[schema(required = false)]
    pub limits: Vec<LimitWindowBody>,
    /// Requests in flight; 0 means no limit. Also accepted as `concurrency`.
    #[schema(required = false, default = 0)]
    pub concurrency_limit: u32,
}

/// How much each kind of token counts, in thousandths.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenWeightsBody {
    /// A token of the request that the provider had in its cache.
    #[schema(required = false, default = 1000, maximum = 1_000_000)]
    pub cached: u32,
    /// A token of the answer that is no thought.
    #[schema(required = false, default = 1000, maximum = 1_000_000)]
    pub output: u32,
    /// A token of the answer that is a thought.
    #[schema(required = false, default = 1000, maximum = 1_000_000)]
    pub reasoning: u32,
}

/// How requests wait where as many are in flight as may be.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConcurrencyQueueBody {
    /// How many may wait.
    #[schema(minimum = 1, maximum = 10_000)]
    pub length: u32,
    /// Milliseconds that each may wait.
    #[schema(minimum = 1, maximum = 60_000)]
    pub wait_ms: u32,
}

/// Another amount of each window until a date.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitRaiseBody {
    /// How much of each amount there is until then, in percent.
    #[schema(minimum = 100, maximum = 100_000, example = 200)]
    pub percent: u32,
    /// End of the raise: epoch milliseconds, or RFC 3339 text.
    pub until: i64,
}

/// Limits as they are shown.
pub(super) struct ShownLimits {
    pub(super) limits: Vec<LimitWindowBody>,
    pub(super) concurrency_limit: u32,
    pub(super) limit_mode: &'static str,
    pub(super) token_weights: TokenWeightsBody,
    pub(super) model_limits: BTreeMap<String, ModelLimitsBody>,
    pub(super) concurrency_queue: Option<ConcurrencyQueueBody>,
    pub(super) raise: Option<LimitRaiseBody>,
}

impl ShownLimits {
    pub(super) fn of(limits: Option<&SubjectLimits>) -> Self {
        let none = SubjectLimits::default();
        let limits = limits.unwrap_or(&none);
        let TokenWeights { cached, output, reasoning } = limits.weights;
        let of_model = |(model, of): (&Arc<str>, &ModelLimits)| {
            let shown = ModelLimitsBody { limits: shown(&of.windows), concurrency_limit: of.concurrency };
            (model.to_string(), shown)
        };
        let queue = Some(limits.queue).filter(|queue| queue.length > 0);
        Self {
            limits: shown(&limits.windows),
            concurrency_limit: limits.concurrency,
            limit_mode: limits.mode.as_str(),
            token_weights: TokenWeightsBody { cached, output, reasoning },
            model_limits: limits.models.iter().map(of_model).collect(),
            concurrency_queue: queue.map(|LimitQueue { length, wait_ms }| ConcurrencyQueueBody { length, wait_ms }),
            raise: limits.raise.map(|LimitRaise { percent, until_ms }| LimitRaiseBody { percent, until: until_ms }),
        }
    }
}

fn shown(windows: &[LimitWindow]) -> Vec<LimitWindowBody> {
    let shown = |window: &LimitWindow| LimitWindowBody {
        unit: window.unit.as_str(),
        window: window.window.as_str(),
        amount: window.amount,
    };
    windows.iter().map(shown).collect()
}

/// Reads `limits`, `limitMode`, `tokenWeights`, `concurrencyQueue` and `raise`, and `modelLimits` of a proxy key. What
/// `fields` leaves out stays as it was `before`. How many requests may be in flight is the caller's to read.
pub(super) fn read_limits(fields: &mut Fields, before: Option<&SubjectLimits>) -> SubjectLimits {
    let mut limits = before.cloned().unwrap_or_default();
    if fields.has("limits") {
        limits.windows = read_windows(fields, "limits");
    }
    if fields.has("limitMode") {
        limits.mode = fields.name_of("limitMode", LimitMode::NAMES, LimitMode::from_name).unwrap_or_default();
    }
    if fields.has("tokenWeights") {
        limits.weights = read_weights(fields);
    }
    if fields.has("modelLimits") {
        limits.models = read_models(fields);
    }
    if fields.has("concurrencyQueue") {
        limits.queue = read_queue(fields);
    }
    if fields.has("raise") {
        limits.raise = read_raise(fields);
    }
    limits
}

/// The object in the field `name`.
fn object(fields: &mut Fields, name: &str, known: &[Known]) -> Option<Fields> {
    let given = fields.object(name)?;
    Some(fields.nested(name, given, known))
}

fn count(fields: &mut Fields, name: &str, least: u32, most: u32) -> Option<u32> {
    fields.integer(name, least.into(), most.into()).and_then(|count| u32::try_from(count).ok())
}

fn read_windows(fields: &mut Fields, name: &str) -> Vec<LimitWindow> {
    let mut windows: Vec<LimitWindow> = Vec::new();
    for (index, value) in fields.list(name).unwrap_or_default().into_iter().enumerate() {
        let place = format!("{name}[{index}]");
        let Value::Object(entry) = value else {
            fields.error(&place, format!("must be an object, not {}", kind(&value)));
            continue;
        };
        let mut entry = fields.nested(&place, entry, WINDOW_FIELDS);
        for required in ["unit", "window", "amount"] {
            if !entry.has(required) {
                entry.error(required, "is required");
            }
        }
        let unit = entry.name_of("unit", LimitUnit::NAMES, LimitUnit::from_name).unwrap_or_default();
        let window = entry.name_of("window", LimitSpan::NAMES, LimitSpan::from_name).unwrap_or_default();
        let most = i64::try_from(LARGEST_AMOUNT).unwrap_or(i64::MAX);
        let amount = entry.integer("amount", 1, most).and_then(|amount| u64::try_from(amount).ok());
        if entry.is_fine() && windows.iter().any(|known| (known.unit, known.window) == (unit, window)) {
            entry.error("window", "is limited for this unit by an entry before this one");
        }
        windows.push(LimitWindow { unit, window, amount: amount.unwrap_or(1) });
        fields.absorb(entry);
    }
    windows
}

fn read_weights(fields: &mut Fields) -> TokenWeights {
    let Some(mut given) = object(fields, "tokenWeights", WEIGHT_FIELDS) else { return TokenWeights::default() };
    let mut weight = |name| count(&mut given, name, 0, HEAVIEST_TOKEN).unwrap_or(1_000);
    let weights = TokenWeights { cached: weight("cached"), output: weight("output"), reasoning: weight("reasoning") };
    fields.absorb(given);
    weights
}

fn read_queue(fields: &mut Fields) -> LimitQueue {
    let Some(mut given) = object(fields, "concurrencyQueue", QUEUE_FIELDS) else { return LimitQueue::default() };
    for required in ["length", "waitMs"] {
        if !given.has(required) {
            given.error(required, "is required");
        }
    }
    let longest = u32::try_from(LONGEST_LIMIT_WAIT.as_millis()).unwrap_or(u32::MAX);
    let length = count(&mut given, "length", 1, LONGEST_LIMIT_QUEUE).unwrap_or_default();
    let wait_ms = count(&mut given, "waitMs", 1, longest).unwrap_or_default();
    fields.absorb(given);
    LimitQueue { length, wait_ms }
}

fn read_raise(fields: &mut Fields) -> Option<LimitRaise> {
    let mut given = object(fields, "raise", RAISE_FIELDS)?;
    for required in ["percent", "until"] {
        if !given.has(required) {
            given.error(required, "is required");
        }
    }
    let percent = count(&mut given, "percent", *RAISES.start(), *RAISES.end()).unwrap_or(*RAISES.start());
    let until_ms = given.time("until").unwrap_or_default();
    fields.absorb(given);
    Some(LimitRaise { percent, until_ms })
}

fn read_models(fields: &mut Fields) -> BTreeMap<Arc<str>, ModelLimits> {
    let mut models = BTreeMap::new();
    let given = fields.object("modelLimits").unwrap_or_default();
    if given.len() > MOST_MODELS {
        fields.error("modelLimits", format!("must not name more than {MOST_MODELS} models"));
        return models;
    }
    for (model, value) in given {
        let place = format!("modelLimits[{model}]");
        let name = model.trim();
        let blank = name.is_empty().then(|| "must not be empty".to_owned());
        let problem = blank.or_else(|| text_problem(name, MODEL_BYTES));
        if let Some(problem) = problem.or_else(|| validate_pattern(name).err().map(str::to_owned)) {
            fields.error(&place, problem);
            continue;
        }
        let Value::Object(entry) = value else {
            fields.error(&place, format!("must be an object, not {}", kind(&value)));
            continue;
        };
        let mut entry = fields.nested(&place, entry, MODEL_FIELDS);
        let windows = read_windows(&mut entry, "limits");
        let concurrency = entry.limit("concurrencyLimit");
        fields.absorb(entry);
        models.insert(name.into(), ModelLimits { windows, concurrency });
    }
    models
}
