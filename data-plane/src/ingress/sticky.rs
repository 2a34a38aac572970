//! Finds out where the object is that a request names: the group that made it, and the upstream key in that group.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::time::Instant;
use translation::Format;
use translation::format::Family;

use super::admit::Admitted;
use crate::answer::{Answer, Failure};
use crate::error::GatewayError;
use crate::request::object::ObjectRequest;
use crate::respond::learn::first_string;
use crate::route::candidate::Candidate;
use crate::route::owners::Owner;
use crate::route::plan::Plan;
use crate::usage::meter::Meter;
use shared::verdict;

/// The most candidates that are asked for one object.
const MOST_ASKED: usize = 32;

/// The most candidates that are asked before a chat request, which has to wait for that.
const MOST_ASKED_FOR_CHAT: usize = 8;

/// How long one of them may take to say whether it knows the object.
const PATIENCE: Duration = Duration::from_secs(10);

/// Narrows `plan` to the group whose account holds what a chat request refers to: the response before it, or a file. A
/// request that names no such object, or one that nobody knows, goes where it would go without.
pub(super) async fn follow(admitted: &Admitted<'_>, plan: &mut Plan<'_>, body: &Bytes, meter: &mut Meter) {
    let (format, owners) = (admitted.format, &admitted.gateway.owners);
    let openais = format.family() == Family::OpenAi;
    if !openais || !plan.has_choice() {
        return;
    }
    let previous = if format.facts().keeps_answers { first_string(body, "previous_response_id") } else { None };
    let named = previous.map(|id| (format, "/responses", id));
    let file = || first_string(body, "file_id").filter(|id| id.starts_with("file"));
    let named = named.or_else(|| file().map(|id| (Format::OpenAiChat, "/files", id)));
    let Some((format, collection, id)) = named.filter(|(_, _, id)| is_id(id)) else { return };
    if let Some(owner) = admitted.owner_of(id) {
        plan.narrow(&owner);
        return;
    }
    let object = ObjectRequest::get(format, format!("{collection}/{id}"));
    // The question is about no model.
    let candidates = plan.clone().take(MOST_ASKED_FOR_CHAT);
    let candidates = candidates.map(|candidate| Candidate { upstream_model: Arc::from(""), ..candidate }).collect();
    if let Ok((candidate, _)) = find(admitted, candidates, &object, meter).await {
        let owner = Owner::of(&candidate);
        owners.learn(id, owner.clone());
        plan.narrow(&owner);
    }
}

/// Whether `id` can stand in a path as one segment that leads nowhere else.
pub(super) fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'~' | b'=');
    !id.is_empty() && id.len() <= 512 && id.bytes().all(plain) && !id.bytes().all(|byte| byte == b'.')
}

/// Asks `candidates` for `object`, one after the other, until one does not say that it has no such thing.
///
/// # Errors
/// [`Failure`]: none has the object, or why the first candidate failed that may have it.
pub(super) async fn find(
    admitted: &Admitted<'_>,
    candidates: Vec<Candidate>,
    object: &ObjectRequest,
    meter: &mut Meter,
) -> Result<(Candidate, Answer), Failure> {
    let mut unknown: Option<Failure> = None;
    let mut failed: Option<Failure> = None;
    let able =
        |candidate: &Candidate| candidate.group.endpoint.as_ref().is_some_and(|endpoint| object.is_served(endpoint));
    for candidate in candidates.into_iter().filter(able).take(MOST_ASKED) {
        let only = iter::once(candidate.clone());
        match admitted.walk_until(Instant::now() + PATIENCE, only, object, meter).await {
            Ok(answer) => return Ok((candidate, answer)),
            Err(failure) if is_unknown(&failure) => drop(unknown.get_or_insert(failure)),
            Err(failure) => drop(failed.get_or_insert(failure)),
        }
    }
    let nothing = || GatewayError::NoGroup { missing: "no such object".to_owned(), reason: String::new() }.into();
    Err(failed.or(unknown).unwrap_or_else(nothing))
}

/// Whether the provider does not have the object, as far as it says. A key that may not ask has made nothing.
fn is_unknown(failure: &Failure) -> bool {
    match failure {
        Failure::Provider(said) => verdict::has_no_object(said.status),
        Failure::Gateway(error) => matches!(error, GatewayError::Credentials { status: StatusCode::FORBIDDEN, .. }),
    }
}

/// Finds out who has `object`, for a request that must not go to several candidates.
///
/// # Errors
/// As [`find`].
pub(super) async fn owner(
    admitted: &Admitted<'_>,
    candidates: Vec<Candidate>,
    object: ObjectRequest,
    meter: &mut Meter,
) -> Result<Owner, Failure> {
    let question = ObjectRequest { method: Method::GET, ..object };
    find(admitted, candidates, &question, meter).await.map(|(candidate, _)| Owner::of(&candidate))
}
