//! Walks a plan: sends the request to one candidate after the other until one answers, and learns about upstream keys
//! on the way. Nothing of an answer has gone to the client while a walk goes on.

mod headers;

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use shared::time::now_ms;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info};
use translation::ir::ErrorKind;
use translation::protocol::{Format, openai_error};

use crate::answer::{Answer, Failure, ProviderAnswer};
use crate::body::collect::{Collected, Patience, collect};
use crate::body::unpack::unpack;
use crate::error::GatewayError;
use crate::metrics::AttemptResult;
use crate::provider::credential::Errand;
use crate::provider::verdict::Verdict;
use crate::request::{Content, Outbound, Outgoing};
use crate::route::candidate::Candidate;
use crate::route::health::{Health, KeyState};
use crate::upstream::{RequestBody, Upstream};
use crate::usage::meter::Meter;

pub use headers::{ClientHeaders, HOPS};

/// Further attempts after the first, however many a group allows.
const MOST_RETRIES: u32 = 1;

/// How long a key rests after a 429 that names no time.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

/// An error document longer than this is cut.
const LONGEST_ERROR: usize = 64 * 1024;

const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// For the body of an error answer to arrive.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends attempts.
#[derive(Debug)]
pub struct Attempts {
    upstream: Upstream,
    /// Takes what is learnt about upstream keys, for other nodes to know. When it is full they learn it by themselves.
    key_states: mpsc::Sender<KeyState>,
}

/// Whether the walk may go on after an attempt.
enum Step {
    End(Failure),
    Next(Failure),
}

impl Attempts {
    /// Sends through `upstream`, and what it learns about keys to `key_states`.
    pub fn new(upstream: Upstream, key_states: mpsc::Sender<KeyState>) -> Self {
        Self { upstream, key_states }
    }

    /// Sends `request` to the candidates of `plan` until one answers. On a connect error, no answer in time, 408, 429
    /// or 5xx, and when the provider refuses the key, the next one is tried, once.
    ///
    /// # Errors
    /// [`Failure`]: what a provider said last, or why none said anything.
    pub async fn walk(
        &self,
        plan: impl Iterator<Item = Candidate> + Send,
        request: &dyn Outbound,
        client: &ClientHeaders<'_>,
        meter: &mut Meter,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let mut last: Option<Failure> = None;
        let mut refused: Option<GatewayError> = None;
        let (mut tries, mut retries) = (0, 0);
        for candidate in plan {
            let prepared = match request.prepare(&candidate, &self.upstream, deadline) {
                Some(preparation) => preparation.await,
                None => Ok(()),
            };
            // What one group cannot be asked for may be no trouble to another; it is no attempt.
            let outgoing = match prepared.and_then(|()| request.write(&candidate)) {
                Ok(outgoing) => outgoing,
                Err(error) => {
                    refused.get_or_insert(error);
                    continue;
                }
            };
            if tries > 0 {
                if retries >= MOST_RETRIES.min(candidate.group.group.retry_count) || Instant::now() >= deadline {
                    break;
                }
                retries += 1;
            }
            tries += 1;
            let mut ended = self.attempt(candidate, outgoing, client, meter, deadline).await;
            if let Err(Step::End(Failure::Provider(said))) = &ended
                && let Some(outgoing) = unsigned(request, said)
            {
                ended = self.attempt(said.candidate.clone(), outgoing, client, meter, deadline).await;
            }
            match ended {
                Ok(answer) => return Ok(answer),
                Err(Step::End(failure)) => return Err(failure),
                // What a provider said is worth more to the client than that another could not be reached.
                Err(Step::Next(failure)) => match (&last, &failure) {
                    (Some(Failure::Provider(_)), Failure::Gateway(_)) => {}
                    _ => last = Some(failure),
                },
            }
        }
        let refused = refused.unwrap_or(GatewayError::Internal("the plan has no candidate"));
        Err(last.unwrap_or(Failure::Gateway(refused)))
    }

    async fn attempt(
        &self,
        candidate: Candidate,
        outgoing: Outgoing,
        client: &ClientHeaders<'_>,
        meter: &mut Meter,
        deadline: Instant,
    ) -> Result<Answer, Step> {
        let group = &candidate.group;
        let Some(endpoint) = &group.endpoint else {
            return Err(Step::Next(GatewayError::Internal("the group has no provider").into()));
        };
        let Outgoing { method, uri, body, content, passing, format, stream, any_answer, beside_chat, conversion } =
            outgoing;
        let mut headers = client.for_upstream(format, stream);
        match content {
            Content::Json => {}
            Content::Typed(value) => drop(headers.insert(CONTENT_TYPE, value)),
            Content::None => drop(headers.remove(CONTENT_TYPE)),
        }
        if any_answer {
            headers.insert(ACCEPT, ANYTHING);
        }
        endpoint.headers(&mut headers);
        for (name, value) in &group.headers {
            headers.insert(name.clone(), value.clone());
        }
        // How long a body on its way takes is the client's matter: the group's time for an answer begins behind it.
        let until = if passing.is_some() { deadline } else { deadline.min(Instant::now() + group.group.timeout) };
        let credential = &candidate.key.credential;
        let errand = Errand { upstream: &self.upstream, exit: &group.exit, deadline: until };
        let (mut passing, progress) = passing.map(|passing| (passing.body, passing.progress)).unzip();
        // A body on its way is there once: no second try with another token.
        let mut renewed = passing.is_some();
        let (head, answered) = loop {
            let mut upstream_request = Request::new(Full::new(body.clone()));
            *upstream_request.method_mut() = method.clone();
            *upstream_request.uri_mut() = uri.clone();
            // Only a token can be got anew: all else is sent once.
            let again = credential.tokens().is_some();
            *upstream_request.headers_mut() = if again { headers.clone() } else { std::mem::take(&mut headers) };
            if let Err(error) = credential.put(&mut upstream_request, &body, errand).await {
                meter.attempt(&candidate);
                meter.attempt_ended(AttemptResult::ConnectError, 0, &error.to_string());
                return Err(Step::Next(error.into()));
            }
            let sent = credential.tokens().and_then(|_| upstream_request.headers().get(AUTHORIZATION).cloned());
            let passing = passing.take();
            let upstream_request =
                upstream_request.map(|whole| passing.map_or(RequestBody::Whole(whole), RequestBody::Passing));

            meter.attempt(&candidate);
            let response = match timeout_at(until, self.upstream.send(&group.exit, upstream_request)).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => {
                    if let Some(fault) = progress.as_ref().and_then(|progress| progress.fault()) {
                        meter.attempt_ended(AttemptResult::ClientFault, 0, "the client's body broke off");
                        return Err(Step::End(fault.into()));
                    }
                    let reason =
                        if error.is_connect() { "no connection" } else { "it closed the connection without an answer" };
                    let why = format!("{reason} ({}{})", address(&uri), causes(&error));
                    meter.attempt_ended(AttemptResult::ConnectError, 0, &why);
                    return Err(Step::Next(GatewayError::Connect(reason).into()));
                }
                Err(_elapsed) => {
                    meter.attempt_ended(AttemptResult::Timeout, 0, "no answer in time");
                    return Err(Step::Next(GatewayError::Timeout.into()));
                }
            };
            // An access token may have been withdrawn before its time: that says nothing of the key.
            if response.status() != StatusCode::UNAUTHORIZED || renewed || !credential.renew(sent.as_ref()) {
                break response.into_parts();
            }
            let reason = "the provider refused the access token; another is got";
            meter.attempt_ended(AttemptResult::KeyRefused, 401, reason);
            renewed = true;
        };
        let verdict = endpoint.classify(head.status, &head.headers);
        let status = head.status.as_u16();
        match verdict {
            Verdict::Success => {
                meter.attempt_ended(AttemptResult::Success, status, "");
                self.worked(&candidate);
                Ok(Answer { head, body: answered, candidate, format, conversion })
            }
            Verdict::ClientFault if head.status == StatusCode::LOOP_DETECTED => {
                meter.attempt_ended(AttemptResult::ClientFault, status, "the request goes in a circle");
                Err(Step::End(GatewayError::Loop.into()))
            }
            Verdict::ClientFault => {
                let said = said(candidate, format, head, answered).await;
                if said.error.kind == ErrorKind::UpstreamAuthentication {
                    // Gemini says so with a 400.
                    return Err(self.key_refused(said, meter, beside_chat));
                }
                let why = if said.status == StatusCode::NOT_FOUND {
                    // The operator may have given a wrong base URL.
                    Cow::Owned(format!("the provider found nothing at {}", address(&uri)))
                } else {
                    Cow::Borrowed("the provider refused the request")
                };
                meter.attempt_ended(AttemptResult::ClientFault, status, &why);
                Err(Step::End(Failure::Provider(said)))
            }
            Verdict::RateLimited(pause) => {
                meter.attempt_ended(AttemptResult::RateLimited, status, "rate limited");
                let mut said = said(candidate, format, head, answered).await;
                said.error.retry_after = pause.or(said.error.retry_after);
                let pause = said.error.retry_after.unwrap_or(DEFAULT_PAUSE);
                let pause = i64::try_from(pause.as_millis()).unwrap_or_default();
                // What is asked for without a model has limits of its own.
                if !said.candidate.upstream_model.is_empty() {
                    self.observe(&said.candidate, Health::CoolingDown, now_ms() + pause, status);
                }
                Err(Step::Next(Failure::Provider(said)))
            }
            Verdict::KeyRefused => {
                let said = said(candidate, format, head, answered).await;
                Err(self.key_refused(said, meter, beside_chat))
            }
            Verdict::Retryable => {
                meter.attempt_ended(AttemptResult::ServerError, status, "the provider failed");
                Err(Step::Next(Failure::Provider(said(candidate, format, head, answered).await)))
            }
            Verdict::Unusable(why) => {
                meter.attempt_ended(AttemptResult::Unusable, status, why);
                Err(Step::End(GatewayError::Unusable(why).into()))
            }
        }
    }

    /// The provider does not take the upstream key.
    fn key_refused(&self, said: Box<ProviderAnswer>, meter: &mut Meter, beside_chat: bool) -> Step {
        let words = said.candidate.key.leak.redact_text(openai_error::message(&said.body).unwrap_or_default());
        // OpenAI says of a key that is limited to some endpoints: "insufficient permissions", "missing scopes", also
        // with a 401.
        let limited = said.status == StatusCode::FORBIDDEN || words.contains("permission") || words.contains("scope");
        if !(beside_chat && limited) {
            self.observe(&said.candidate, Health::Invalid, 0, said.status.as_u16());
        }
        let reason = format!("the provider refused the upstream key: {words}");
        meter.attempt_ended(AttemptResult::KeyRefused, said.status.as_u16(), &reason);
        // A 401 is about the key, and such texts repeat the half of it; a 403 is about what it may do.
        let words = Some(words).filter(|words| said.status == StatusCode::FORBIDDEN && !words.is_empty());
        Step::Next(GatewayError::Credentials { status: said.status, said: words }.into())
    }

    /// A key that was refused before works again.
    fn worked(&self, candidate: &Candidate) {
        // The clock is read only where there is something to forget.
        if candidate.key.health.was_refused() && candidate.key.health.worked(now_ms()) {
            self.tell(candidate, key_state(candidate, Health::Valid, 0, 200));
        }
    }

    fn observe(&self, candidate: &Candidate, health: Health, until_ms: i64, status: u16) {
        let state = key_state(candidate, health, until_ms, status);
        if candidate.key.health.observe(&state, state.observed_at_ms) {
            self.tell(candidate, state);
        }
    }

    fn tell(&self, candidate: &Candidate, state: KeyState) {
        info!(
            group = &*candidate.group.group.name,
            upstream_key = &*candidate.key.key.masked,
            health = state.health.name(),
            status = state.status,
            "upstream key changed"
        );
        if self.key_states.try_send(state).is_err() {
            debug!("other nodes are not told of a key's state: the queue is full");
        }
    }
}

/// `uri` without its query, in which a secret may stand.
fn address(uri: &Uri) -> String {
    let scheme = uri.scheme_str().map_or(String::new(), |scheme| format!("{scheme}://"));
    format!("{scheme}{}{}", uri.authority().map_or("", |authority| authority.as_str()), uri.path())
}

/// Why `error` came about, in the words of what lies below.
fn causes(error: &dyn Error) -> String {
    let mut words = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Layers repeat each other.
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}

/// `request` without its signatures, for a provider that said that it could not read them: they may be another key's
/// (`docs/TRANSLATION.md` section 10).
fn unsigned(request: &dyn Outbound, said: &ProviderAnswer) -> Option<Outgoing> {
    if said.error.code.as_deref() != Some("invalid_thought_signature") {
        return None;
    }
    let outgoing = request.write(&said.candidate).ok()?;
    let body = outgoing.format.protocol().unsigned(&outgoing.body)?;
    Some(Outgoing { body: body.into(), ..outgoing })
}

fn key_state(candidate: &Candidate, health: Health, until_ms: i64, status: u16) -> KeyState {
    KeyState {
        upstream_key_id: Arc::clone(&candidate.key.key.id),
        group_id: Arc::clone(&candidate.group.group.id),
        health,
        until_ms,
        status,
        observed_at_ms: now_ms(),
    }
}

/// What the provider says in an error answer. A body that does not come, or is too long, is left out or cut: the status
/// stands.
async fn said(candidate: Candidate, format: Format, head: Parts, body: Incoming) -> Box<ProviderAnswer> {
    let collected = collect(body, LONGEST_ERROR, Patience::within(ERROR_BODY_TIMEOUT)).await;
    let body = match collected {
        Ok(Collected::Whole(body)) => unpack(&head.headers, body, LONGEST_ERROR).unwrap_or_default(),
        Ok(Collected::Larger { .. }) | Err(_) => Bytes::new(),
    };
    let error = format.protocol().decode_error(head.status.as_u16(), &body);
    Box::new(ProviderAnswer { status: head.status, headers: head.headers, body, candidate, format, error })
}
