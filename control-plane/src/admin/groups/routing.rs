//! The settings of a group and of its upstream keys that say how requests are routed and tried.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use shared::snapshot::{
    ErrorRule, GroupRouting, HEAVIEST, QUEUE_TIMEOUT, RuleEffect, RuleScope, RuleStep, SubjectLimits,
    UpstreamKeyRouting, tls_roots, validate_pattern,
};
use utoipa::ToSchema;

use super::pricing::read_pricing;
use crate::admin::bounds::{MODEL_BYTES, NAME_BYTES};
use crate::admin::fallbacks::read_fallbacks;
use crate::admin::limits::read_limits;
use crate::web::fields::{Fields, Known, into_text, kind};

/// The longest timeout, in seconds.
const LONGEST_TIMEOUT_SECONDS: f64 = 3600.0;

/// The longest wait for a key to return, in milliseconds.
const LONGEST_QUEUE_MS: i64 = 60_000;

/// The longest time for which an answer is kept, and a key is out by a rule, in seconds.
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Longest note of an upstream key, in bytes.
const NOTE_BYTES: usize = 2000;

/// The most rules for errors of a group.
const MOST_RULES: usize = 100;

/// The most words of one rule.
const MOST_WORDS: usize = 50;

const RULE_FIELDS: &[Known] = &[
    Known::also("statuses", &["status"]),
    Known::new("words"),
    Known::new("step"),
    Known::new("effect"),
    Known::new("scope"),
    Known::new("seconds"),
];

/// What certain error answers mean. A rule cannot make a fault of the client's harm a key, nor repeat what may not be
/// repeated.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorRuleBody {
    /// The statuses with which it counts. Empty: all errors.
    #[schema(required = false)]
    pub statuses: Vec<u16>,
    /// What must stand in the answer, any one of these, whatever its letters' case. Empty: nothing.
    #[schema(required = false)]
    pub words: Vec<String>,
    /// What is done next: `end`, `next_key` or `next_group`. Null: as without the rule.
    pub step: Option<&'static str>,
    /// What it says of the upstream key: `none`, `cool`, `exhaust` or `refuse`. Null: as without the rule.
    pub effect: Option<&'static str>,
    /// What of the key that is about: `model` (the key for this model) or `key`.
    #[schema(required = false, default = "model")]
    pub scope: &'static str,
    /// Seconds for which the key is out by `cool` or `exhaust`. 0: as the answer says, or as without the rule.
    #[schema(required = false, default = 0)]
    pub seconds: u32,
}

impl ErrorRuleBody {
    pub(in crate::admin) fn of(rule: &ErrorRule) -> Self {
        Self {
            statuses: rule.statuses.clone(),
            words: rule.words.clone(),
            step: rule.step.map(RuleStep::as_str),
            effect: rule.effect.map(RuleEffect::as_str),
            scope: rule.scope.as_str(),
            seconds: rule.seconds,
        }
    }
}

/// Reads how a group is routed to.
pub(super) fn read_routing(fields: &mut Fields) -> GroupRouting {
    let queue = fields.integer("queueTimeoutMs", 0, LONGEST_QUEUE_MS).and_then(|ms| u64::try_from(ms).ok());
    let cache = fields.integer("cacheSeconds", 0, DAY_SECONDS).and_then(|seconds| u64::try_from(seconds).ok());
    GroupRouting {
        weight: read_weight(fields, 1),
        tags: read_tags(fields),
        affinity: fields.boolean("affinity", true),
        connect_timeout: read_timeout(fields, "connectTimeout"),
        chunk_timeout: read_timeout(fields, "chunkTimeout"),
        total_timeout: read_timeout(fields, "totalTimeout"),
        queue_timeout: queue.map_or(QUEUE_TIMEOUT, Duration::from_millis),
        hedging: fields.boolean("hedging", false),
        retry_unsafe_requests: fields.boolean("retryUnsafeRequests", false),
        retry_empty_answers: fields.boolean("retryEmptyAnswers", false),
        cache: Duration::from_secs(cache.unwrap_or_default()),
        fallbacks: read_fallbacks(fields),
        error_rules: read_rules(fields, "errorRules"),
        tls_roots: read_roots(fields),
        limits: read_shared_limits(fields, None),
        pricing: read_pricing(fields),
    }
}

fn read_roots(fields: &mut Fields) -> Arc<str> {
    let text = match fields.take("tlsRoots").map(into_text) {
        None => return Arc::from(""),
        Some(Ok(text)) => text,
        Some(Err(other)) => {
            fields.error("tlsRoots", format!("must be a text, not {}", kind(&other)));
            return Arc::from("");
        }
    };
    let text = text.trim();
    if !text.is_empty()
        && let Err(problem) = tls_roots(text)
    {
        fields.error("tlsRoots", problem);
    }
    text.into()
}

/// Reads how an upstream key is used, without what it has of its own. What `fields` leaves out stays as it was.
pub(super) fn read_key_routing(fields: &mut Fields, before: &UpstreamKeyRouting) -> UpstreamKeyRouting {
    let models = |fields: &mut Fields, name: &str, before: &[Arc<str>]| {
        if !fields.has(name) {
            return before.to_vec();
        }
        arcs(fields.pasted_names(name, MODEL_BYTES, |name| validate_pattern(name).err()))
    };
    UpstreamKeyRouting {
        models: models(fields, "models", &before.models),
        denied_models: models(fields, "deniedModels", &before.denied_models),
        weight: if fields.has("weight") { read_weight(fields, 1) } else { before.weight },
        note: if fields.has("note") {
            fields.text("note", NOTE_BYTES).unwrap_or_default()
        } else {
            before.note.clone()
        },
        tags: if fields.has("tags") { read_tags(fields) } else { before.tags.clone() },
        account: if fields.has("account") {
            fields.text("account", NAME_BYTES).unwrap_or_default().trim().into()
        } else {
            Arc::clone(&before.account)
        },
        expires_at_ms: if fields.has("expiresAt") { fields.time("expiresAt") } else { before.expires_at_ms },
        own: None,
        limits: read_shared_limits(fields, before.limits.as_deref()),
    }
}

/// Reads how much may be sent to a group or with an upstream key. What `fields` leaves out stays as it was `before`.
fn read_shared_limits(fields: &mut Fields, before: Option<&SubjectLimits>) -> Option<Box<SubjectLimits>> {
    let mut limits = read_limits(fields, before);
    if fields.has("concurrencyLimit") {
        limits.concurrency = fields.limit("concurrencyLimit");
    }
    limits.or_none()
}

fn read_weight(fields: &mut Fields, default: u32) -> u32 {
    let weight = fields.integer("weight", 0, i64::from(HEAVIEST));
    weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(default)
}

fn read_tags(fields: &mut Fields) -> Vec<Arc<str>> {
    arcs(fields.pasted_names("tags", NAME_BYTES, |tag| {
        tag.contains(',').then_some("must not hold a comma, which separates tags in a header")
    }))
}

/// A timeout in seconds. None where the field is absent.
pub(super) fn read_timeout(fields: &mut Fields, name: &str) -> Option<Duration> {
    let seconds = fields.number(name)?;
    let timeout = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    // The timeout is stored in whole milliseconds.
    let timeout = Duration::from_millis(u64::try_from(timeout.as_millis()).unwrap_or_default());
    if timeout.is_zero() || seconds > LONGEST_TIMEOUT_SECONDS {
        fields.error(name, format!("must be seconds from 0.001 to {LONGEST_TIMEOUT_SECONDS}"));
        return None;
    }
    Some(timeout)
}

/// Reads the rules in the field `name`.
pub(in crate::admin) fn read_rules(fields: &mut Fields, name: &str) -> Vec<ErrorRule> {
    let given = fields.list(name).unwrap_or_default();
    if given.len() > MOST_RULES {
        fields.error(name, format!("must not have more than {MOST_RULES} rules"));
        return Vec::new();
    }
    let mut rules = Vec::with_capacity(given.len());
    for (index, value) in given.into_iter().enumerate() {
        let place = format!("{name}[{index}]");
        let Value::Object(rule) = value else {
            fields.error(&place, format!("must be an object, not {}", kind(&value)));
            continue;
        };
        let mut rule = Fields::named(format!("{place}."), rule, RULE_FIELDS);
        rules.push(read_rule(&mut rule));
        fields.absorb(rule);
    }
    rules
}

fn read_rule(fields: &mut Fields) -> ErrorRule {
    let statuses = match fields.take("statuses") {
        None => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    let status = |value: &Value| value.as_u64().filter(|status| (400..600).contains(status));
    let numbers: Vec<u16> = statuses.iter().filter_map(|value| u16::try_from(status(value)?).ok()).collect();
    if numbers.len() != statuses.len() {
        fields.error("statuses", "must be statuses of errors, from 400 to 599");
    }
    let words = fields.texts("words", MODEL_BYTES).unwrap_or_default();
    if words.len() > MOST_WORDS {
        fields.error("words", format!("must not be more than {MOST_WORDS}"));
    }
    let step = fields.name_of("step", RuleStep::NAMES, RuleStep::from_name);
    let effect = fields.name_of("effect", RuleEffect::NAMES, RuleEffect::from_name);
    let scope = fields.name_of("scope", RuleScope::NAMES, RuleScope::from_name).unwrap_or_default();
    let seconds = fields.integer("seconds", 0, DAY_SECONDS).and_then(|seconds| u32::try_from(seconds).ok());
    if fields.is_fine() && numbers.is_empty() && words.is_empty() {
        fields.error("words", "and statuses are both empty: the rule would fit every error");
    }
    if fields.is_fine() && step.is_none() && effect.is_none() {
        fields.error("step", "and effect are both missing: the rule would do nothing");
    }
    ErrorRule { statuses: numbers, words, step, effect, scope, seconds: seconds.unwrap_or_default() }
}

fn arcs(names: Option<Vec<String>>) -> Vec<Arc<str>> {
    names.unwrap_or_default().into_iter().map(Into::into).collect()
}
