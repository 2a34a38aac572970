//! Attempts at providers that are simulated. In place of the socket and of the reading of an answer stands a
//! [`World`]; what an attempt occupies, how its end is judged and what that says of its key are the real ones.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use shared::verdict::{Meaning, Question};
use tokio::time::{Instant, timeout_at};
use translation::Format;
use translation::ir::Dropped;

use super::{Asked, Attempt, Sender, missing};
use crate::answer::{Answer, ProviderAnswer};
use crate::attempt::behalf::Behalf;
use crate::attempt::effect;
use crate::attempt::ended::{Ended, may_be_done};
use crate::error::GatewayError;
use crate::metrics::AttemptResult;
use crate::opening::Opened;
use crate::request::Proof;
use crate::route::candidate::Candidate;

/// The providers of a simulation.
pub(in crate::attempt) trait World: Send + Sync {
    /// An attempt at `candidate` leaves now. Gives what comes back, when it does.
    fn ask(&self, candidate: &Candidate) -> Pin<Box<dyn Future<Output = Reply> + Send>>;
}

/// What comes back from a provider.
#[derive(Debug)]
pub(in crate::attempt) enum Reply {
    /// No connection.
    Unreached,
    /// The connection was closed without an answer.
    Cut,
    /// The status of success, and nothing that is an answer.
    Garbage,
    /// An answer, whole.
    Answer(StatusCode, HeaderMap, Bytes),
}

thread_local! {
    static WORLD: RefCell<Option<Arc<dyn World>>> = const { RefCell::new(None) };
}

/// The world of this thread; none where attempts are real.
pub(super) fn world() -> Option<Arc<dyn World>> {
    WORLD.with_borrow(Option::clone)
}

/// Has all attempts of this thread go to `world`.
pub(in crate::attempt) fn inhabit(world: Option<Arc<dyn World>>) {
    WORLD.replace(world);
}

/// Sends an attempt at `candidate` to `world`, as [`Sender::send`] does to a provider.
pub(super) async fn send(
    sender: &Sender,
    world: &dyn World,
    candidate: Candidate,
    behalf: &dyn Behalf,
    deadline: Instant,
) -> Result<Answer, Ended> {
    let Some(endpoint) = &candidate.group.endpoint else {
        return Err(Ended::next(GatewayError::Internal("the group has no provider")));
    };
    let until = deadline.min(Instant::now() + candidate.group.group.timeout);
    let began = effect::begin(&candidate);
    let attempt = Attempt::begin(behalf, &candidate).ok_or_else(Ended::spared)?;
    let Ok(reply) = timeout_at(until, world.ask(&candidate)).await else {
        attempt.end(AttemptResult::Timeout, 0, "no answer in time");
        return Err(Ended::doubtful(GatewayError::Timeout));
    };
    let (status, headers, body) = match reply {
        Reply::Unreached => {
            attempt.end(AttemptResult::ConnectError, 0, "no connection");
            return Err(Ended::next(GatewayError::Connect("no connection")));
        }
        Reply::Cut => {
            attempt.end(AttemptResult::ConnectError, 0, "it closed the connection without an answer");
            return Err(Ended::doubtful(GatewayError::Connect("it closed the connection without an answer")));
        }
        Reply::Garbage => return Err(missing(attempt, StatusCode::OK, GatewayError::Unusable("it is not JSON"))),
        Reply::Answer(status, headers, body) => (status, headers, body),
    };
    let format = Format::OpenAiChat;
    if status.is_success() {
        attempt.end(AttemptResult::Success, status.as_u16(), "");
        effect::worked(Proof::Key, &candidate, began, &sender.teller);
        let (head, ()) = http::Response::new(()).into_parts();
        let (opened, dropped) = (Opened::Whole(body, None), Dropped::default());
        return Ok(Answer { head, opened, candidate, format, conversion: None, dropped, end: None });
    }
    let rules = &endpoint.vendor.errors;
    let uri = endpoint.uri(format, &candidate.upstream_model, false).unwrap_or_default();
    let mut attempt = Some(attempt);
    if Meaning::of_status(status, rules) == Some(Meaning::Failed)
        && let Some(attempt) = attempt.take()
    {
        attempt.end(AttemptResult::ServerError, status.as_u16(), "the provider failed");
    }
    let error = format.protocol().decode_error(status.as_u16(), &body);
    let said = Box::new(ProviderAnswer { status, headers, body, candidate, format, error, usage: None });
    let question = Question { beside_chat: false, names_model: true };
    let ended = sender.judged(attempt, said, &uri, Asked { question, rules, began });
    Err(Ended { may_be_done: may_be_done(status), ..ended })
}
