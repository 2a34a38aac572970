//! Passes on a JSON body that names a model.

use axum::body::Body;

use super::reply::Reply;
use crate::answer::Failure;
use crate::ingress::admit::Admitted;
use crate::ingress::fallbacks::Relay;
use crate::ingress::further::Further;
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
    let further = Further::of(admitted, body, asked.model.as_deref())?;
    let completions = asked.path == "/completions";
    let request = JsonRequest::read(asked, &further.body)?;
    further.none_if(request.is_dear())?;
    meter.model = Some(request.model.to_string());
    meter.streamed = request.stream;
    admitted.may_name(request.names_further_models)?;
    admitted.reserve(&request.model, &further.body, None, meter).await?;
    let responses = admitted.format.facts().keeps_answers;
    let mut relay = Relay::to(admitted, further.models);
    let mut plan = Plan::asked(admitted.table, admitted.client, &request.model);
    let answer = loop {
        let walked = match admitted.narrowed(plan, &request.model) {
            Ok(mut plan) => {
                if responses {
                    sticky::follow(admitted, &mut plan, &further.body, meter).await;
                }
                admitted.walk(plan, &request, meter).await
            }
            Err(unserved) => Err(unserved.into()),
        };
        match walked {
            Ok(answer) => break answer,
            Err(failure) => plan = Ok(relay.next(failure, meter)?),
        }
    };
    let learn = responses.then(|| Learn::new(&admitted.gateway.owners, &answer.candidate));
    let (answer, hide_usage) = (Box::new(answer), request.hides_usage());
    Ok(Reply::Provider { answer, learn, events: completions || responses, hide_usage })
}
