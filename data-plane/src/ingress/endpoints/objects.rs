//! Serves what providers keep: files, batches, responses. A request about one goes to the account that has it.

use axum::body::Body;
use bytes::Bytes;
use http::Method;
use serde_json::json;
use translation::Format;
use translation::ir::TranslateError;
use translation::object::Object;

use super::reply::Reply;
use crate::answer::{Answer, Failure};
use crate::error::GatewayError;
use crate::ingress::admit::Admitted;
use crate::ingress::{query, sticky, unserved};
use crate::request::decisive;
use crate::request::object::ObjectRequest;
use crate::respond::learn::Learn;
use crate::route::candidate::Candidate;
use crate::route::owners::Owner;
use crate::route::plan::Plan;
use crate::usage::meter::Meter;

/// Lists what the first group in the order of the plan keeps, or the group that the client names.
pub(super) async fn list(admitted: &Admitted<'_>, meter: &mut Meter) -> Result<Reply, Failure> {
    let request = request(admitted, Bytes::new())?;
    let mut plan = across(admitted, admitted.pinned(), &request)?;
    if let Some(first) = plan.first() {
        // Another group has another list.
        plan.narrow(&first);
    }
    let answer = admitted.walk(plan, &request, meter).await?;
    Ok(learning(admitted, answer))
}

/// Makes a batch where its file is.
pub(super) async fn new_batch(admitted: &Admitted<'_>, body: Body, meter: &mut Meter) -> Result<Reply, Failure> {
    // The models of a batch stand in its file, which the gateway does not read.
    if !admitted.client.key.allowed_models.is_empty() {
        return Err(GatewayError::Forbidden("it is limited to some models, and a batch may ask for any").into());
    }
    let body = admitted.body(body, meter).await?;
    let object = Object::read(&body).map_err(GatewayError::from)?;
    decisive::check(&object, &body, admitted.format)?;
    let file = object.string("input_file_id").map_err(GatewayError::field)?.ok_or_else(|| {
        let problem = "the field 'input_file_id' is missing: it names the file that holds the requests";
        GatewayError::field(TranslateError::invalid("input_file_id", problem))
    })?;
    if !sticky::is_id(&file) {
        let problem = "the field 'input_file_id' is no id of a file";
        return Err(GatewayError::field(TranslateError::invalid("input_file_id", problem)).into());
    }
    let request = request(admitted, body.clone())?;
    let question = ObjectRequest::get(Format::OpenAiChat, format!("/files/{file}"));
    let plan = owners_plan(admitted, &file, question, &request, meter).await?;
    let answer = admitted.walk(plan, &request, meter).await?;
    Ok(learning(admitted, answer))
}

/// Asks for what is kept under the id in the path.
pub(super) async fn ask(admitted: &Admitted<'_>, body: Body, meter: &mut Meter) -> Result<Reply, Failure> {
    let body = admitted.body(body, meter).await?;
    let request = request(admitted, body)?;
    let mut segments = request.path.split('/').skip(1);
    let (collection, id) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    if let Some(own) = kept_here(admitted, &request, collection, id) {
        return Ok(Reply::Own(own?.into()));
    }
    let (object, id) = (format!("/{collection}/{id}"), id.to_owned());
    let unknown = request.method == Method::GET && admitted.owner_of(&id).is_none();
    let candidates = if unknown {
        distinct(admitted.candidates(across(admitted, admitted.pinned(), &request)?).await?)
    } else {
        Vec::new()
    };
    if candidates.len() > 1 {
        // A provider that does not have the object says so, and has done nothing.
        let (candidate, answer) = sticky::find(admitted, candidates, &request, meter).await?;
        admitted.gateway.owners.learn(&id, Owner::of(&candidate));
        return Ok(learning(admitted, answer));
    }
    let question = ObjectRequest::get(request.format, object);
    let plan = owners_plan(admitted, &id, question, &request, meter).await?;
    let answer = admitted.walk(plan, &request, meter).await?;
    if request.method == Method::DELETE {
        admitted.gateway.owners.forget(&id);
        return Ok(reply(answer, None));
    }
    Ok(learning(admitted, answer))
}

/// What this node itself keeps of the response `id`, which a provider of another API gave.
fn kept_here(
    admitted: &Admitted<'_>,
    request: &ObjectRequest,
    collection: &str,
    id: &str,
) -> Option<Result<String, GatewayError>> {
    if collection != "responses" {
        return None;
    }
    let kept = admitted.gateway.conversations.of(&admitted.client.key.id);
    let rest = request.path.strip_prefix("/responses/")?.strip_prefix(id)?;
    match (&request.method, rest) {
        (&Method::GET, "") => kept.response(id).map(Ok),
        (&Method::GET, "/input_items") => kept.input_list(id).map(Ok),
        (&Method::POST, "/cancel") => kept.response(id).map(|_| {
            let problem = "the response is complete: only one that is made in the background can be cancelled";
            Err(GatewayError::Field { param: None, message: problem.to_owned() })
        }),
        (&Method::DELETE, "") => {
            let deleted = json!({ "id": id, "object": "response", "deleted": true });
            kept.forget(id).then(|| Ok(deleted.to_string()))
        }
        _ => None,
    }
}

/// The plan of `request` over the account that has the object `id`. Where this node does not remember which account
/// that is, all are asked `question`.
async fn owners_plan<'r>(
    admitted: &Admitted<'r>,
    id: &str,
    question: ObjectRequest,
    request: &ObjectRequest,
    meter: &mut Meter,
) -> Result<Plan<'r>, Failure> {
    let owner = match (admitted.pinned(), admitted.owner_of(id)) {
        (None, Some(owner)) => owner,
        (pinned, _) => {
            let candidates = admitted.candidates(across(admitted, pinned, request)?).await?;
            if let [only] = &*candidates {
                Owner::of(only)
            } else {
                let candidates = distinct(candidates);
                let owner = sticky::owner(admitted, candidates, question, meter).await?;
                admitted.gateway.owners.learn(id, owner.clone());
                owner
            }
        }
    };
    let mut plan = across(admitted, Some(&owner.group), request)?;
    plan.narrow(&owner);
    Ok(plan)
}

fn across<'r>(
    admitted: &Admitted<'r>,
    pinned: Option<&str>,
    request: &ObjectRequest,
) -> Result<Plan<'r>, GatewayError> {
    let plan = Plan::across(admitted.table, admitted.client, pinned, |endpoint| request.is_served(endpoint))?;
    // An object is in the account that made it, whatever the client wants of its group.
    if pinned.is_none() { plan.wanted(&admitted.hints()) } else { Ok(plan) }
}

/// One candidate of each account, as far as accounts can be told apart: an upstream key may be in several groups.
fn distinct(candidates: impl IntoIterator<Item = Candidate>) -> Vec<Candidate> {
    let mut seen: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        let same = |other: &Candidate| {
            other.group.group.base_url == candidate.group.group.base_url
                && other.key.key.secret.expose() == candidate.key.key.secret.expose()
        };
        if !seen.iter().any(same) {
            seen.push(candidate);
        }
    }
    seen
}

/// The client's request, as it goes to the provider. A path that could lead elsewhere than it says is not served.
fn request(admitted: &Admitted<'_>, body: Bytes) -> Result<ObjectRequest, GatewayError> {
    let parts = admitted.parts;
    let path = parts.uri.path().strip_prefix("/v1").unwrap_or_default();
    if !path.split('/').skip(1).all(sticky::is_id) {
        return Err(unserved::unknown_route(parts, admitted.format));
    }
    // The HTTP server leaves out the body of the answer to a HEAD request by itself.
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method.clone() };
    let query = query::without_key(parts.uri.query());
    Ok(ObjectRequest { format: admitted.format, method, path: path.to_owned(), query, body })
}

fn learning(admitted: &Admitted<'_>, answer: Answer) -> Reply {
    let learn = Learn::new(&admitted.gateway.owners, &answer.candidate);
    reply(answer, Some(learn))
}

/// Passes on the answer of a provider. Providers keep responses with their events, so a response may be a stream.
fn reply(answer: Answer, learn: Option<Learn>) -> Reply {
    let events = answer.format.facts().keeps_answers;
    Reply::Provider { answer: Box::new(answer), learn, events, hide_usage: false }
}
