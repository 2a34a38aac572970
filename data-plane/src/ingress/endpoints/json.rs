//! Passes on a JSON body that names a model.

use axum::body::Body;

use super::reply::Reply;
use crate::answer::Failure;
use crate::ingress::admit::Admitted;
use crate::ingress::sticky;
use crate::request::json::{JsonEndpoint, JsonRequest};
use crate::respond::learn::Learn;
use crate::route::plan::Plan;
use crate::usage::meter::Meter;

pub(super) async fn ask(
    admitted: &Admitted<'_>,
    asked: JsonEndpoint<'static>,
    body: Body,
    meter: &mut Meter,
) -> Result<Reply, Failure> {
    let body = admitted.body(body, meter).await?;
    let completions = asked.path == "/completions";
    let request = JsonRequest::read(asked, &body)?;
    meter.model = Some(request.model.to_string());
    meter.streamed = request.stream;
    admitted.may_name(request.names_further_models)?;
    let mut plan = Plan::serving(admitted.table, admitted.client, &request.model)?;
    let responses = admitted.format.facts().keeps_answers;
    if responses {
        sticky::follow(admitted, &mut plan, &body, meter).await;
    }
    let answer = admitted.walk(plan, &request, meter).await?;
    let learn = responses.then(|| Learn::new(&admitted.gateway.owners, &answer.candidate));
    let (answer, hide_usage) = (Box::new(answer), request.hides_usage());
    Ok(Reply::Provider { answer, learn, events: completions || responses, hide_usage })
}
