//! Asks one candidate what the gateway itself wants to know. It goes the way of any attempt, so that what an answer
//! says of the key counts and is told; but it is tried once, at that very key, whatever is known of it.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio::time::Instant;
use translation::Format;

use super::behalf::OwnBehalf;
use super::effect;
use super::ended::Ended;
use super::headers::ClientHeaders;
use super::send::Sender;
use crate::answer::{Answer, Failure};
use crate::error::GatewayError;
use crate::metrics::AttemptResult;
use crate::request::{Outbound, Proof};
use crate::route::candidate::Candidate;

/// How often a candidate is asked again without what it has refused of what the gateway adds.
const MOST_REPEATS: usize = 4;

/// The most characters of the words of a failure.
const LONGEST_WORDS: usize = 300;

/// How OpenAI says that a model that thinks had no room left for an answer, with the status 400. The model has worked.
const NO_ROOM: &str = "output limit was reached";

/// Asks single candidates.
#[derive(Clone, Debug)]
pub struct Prober {
    sender: Arc<Sender>,
}

/// What came of asking a candidate.
#[derive(Debug)]
pub struct Probed {
    /// How it ended.
    pub result: AttemptResult,
    /// The status of the answer; 0 where none came.
    pub status: u16,
    /// Why there is no answer, without secrets. Empty where there is one.
    pub error: String,
    /// From the sending of the request to its answer.
    pub latency: Duration,
    /// The answer, where there is one to read.
    pub answer: Option<Answer>,
}

impl Prober {
    pub(super) fn new(sender: Arc<Sender>) -> Self {
        Self { sender }
    }

    /// Sends `request` to `candidate`, which has to answer before the `deadline`.
    ///
    /// # Errors
    /// [`GatewayError`]: the candidate cannot be asked for that, and nothing was sent.
    pub async fn ask(
        &self,
        candidate: &Candidate,
        request: &dyn Outbound,
        deadline: Instant,
    ) -> Result<Probed, GatewayError> {
        let own = OwnBehalf::default();
        let (parts, ()) = Request::new(()).into_parts();
        let client = ClientHeaders::new(&parts, Format::OpenAiChat);
        let began = effect::begin(candidate);
        let mut repeats = 0;
        let answered = loop {
            let outgoing = request.write(candidate)?;
            let answered = self.sender.send(candidate.clone(), outgoing, &client, &own, deadline).await;
            repeats += 1;
            if repeats > MOST_REPEATS || !matches!(answered, Err(Ended { again: true, .. })) {
                break answered;
            }
        };
        let (answer, failure) = match answered {
            Ok(answer) => (Some(answer), None),
            Err(ended) => (None, Some(ended.failure)),
        };
        let Some(record) = own.trail.last() else {
            return Err(match failure {
                Some(Failure::Gateway(error)) => error,
                _ => GatewayError::Internal("a probe left no record"),
            });
        };
        let (result, status, latency) = (record.result, record.status, record.duration);
        let mut result = result.unwrap_or(AttemptResult::Unusable);
        let mut error = failure.map_or_else(String::new, |failure| words(&record.error, &failure, candidate));
        if result == AttemptResult::ClientFault && status == 400 && error.contains(NO_ROOM) {
            (result, error) = (AttemptResult::Success, String::new());
            effect::worked(Proof::Key, candidate, began, &self.sender.teller);
        }
        Ok(Probed { result, status, error, latency, answer })
    }
}

/// Why there is no answer of `candidate`: what the attempt says, and what the provider has said.
fn words(attempt: &str, failure: &Failure, candidate: &Candidate) -> String {
    let said = match failure {
        Failure::Provider(said) => candidate.key.leak.redact_text(said.error.message.clone()),
        Failure::Gateway(_) => String::new(),
    };
    let words =
        if said.is_empty() || attempt.contains(&said) { attempt.to_owned() } else { format!("{attempt}: {said}") };
    words.chars().take(LONGEST_WORDS).collect()
}
