//! What config says of routing, to the wire and back.

use std::sync::Arc;
use std::time::Duration;

use super::limits;
use super::{json_object, json_text, outbound_proxy, unknown};
use crate::pb;
use crate::prices::{GroupPricing, Multiplier, PriceText};
use crate::snapshot::{
    ErrorRule, FallbackOn, Fallbacks, GroupRouting, KeySettings, ProxyKeyRouting, RuleEffect, RuleScope, RuleStep,
    SnapshotError, UpstreamKeyRouting,
};

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn optional(ms: u64) -> Option<Duration> {
    Some(ms).filter(|ms| *ms > 0).map(Duration::from_millis)
}

fn texts(names: &[Arc<str>]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn arcs(names: Vec<String>) -> Vec<Arc<str>> {
    names.into_iter().map(Into::into).collect()
}

impl From<&GroupRouting> for pb::GroupRouting {
    fn from(routing: &GroupRouting) -> Self {
        Self {
            weight: routing.weight,
            tags: texts(&routing.tags),
            no_affinity: !routing.affinity,
            connect_timeout_ms: routing.connect_timeout.map_or(0, ms),
            chunk_timeout_ms: routing.chunk_timeout.map_or(0, ms),
            total_timeout_ms: routing.total_timeout.map_or(0, ms),
            queue_timeout_ms: ms(routing.queue_timeout),
            hedging: routing.hedging,
            retry_unsafe_requests: routing.retry_unsafe_requests,
            retry_empty_answers: routing.retry_empty_answers,
            cache_ms: ms(routing.cache),
            fallbacks: Some((&routing.fallbacks).into()),
            error_rules: routing.error_rules.iter().map(Into::into).collect(),
            tls_roots_pem: routing.tls_roots.to_string(),
            limits: routing.limits.as_deref().map(Into::into),
            prices_json: routing.pricing.prices.text().to_string(),
            price_thousandths: Some(routing.pricing.multiplier.thousandths()),
            cost_header: routing.pricing.cost_header,
        }
    }
}

pub(super) fn group(place: &str, message: pb::GroupRouting) -> Result<GroupRouting, SnapshotError> {
    let bad = |field: &str, problem: String| SnapshotError::invalid(format!("{place}.{field}"), problem);
    let prices = PriceText::rows(&message.prices_json).map_err(|error| bad("prices", error.to_string()))?;
    let multiplier = message.price_thousandths.map_or(Some(Multiplier::ONE), Multiplier::of_thousandths);
    let multiplier = multiplier.ok_or_else(|| bad("price_multiplier", "is too high".to_owned()))?;
    Ok(GroupRouting {
        weight: message.weight,
        tags: arcs(message.tags),
        affinity: !message.no_affinity,
        connect_timeout: optional(message.connect_timeout_ms),
        chunk_timeout: optional(message.chunk_timeout_ms),
        total_timeout: optional(message.total_timeout_ms),
        queue_timeout: Duration::from_millis(message.queue_timeout_ms),
        hedging: message.hedging,
        retry_unsafe_requests: message.retry_unsafe_requests,
        retry_empty_answers: message.retry_empty_answers,
        cache: Duration::from_millis(message.cache_ms),
        fallbacks: fallbacks(place, message.fallbacks.unwrap_or_default())?,
        error_rules: error_rules(&format!("{place}.error_rules"), message.error_rules)?,
        tls_roots: message.tls_roots_pem.into(),
        limits: limits::read(place, message.limits)?,
        pricing: GroupPricing { prices, multiplier, cost_header: message.cost_header },
    })
}

impl From<&UpstreamKeyRouting> for pb::UpstreamKeyRouting {
    fn from(routing: &UpstreamKeyRouting) -> Self {
        let none = KeySettings::default();
        let own = routing.own.as_deref().unwrap_or(&none);
        Self {
            models: texts(&routing.models),
            denied_models: texts(&routing.denied_models),
            weight: routing.weight,
            note: routing.note.clone(),
            tags: texts(&routing.tags),
            account: routing.account.to_string(),
            expires_at_ms: routing.expires_at_ms.unwrap_or_default(),
            outbound_proxy: own.outbound_proxy.as_ref().map(Into::into),
            headers: own.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect(),
            parameter_defaults_json: json_text(&own.parameter_defaults),
            parameter_overrides_json: json_text(&own.parameter_overrides),
            limits: routing.limits.as_deref().map(Into::into),
        }
    }
}

pub(super) fn upstream_key(place: &str, message: pb::UpstreamKeyRouting) -> Result<UpstreamKeyRouting, SnapshotError> {
    let proxy = message.outbound_proxy.map(|proxy| outbound_proxy(&format!("{place}.outbound_proxy"), proxy));
    let fields = |name, json: &str| json_object(&format!("{place}.{name}"), json);
    let own = KeySettings {
        proxy_enabled: proxy.is_some(),
        outbound_proxy: proxy.transpose()?,
        headers: message.headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
        parameter_defaults: fields("parameter_defaults", &message.parameter_defaults_json)?,
        parameter_overrides: fields("parameter_overrides", &message.parameter_overrides_json)?,
    };
    Ok(UpstreamKeyRouting {
        models: arcs(message.models),
        denied_models: arcs(message.denied_models),
        weight: message.weight,
        note: message.note,
        tags: arcs(message.tags),
        account: message.account.into(),
        expires_at_ms: Some(message.expires_at_ms).filter(|at| *at != 0),
        own: own.or_none(),
        limits: limits::read(place, message.limits)?,
    })
}

impl From<&ProxyKeyRouting> for pb::ProxyKeyRouting {
    fn from(routing: &ProxyKeyRouting) -> Self {
        Self {
            fallbacks: Some((&routing.fallbacks).into()),
            client_hints: routing.client_hints,
            cache_ms: ms(routing.cache),
            limits: routing.limits.as_deref().map(Into::into),
        }
    }
}

pub(super) fn proxy_key(place: &str, message: pb::ProxyKeyRouting) -> Result<ProxyKeyRouting, SnapshotError> {
    Ok(ProxyKeyRouting {
        fallbacks: fallbacks(place, message.fallbacks.unwrap_or_default())?,
        client_hints: message.client_hints,
        cache: Duration::from_millis(message.cache_ms),
        limits: limits::read(place, message.limits)?,
    })
}

impl From<&Fallbacks> for pb::Fallbacks {
    fn from(fallbacks: &Fallbacks) -> Self {
        let chain =
            |(model, names): (&Arc<str>, &Vec<Arc<str>>)| (model.to_string(), pb::ModelNames { names: texts(names) });
        Self {
            models: fallbacks.models.iter().map(chain).collect(),
            on: fallbacks.on.iter().map(|on| on.as_str().to_owned()).collect(),
        }
    }
}

fn fallbacks(place: &str, message: pb::Fallbacks) -> Result<Fallbacks, SnapshotError> {
    let on = |name: &String| FallbackOn::from_name(name).ok_or_else(|| unknown(format!("{place}.fallbacks.on"), name));
    Ok(Fallbacks {
        models: message.models.into_iter().map(|(model, chain)| (model.into(), arcs(chain.names))).collect(),
        on: message.on.iter().map(on).collect::<Result<_, _>>()?,
    })
}

impl From<&ErrorRule> for pb::ErrorRule {
    fn from(rule: &ErrorRule) -> Self {
        Self {
            statuses: rule.statuses.iter().copied().map(Into::into).collect(),
            words: rule.words.clone(),
            step: rule.step.map_or("", RuleStep::as_str).to_owned(),
            effect: rule.effect.map_or("", RuleEffect::as_str).to_owned(),
            scope: rule.scope.as_str().to_owned(),
            seconds: rule.seconds,
        }
    }
}

pub(super) fn error_rules(place: &str, messages: Vec<pb::ErrorRule>) -> Result<Vec<ErrorRule>, SnapshotError> {
    let rule = |(index, rule)| error_rule(&format!("{place}[{index}]"), rule);
    messages.into_iter().enumerate().map(rule).collect()
}

fn error_rule(place: &str, message: pb::ErrorRule) -> Result<ErrorRule, SnapshotError> {
    let bad = |field: &str, name: &str| unknown(format!("{place}.{field}"), name);
    let status = |status: u32| u16::try_from(status).map_err(|_| bad("statuses", &status.to_string()));
    Ok(ErrorRule {
        statuses: message.statuses.into_iter().map(status).collect::<Result<_, _>>()?,
        words: message.words,
        step: match &*message.step {
            "" => None,
            name => Some(RuleStep::from_name(name).ok_or_else(|| bad("step", name))?),
        },
        effect: match &*message.effect {
            "" => None,
            name => Some(RuleEffect::from_name(name).ok_or_else(|| bad("effect", name))?),
        },
        scope: match &*message.scope {
            "" => RuleScope::default(),
            name => RuleScope::from_name(name).ok_or_else(|| bad("scope", name))?,
        },
        seconds: message.seconds,
    })
}
