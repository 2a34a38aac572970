//! A chat request, written for a provider: the last steps, whoever asks.

use translation::Format;
use translation::object::{Edits, Object};
use translation::optional;
use translation::protocol::contract::{Encoded, Target};

use super::outgoing::{Added, Begins, Conversion, Outgoing};
use crate::error::GatewayError;
use crate::route::candidate::Candidate;
use crate::route::extras::Extras;

/// Two names for the limit of the answer's length. A request may hold one of them.
const LENGTH_LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// The provider, the model and the manner that a request for `candidate` is written for.
pub(super) fn target(candidate: &Candidate, stream: bool) -> Result<Target<'_>, GatewayError> {
    let quirks = candidate.endpoint()?.quirks();
    Ok(Target { model: &candidate.upstream_model, facts: &candidate.facts, quirks, stream })
}

/// Sets the fields that config has, but for those that are `kept`: overrides always, defaults where the client has set
/// nothing.
pub(super) fn configure<'g>(edits: &mut Edits<'g, '_>, extras: &'g Extras, kept: &[&str]) {
    let set = |fields: &'g [(String, String)]| fields.iter().filter(|(name, _)| !kept.contains(&name.as_str()));
    for (name, value) in set(&extras.overrides) {
        edits.remove_lookalikes(name);
        edits.set(name, value.as_str());
    }
    for (name, value) in set(&extras.defaults) {
        let limits_length = LENGTH_LIMITS.contains(&name.as_str());
        let superseded = limits_length && LENGTH_LIMITS.iter().any(|other| edits.has(other));
        if !edits.has(name) && !superseded {
            edits.set(name, value.as_str());
        }
    }
}

/// The request that was `encoded` in this format, to be asked for as a stream or not, as it goes to `candidate`: with
/// the fields that config has but for those that are `kept`, and without what the provider has refused. `holds` says
/// whether a field stands in the client's request.
///
/// # Errors
/// [`GatewayError`] when the candidate has no provider, or the model's name cannot stand in a URL.
pub(super) fn written(
    encoded: Encoded,
    candidate: &Candidate,
    (format, stream): (Format, bool),
    kept: &[&str],
    holds: &dyn Fn(&str) -> bool,
) -> Result<Outgoing, GatewayError> {
    let endpoint = candidate.endpoint()?;
    let (group, extras) = (&candidate.group, candidate.extras());
    let version = endpoint.vendor.body_version(format);
    let body = if extras.overrides.is_empty() && extras.defaults.is_empty() && version.is_none() {
        encoded.body
    } else {
        // The body that was just written is an object.
        let object = Object::read(&encoded.body)?;
        let mut edits = object.edit();
        configure(&mut edits, extras, kept);
        if let Some((field, version)) = version {
            edits.set_string(field, version);
            edits.remove("model");
        }
        edits.apply()
    };
    let mut dropped = encoded.dropped;
    let body = match group.refusals.of(&candidate.upstream_model) {
        Some(refused) => {
            let less = optional::without(&body, refused.iter().copied());
            // What has another name in its place is not left out.
            for field in refused.iter().filter(|field| less.is_some() && field.instead.is_none()) {
                if holds(field.name) {
                    dropped.named(field.name);
                }
            }
            less.unwrap_or(body)
        }
        None => body,
    };
    let uri = endpoint.uri(format, &candidate.upstream_model, stream)?;
    let conversion = Some(Box::new(Conversion { back: encoded.back, dropped }));
    // A group that refuses what cannot be expressed is not asked for less than the client wants.
    let added = if group.rejects_unsupported() { Added::StreamUsage } else { Added::All };
    Ok(Outgoing { stream, conversion, begins: Begins::Chat, added, ..Outgoing::json(uri, body, format) })
}
