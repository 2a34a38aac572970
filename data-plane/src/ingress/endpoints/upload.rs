//! Passes on a multipart body without holding it.

use axum::body::Body;

use super::reply::Reply;
use crate::answer::Failure;
use crate::body::receive;
use crate::ingress::admit::Admitted;
use crate::request::object::ObjectRequest;
use crate::request::upload::{Destination, HELD, UploadRequest};
use crate::respond::learn::Learn;
use crate::route::plan::Plan;
use crate::usage::meter::Meter;

pub(super) async fn ask(
    admitted: &Admitted<'_>,
    destination: Destination,
    body: Body,
    meter: &mut Meter,
) -> Result<Reply, Failure> {
    // Where no model decides, whether a group takes the upload is known before anything of it is read.
    let without_model = if destination.has_model {
        None
    } else {
        let object = ObjectRequest::get(admitted.format, destination.path.to_owned());
        let served = |endpoint: &_| object.is_served(endpoint);
        let plan = Plan::across(admitted.table, admitted.client, admitted.pinned(), served)?;
        Some(plan.wanted(&admitted.hints())?)
    };
    // Of an upload this much is in memory at most.
    let held = meter.held.insert(admitted.gateway.budget.hold());
    if let Err(busy) = held.grow(HELD as u64) {
        receive::discard_at_once(body, &admitted.gateway.limits).await;
        return Err(busy.into());
    }
    let request = UploadRequest::read(destination, &admitted.parts.headers, body, &admitted.gateway.limits).await?;
    meter.request_bytes = request.bytes();
    let plan = if let Some(plan) = without_model {
        plan
    } else {
        meter.model = Some(request.model.clone());
        admitted.reserve(&request.model, &[], Some(0), meter).await?;
        admitted.serving(&request.model)?
    };
    let kept = request.model.is_empty();
    let answer = admitted.walk(plan, &request, meter).await;
    meter.request_bytes = request.bytes();
    let answer = answer?;
    let learn = kept.then(|| Learn::new(&admitted.gateway.owners, &answer.candidate));
    Ok(Reply::bytes(answer, learn))
}
