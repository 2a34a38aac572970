//! What an answer means: what is to be done next, and what it says of the upstream key. Vendors' words and headers are
//! not known here; they come as [`ErrorRules`], and from the formats as [`ProviderError`].

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use translation::ir::{ErrorKind, ProviderError};
use translation::protocol::openai_error;
use translation::vendors::ErrorRules;

/// The longest pause that a header can ask for: beyond it the key is tried again all the same.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// How long a key rests when the provider names no time.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

/// What an answer means for the request and for the upstream key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the attempt came to.
    pub meaning: Meaning,
    /// What is to be done next.
    pub step: Step,
    /// What the answer says of the upstream key.
    pub effect: Effect,
    /// The pause that the provider asks for.
    pub pause: Option<Duration>,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It brought the answer.
    Success,
    /// The request is at fault.
    ClientFault,
    /// The request goes in a circle: a gateway like this one has seen it before (RFC 5842, section 7.2).
    Circle,
    /// Too much has been asked with the key.
    RateLimited,
    /// The key does not open the provider, or not what was asked for.
    KeyRefused,
    /// The provider failed.
    Failed,
    /// It brought nothing that an API answers with, and why that is so.
    Unusable(&'static str),
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the client gets the answer.
    End,
    /// The next upstream key is tried, of this group or another.
    NextKey,
    /// The same key is tried without the signatures in the request, which may be another key's. Without any, the client
    /// gets the answer.
    Unsigned,
}

/// What an answer says of the upstream key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// The key is to rest so long.
    Rest(Duration),
    /// The key is refused.
    Refuse,
}

/// What was asked, as far as it matters to what a refusal means.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// It was no chat: keys are often allowed one thing and not another, so what is forbidden says nothing of what the
    /// key is good for.
    pub beside_chat: bool,
    /// It was about a model. What is asked for without one has limits of its own.
    pub names_model: bool,
}

impl Meaning {
    /// What an attempt came to, where the status says so. None where the words of the answer decide.
    pub fn of_status(status: StatusCode, rules: &ErrorRules) -> Option<Self> {
        Some(match status.as_u16() {
            200..300 => Self::Success,
            300..400 => Self::Unusable("it is a redirect, and redirects are not followed"),
            429 => Self::RateLimited,
            508 => Self::Circle,
            408 | 500..600 => Self::Failed,
            failure if rules.failures.contains(&failure) => Self::Failed,
            400..500 => return None,
            _ => Self::Unusable("its status is not one of HTTP's"),
        })
    }
}

/// What an answer with this status and these headers means, whose body says `error`. `words` are the provider's own, as
/// `error` does not have them where they may quote the key.
pub fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    error: &ProviderError,
    words: &str,
    question: Question,
    rules: &ErrorRules,
) -> Verdict {
    let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        || error.kind == ErrorKind::UpstreamAuthentication;
    let meaning = Meaning::of_status(status, rules);
    let meaning = meaning.unwrap_or(if refused { Meaning::KeyRefused } else { Meaning::ClientFault });
    let pause = match meaning {
        Meaning::RateLimited => retry_after(headers, rules).or_else(|| reset(headers, rules)).or(error.retry_after),
        _ => None,
    };
    let unreadable = error.code.as_deref() == Some(ProviderError::INVALID_SIGNATURE);
    let step = match meaning {
        Meaning::RateLimited | Meaning::KeyRefused | Meaning::Failed => Step::NextKey,
        Meaning::ClientFault if unreadable => Step::Unsigned,
        Meaning::ClientFault | Meaning::Success | Meaning::Circle | Meaning::Unusable(_) => Step::End,
    };
    let of_rights = || status == StatusCode::FORBIDDEN || rules.rights.iter().any(|word| words.contains(word));
    let effect = match meaning {
        Meaning::RateLimited if question.names_model => Effect::Rest(pause.unwrap_or(DEFAULT_PAUSE)),
        Meaning::KeyRefused if !(question.beside_chat && of_rights()) => Effect::Refuse,
        _ => Effect::None,
    };
    Verdict { meaning, step, effect, pause }
}

/// Whether a provider that answers with this status has no object of the id that it was asked for, or no endpoint for
/// such objects. Some answer with 400 where an id is not of their making.
pub fn has_no_object(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST)
}

/// Whether a provider that answers like this has no endpoint at the address. A 404 about the model has a document that
/// says so.
pub fn has_no_endpoint(status: StatusCode, body: &[u8]) -> bool {
    matches!(status.as_u16(), 404 | 405 | 501) && !openai_error::is_document(body)
}

/// The pause that a header asks for: in milliseconds, in seconds, or as a date (RFC 9110, section 10.2.3). A value that
/// cannot be read, or lies in the past, asks for none.
fn retry_after(headers: &HeaderMap, rules: &ErrorRules) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let milliseconds = text(rules.pause_ms).and_then(|value| value.parse::<f64>().ok());
    let seconds = milliseconds.map(|ms| ms / 1000.0).or_else(|| {
        let value = text("retry-after")?;
        value.parse::<f64>().ok().or_else(|| {
            let at = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            Some(at.duration_since(Timestamp::now()).as_secs_f64())
        })
    })?;
    (seconds.is_finite() && seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST_PAUSE.as_secs_f64())))
}

/// The pause until the last window is open again, by the headers that the vendor has for it.
fn reset(headers: &HeaderMap, rules: &ErrorRules) -> Option<Duration> {
    let named = |name: &str| name.starts_with(rules.resets) && name.ends_with("-reset");
    let times = headers.iter().filter(|(name, _)| named(name.as_str()));
    let times = times.filter_map(|(_, value)| value.to_str().ok()?.parse::<Timestamp>().ok());
    let pause = times.max()?.duration_since(Timestamp::now()).as_secs_f64();
    (pause > 0.0).then(|| Duration::from_secs_f64(pause.min(LONGEST_PAUSE.as_secs_f64())))
}

#[cfg(test)]
mod tests;
