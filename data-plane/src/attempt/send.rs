//! One attempt: one request to one candidate, until its answer has begun.

#[cfg(test)]
pub(super) mod simulated;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use translation::Format;
use translation::ir::ErrorKind;
use translation::protocol::openai_error;
use translation::vendors::ErrorRules;

use super::behalf::Behalf;
use super::effect::{self, Seen};
use super::ended::{Ended, OVERLOADED, exhausted, learns, may_be_done};
use super::headers::ClientHeaders;
use super::reasons::{address, causes};
use super::tell::Teller;
use crate::answer::{Answer, Failure, ProviderAnswer};
use crate::body::collect::{Collected, Patience, collect};
use crate::body::unpack::unpack;
use crate::error::GatewayError;
use crate::metrics::AttemptResult;
use crate::opening::{self, Expected, OpeningFault};
use crate::provider::Endpoint;
use crate::provider::credential::Errand;
use crate::request::{Begins, Content, Outgoing};
use crate::route::candidate::Candidate;
use crate::route::health::KeyState;
use crate::route::occupied::{Failed, Occupied};
use crate::upstream::{RequestBody, Upstream};
use crate::usage::attempts::{AttemptRecord, Tried};
use shared::verdict::{Effect, Extent, LONGEST_PAUSE, Meaning, Question, judge, ruled, shorten_pause};

/// The most bytes of an error document that are read.
const LONGEST_ERROR: usize = 64 * 1024;

/// For the body of an error answer to arrive.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client is to wait when its provider is overloaded, says so with the status of success, and not how long.
const OVERLOADED_PAUSE: Duration = Duration::from_secs(1);

const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// Sends attempts.
#[derive(Debug)]
pub(super) struct Sender {
    upstream: Upstream,
    pub(super) teller: Teller,
    /// The longest pause of an answer.
    pause: Duration,
}

/// One attempt. It owns its record, and leaves it with the meter when it ends, or when it is dropped before that
/// because nobody waits for it any longer. Several may run at once. A span of the attempt would begin and end with it.
struct Attempt<'b> {
    behalf: &'b dyn Behalf,
    /// None when it has been left.
    record: Option<AttemptRecord>,
    /// What it keeps busy.
    running: Option<Occupied>,
}

impl<'b> Attempt<'b> {
    /// Begins an attempt at `candidate`; none where it is left alone, because too much has failed there.
    fn begin(behalf: &'b dyn Behalf, candidate: &Candidate) -> Option<Self> {
        let running = behalf.occupy(candidate)?;
        let tried = Tried::new(&candidate.group.group, &candidate.key.key, &candidate.upstream_model);
        Some(Self { behalf, record: Some(AttemptRecord::begin(tried)), running: Some(running) })
    }

    /// Ends the attempt. `status` is 0 where no answer came.
    fn end(mut self, result: AttemptResult, status: u16, error: impl Into<Cow<'static, str>>) {
        let Some(record) = self.record.take() else { return };
        let mut record = record.end(result, status, error.into());
        if let Some(mut running) = self.running.take() {
            match result {
                AttemptResult::Success => {
                    running.began(record.duration);
                    record.running = Some(Arc::new(running));
                }
                AttemptResult::ConnectError
                | AttemptResult::Timeout
                | AttemptResult::ServerError
                | AttemptResult::Unusable => {
                    let what = if status == OVERLOADED { Failed::Model } else { Failed::Key };
                    running.failed(what);
                }
                AttemptResult::RateLimited => running.limited(),
                AttemptResult::ClientFault | AttemptResult::KeyRefused => running.answered(),
            }
        }
        self.behalf.ended(record);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            self.behalf.left(record, self.running.as_ref());
        }
    }
}

/// What an error answer is an answer to.
#[derive(Clone, Copy)]
struct Asked {
    question: Question,
    /// How the vendor's errors are read.
    rules: &'static ErrorRules,
    /// When it was asked, see [`effect::begin`].
    began: i64,
}

/// An answer that is an error.
struct Refusal {
    head: Parts,
    /// The body to come.
    body: Incoming,
    candidate: Candidate,
    format: Format,
    /// Where the request went.
    uri: Uri,
}

impl Sender {
    /// Sends through `upstream`, and what it learns about keys to `key_states`. An answer may pause as long as `pause`.
    pub(super) fn new(upstream: Upstream, key_states: mpsc::Sender<KeyState>, pause: Duration) -> Self {
        Self { upstream, teller: Teller::new(key_states), pause }
    }

    /// What requests are sent through.
    pub(super) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Sends `outgoing` to `candidate`. That is one attempt, or two where a new access token has to be got.
    ///
    /// # Errors
    /// [`Ended`]: there is no answer, or one that is an error.
    pub(super) async fn send(
        &self,
        candidate: Candidate,
        mut outgoing: Outgoing,
        client: &ClientHeaders<'_>,
        behalf: &dyn Behalf,
        deadline: Instant,
    ) -> Result<Answer, Ended> {
        #[cfg(test)]
        if let Some(world) = simulated::world() {
            return simulated::send(self, &*world, candidate, behalf, deadline).await;
        }
        let Some(endpoint) = &candidate.group.endpoint else {
            return Err(Ended::next(GatewayError::Internal("the group has no provider")));
        };
        if candidate.key.credential.reads_body() {
            outgoing.join();
        }
        let mut headers = headers(&candidate, endpoint, &outgoing, client);
        let Outgoing {
            method,
            uri,
            body,
            pieces,
            passing,
            format,
            begins,
            refusable,
            added,
            beside_chat,
            proves,
            conversion,
            dropped,
            ..
        } = outgoing;
        let group = &candidate.group;
        // How long a body on its way takes is the client's matter: the group's time for an answer begins behind it.
        let (now, routing) = (Instant::now(), &group.group.routing);
        let end = routing.total_timeout.map(|total| now + total);
        let deadline = end.map_or(deadline, |end| deadline.min(end));
        let until = if passing.is_some() { deadline } else { deadline.min(now + group.group.timeout) };
        let credential = &candidate.key.credential;
        let errand = Errand { upstream: &self.upstream, exit: &candidate.key.exit, deadline: until };
        let (mut passing, progress) = passing.map(|passing| (passing.body, passing.progress)).unzip();
        // A body on its way is there once: no second try with another token.
        let mut renewed = passing.is_some();
        let mut began;
        let (attempt, head, answered) = loop {
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.clone();
            // Only a token can be got anew: all else is sent once.
            let again = credential.tokens().is_some();
            *request.headers_mut() = if again { headers.clone() } else { std::mem::take(&mut headers) };
            if let Err(error) = credential.put(&mut request, &body, errand).await {
                let attempt = Attempt::begin(behalf, &candidate).ok_or_else(|| Ended::barred(&candidate))?;
                attempt.end(AttemptResult::ConnectError, 0, error.to_string());
                return Err(Ended::next(error));
            }
            let shown = credential.tokens().and_then(|_| request.headers().get(AUTHORIZATION).cloned());
            let passing = passing.take();
            let request = request.map(|whole| match passing {
                Some(passing) => RequestBody::Passing(passing),
                None if pieces.is_empty() => RequestBody::Whole(whole),
                None => RequestBody::Pieces(pieces.clone().into()),
            });

            began = effect::begin(&candidate);
            let attempt = Attempt::begin(behalf, &candidate).ok_or_else(|| Ended::barred(&candidate))?;
            let response = match timeout_at(until, self.upstream.send(&candidate.key.exit, request)).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => {
                    if let Some(fault) = progress.as_ref().and_then(|progress| progress.fault()) {
                        attempt.end(AttemptResult::ClientFault, 0, "the client's body broke off");
                        return Err(Ended::end(fault));
                    }
                    return Err(unreached(attempt, &error, &uri));
                }
                Err(_elapsed) => {
                    attempt.end(AttemptResult::Timeout, 0, "no answer in time");
                    return Err(Ended::doubtful(GatewayError::Timeout));
                }
            };
            let status = response.status();
            if renewed || !credential.renew(status, shown.as_ref()) {
                let (head, answered) = response.into_parts();
                break (attempt, head, answered);
            }
            let reason = "the provider refused the access token; another is got";
            attempt.end(AttemptResult::KeyRefused, status.as_u16(), reason);
            renewed = true;
        };
        let question = Question { beside_chat, names_model: !candidate.upstream_model.is_empty() };
        let asked = Asked { question, rules: &endpoint.vendor.errors, began };
        if !head.status.is_success() {
            let refusal = Refusal { head, body: answered, candidate, format, uri };
            let may_be_done = may_be_done(refusal.head.status);
            let ended = self.refused(attempt, refusal, asked).await;
            return Err(Ended { again: learns(&ended, added, &body), may_be_done, ..ended });
        }
        let expected = match begins {
            Begins::Chat => {
                let says = candidate.group.group.routing.retry_empty_answers;
                Expected::Chat { format, passes: conversion.is_none(), says, refusable }
            }
            Begins::Beside => Expected::Beside(format),
            Begins::Any => Expected::Any,
        };
        let pause = candidate.group.group.routing.chunk_timeout.unwrap_or(self.pause);
        let patience = Patience { first: until, pause, whole: deadline, end };
        match opening::open(expected, &head, answered, patience).await {
            Ok(opened) => {
                attempt.end(AttemptResult::Success, head.status.as_u16(), "");
                effect::worked(proves, &candidate, began, &self.teller);
                Ok(Answer { head, opened, candidate, format, conversion, dropped, end })
            }
            Err(OpeningFault::Missing(error)) => Err(missing(attempt, head.status, error)),
            // An error with the status of success means what it would mean with its own.
            Err(OpeningFault::Said { error, document, usage }) => {
                let (status, _) = format.protocol().encode_error(&error, "");
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                let (headers, mut error, usage) = (head.headers, *error, usage.map(|usage| *usage));
                if error.kind == ErrorKind::Overloaded {
                    error.retry_after.get_or_insert(OVERLOADED_PAUSE);
                }
                let said = ProviderAnswer { status, headers, body: document, candidate, format, error, usage };
                let ended = self.judged(Some(attempt), Box::new(said), &uri, asked);
                Err(Ended { again: learns(&ended, added, &body), may_be_done: may_be_done(status), ..ended })
            }
        }
    }

    /// Ends `attempt`, whose answer to `question` is `refusal`, and judges what that means.
    async fn refused(&self, attempt: Attempt<'_>, refusal: Refusal, asked: Asked) -> Ended {
        let status = refusal.head.status.as_u16();
        let mut attempt = Some(attempt);
        let mut end = |result, error: Cow<'static, str>| {
            if let Some(attempt) = attempt.take() {
                attempt.end(result, status, error);
            }
        };
        // Where the status says how the attempt ended, it is over before the body is read.
        match Meaning::of_status(refusal.head.status, asked.rules) {
            Some(Meaning::Circle) => {
                end(AttemptResult::ClientFault, "the request goes in a circle".into());
                return Ended::end(GatewayError::Loop);
            }
            Some(Meaning::Unusable(why)) => {
                end(AttemptResult::Unusable, why.into());
                return Ended::end(GatewayError::Unusable(why));
            }
            Some(Meaning::Failed) => end(AttemptResult::ServerError, "the provider failed".into()),
            _ => {}
        }
        let (said, uri) = said(refusal).await;
        self.judged(attempt, said, &uri, asked)
    }

    /// Judges what an answer means that the provider at `uri` has given to `question`, and ends `attempt` where that is
    /// not over.
    fn judged(
        &self,
        mut attempt: Option<Attempt<'_>>,
        mut said: Box<ProviderAnswer>,
        uri: &Uri,
        asked: Asked,
    ) -> Ended {
        let status = said.status.as_u16();
        let mut end = |result, error: Cow<'static, str>| {
            if let Some(attempt) = attempt.take() {
                attempt.end(result, status, error);
            }
        };
        let words = openai_error::message(&said.body).unwrap_or_default();
        let words = said.candidate.key.leak.redact_text(words);
        let Asked { question, rules, began } = asked;
        let verdict = judge(said.status, &said.headers, &said.error, &said.body, question, rules);
        let own = &said.candidate.group.error_rules;
        let (verdict, _) = ruled(verdict, status, &said.body, question, own);
        let seen = Seen { status, began, words: &words };
        effect::apply(verdict.effect, &said.candidate, seen, &self.teller);
        shorten_pause(&mut said.headers, rules, LONGEST_PAUSE);
        said.error.retry_after = match verdict.meaning {
            Meaning::RateLimited => verdict.pause,
            _ => said.error.retry_after.map(|pause| pause.min(LONGEST_PAUSE)),
        };
        match verdict.meaning {
            Meaning::KeyRefused => {
                end(AttemptResult::KeyRefused, format!("the provider refused the upstream key: {words}").into());
                // A 401 is about the key, and such texts repeat the half of it; a 403 is about what it may do, and so
                // is a 400 about the place that it is used from.
                let of_key = matches!(verdict.effect, Effect::Refuse(Extent::Key) | Effect::Doubt(Extent::Key))
                    && said.status != StatusCode::FORBIDDEN;
                let told = said.status != StatusCode::UNAUTHORIZED && !of_key && !words.is_empty();
                let words = Some(words).filter(|_| told);
                let error = GatewayError::Credentials { status: said.status, said: words };
                return Ended::new(verdict.step, error);
            }
            // The operator may have given a wrong base URL.
            Meaning::ClientFault if said.status == StatusCode::NOT_FOUND => {
                end(AttemptResult::ClientFault, format!("the provider found nothing at {}", address(uri)).into());
            }
            // The status would blame the client's key.
            Meaning::ClientFault if said.status == StatusCode::FORBIDDEN => {
                end(AttemptResult::ClientFault, format!("the provider refused the request: {words}").into());
                (said.status, said.body) = (StatusCode::BAD_REQUEST, Bytes::new());
            }
            Meaning::ClientFault => end(AttemptResult::ClientFault, "the provider refused the request".into()),
            Meaning::NoModel => {
                end(AttemptResult::ClientFault, "the provider has no such model, or not for this key".into());
            }
            Meaning::RateLimited => end(AttemptResult::RateLimited, "rate limited".into()),
            Meaning::Exhausted => {
                let reason = format!("the account of the upstream key has no money or quota left: {words}");
                end(AttemptResult::RateLimited, reason.into());
                exhausted(&mut said, words);
            }
            Meaning::Success | Meaning::Circle | Meaning::Failed | Meaning::Unusable(_) => {
                end(AttemptResult::ServerError, "the provider failed".into());
            }
        }
        Ended::new(verdict.step, Failure::Provider(said))
    }
}

/// The headers of `outgoing` to `candidate`, without the credential.
fn headers(candidate: &Candidate, endpoint: &Endpoint, outgoing: &Outgoing, client: &ClientHeaders<'_>) -> HeaderMap {
    let mut headers = client.for_upstream(outgoing.format, outgoing.stream);
    match &outgoing.content {
        Content::Json => {}
        Content::Typed(value) => drop(headers.insert(CONTENT_TYPE, value.clone())),
        Content::None => drop(headers.remove(CONTENT_TYPE)),
    }
    if outgoing.any_answer {
        headers.insert(ACCEPT, ANYTHING);
    }
    endpoint.headers(&mut headers);
    for (name, value) in &candidate.extras().headers {
        headers.insert(name.clone(), value.clone());
    }
    headers
}

/// Ends `attempt`, which brought no answer.
fn unreached(attempt: Attempt<'_>, error: &legacy::Error, uri: &Uri) -> Ended {
    let reason = if error.is_connect() { "no connection" } else { "it closed the connection without an answer" };
    attempt.end(AttemptResult::ConnectError, 0, format!("{reason} ({}{})", address(uri), causes(error)));
    Ended { may_be_done: !error.is_connect(), ..Ended::next(GatewayError::Connect(reason)) }
}

/// Ends `attempt`, whose answer with the `status` of success has not begun because of `error`.
fn missing(attempt: Attempt<'_>, status: StatusCode, error: GatewayError) -> Ended {
    let (result, why): (_, Cow<'static, str>) = match &error {
        GatewayError::Timeout => (AttemptResult::Timeout, "the answer did not begin in time".into()),
        GatewayError::Cut => (AttemptResult::ServerError, "it closed the connection before the answer began".into()),
        GatewayError::Unusable(why) => (AttemptResult::Unusable, (*why).into()),
        other => (AttemptResult::ServerError, other.to_string().into()),
    };
    attempt.end(result, status.as_u16(), why);
    Ended::doubtful(error)
}

/// What the provider says in an error answer, and where it was asked. A body that does not come, or is too long, is
/// left out: the status stands.
async fn said(refusal: Refusal) -> (Box<ProviderAnswer>, Uri) {
    let Refusal { head, body, candidate, format, uri } = refusal;
    let collected = collect(body, LONGEST_ERROR, Patience::within(ERROR_BODY_TIMEOUT)).await;
    let body = match collected {
        Ok(Collected::Whole(body)) => unpack(&head.headers, body, LONGEST_ERROR).unwrap_or_default(),
        Ok(Collected::Larger { .. }) | Err(_) => Bytes::new(),
    };
    let error = format.protocol().decode_error(head.status.as_u16(), &body);
    (
        Box::new(ProviderAnswer {
            status: head.status,
            headers: head.headers,
            body,
            candidate,
            format,
            error,
            usage: None,
        }),
        uri,
    )
}

#[cfg(test)]
mod tests;
