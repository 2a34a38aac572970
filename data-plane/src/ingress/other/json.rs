//! A JSON body that names a model, passed on.

use axum::body::Body;
use translation::protocol::Format;

use super::super::sticky;
use super::serve::{Asking, Reply};
use crate::answer::Failure;
use crate::request::json::{Asked, JsonRequest};
use crate::respond::learn::Learn;
use crate::route::plan::Plan;
use crate::usage::meter::Meter;

pub(super) async fn ask(
    asking: &Asking<'_>,
    asked: Asked<'static>,
    body: Body,
    meter: &mut Meter,
) -> Result<Reply, Failure> {
    let body = asking.body(body, meter).await?;
    let completions = asked.path == "/completions";
    let request = JsonRequest::read(asked, &body)?;
    meter.model = Some(request.model.to_string());
    meter.streamed = request.stream;
    let mut plan = Plan::serving(asking.table, asking.principal, &request.model)?;
    let responses = asking.format == Format::OpenAiResponses;
    if responses {
        let Asking { gateway, client, deadline, format, .. } = asking;
        sticky::follow(gateway, &mut plan, *format, &body, client, meter, *deadline).await;
    }
    let answer = asking.walk(plan, &request, meter).await?;
    let learn = responses.then(|| Learn::new(&asking.gateway.owners, &answer.candidate));
    let (answer, hide_usage) = (Box::new(answer), request.hides_usage());
    Ok(Reply::Provider { answer, learn, events: completions || responses, hide_usage })
}
