//! What an answer means: what is to be done next, and what it says of the upstream key. Vendors' words and headers are
//! not known here; they come as [`ErrorRules`], and from the formats as [`ProviderError`].
//!
//! | what the answer says | next | of the key |
//! |---|---|---|
//! | too many requests or tokens for now | next key | rests for this model |
//! | no money, or the quota of a day is spent | next key | exhausted, as a whole unless the quota is that of a model |
//! | the key is wrong | next key | refused |
//! | the key may not do this | next key | refused for this model; beside chat nothing |
//! | a status of keys whose words leave doubt | next key | the same, after several of them |
//! | no such model | next group | refused for this model; beside chat nothing |
//! | the provider failed, or is overloaded | next key | nothing |
//! | the request is at fault | end | nothing |

mod ruled;

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use jiff::civil::Time;
use jiff::fmt::rfc2822;
use jiff::tz::Offset;
use jiff::{Span, Timestamp, ToSpan};
use translation::ir::{ErrorKind, ProviderError};
use translation::protocol::openai_error;
use translation::vendors::{ErrorRules, Refused, Renewal};

use crate::time::now;

pub use ruled::ruled;

/// The longest pause that an answer can ask for, however it does: beyond it the key is tried again all the same.
pub const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// The longest time for which an answer can say that money or a quota is spent.
const LONGEST_EXHAUSTION: Duration = Duration::from_hours(31 * 24);

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
    /// The account has no money left, or its quota of a day or month is spent.
    Exhausted,
    /// The provider has no such model, or not for this key.
    NoModel,
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
    /// The next group is tried.
    NextGroup,
    /// The same key is tried without the signatures in the request, which may be another key's. Without any, the client
    /// gets the answer.
    Unsigned,
}

/// What an answer says of the upstream key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// The key is to rest so long, as the provider states.
    Rest(Extent, Duration),
    /// The key is to rest, and nobody says how long.
    Guess(Extent),
    /// The money or the quota of the key is spent: for so long, where the provider says so.
    Exhaust(Extent, Option<Duration>),
    /// The key is refused.
    Refuse(Extent),
    /// It may be refused: the status says so, and no words do.
    Doubt(Extent),
}

/// What of a key something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole key.
    Key,
    /// The key for the model that was asked for.
    Model,
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
            // Relays say so, too, that they have no such model.
            503 => return None,
            508 => Self::Circle,
            408 | 500..600 => Self::Failed,
            failure if rules.failures.contains(&failure) => Self::Failed,
            400..500 => return None,
            _ => Self::Unusable("its status is not one of HTTP's"),
        })
    }
}

/// What an answer with this status, these headers and this body means, which the format reads as `error`.
pub fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    error: &ProviderError,
    body: &[u8],
    question: Question,
    rules: &ErrorRules,
) -> Verdict {
    let by_status = Meaning::of_status(status, rules);
    let decided = by_status.is_some_and(|meaning| meaning != Meaning::RateLimited);
    let name = headers.get(rules.name).and_then(|name| name.to_str().ok());
    let (refused, doubtful) = if decided { (None, false) } else { refused(status, name, error, body, question, rules) };
    let meaning = match refused {
        Some(Refused::Overloaded) => Meaning::Failed,
        Some(Refused::Exhausted) => Meaning::Exhausted,
        Some(Refused::InFlight | Refused::Rate) => Meaning::RateLimited,
        Some(Refused::Key | Refused::Right) if by_status.is_none() => Meaning::KeyRefused,
        Some(Refused::Model) if by_status.is_none() => Meaning::NoModel,
        _ => by_status.unwrap_or(if status.is_server_error() { Meaning::Failed } else { Meaning::ClientFault }),
    };
    let stated = match meaning {
        Meaning::RateLimited => {
            let by_headers = retry_after(headers, rules).or_else(|| window(headers, rules));
            by_headers.or(error.retry_after).or_else(|| rules.pause(body))
        }
        Meaning::Exhausted => retry_after(headers, rules).or(error.retry_after).or_else(|| rules.pause(body)),
        _ => None,
    };
    let pause = stated.map(|pause| pause.min(LONGEST_PAUSE));
    let unreadable = error.code.as_deref() == Some(ProviderError::INVALID_SIGNATURE);
    let step = match meaning {
        Meaning::RateLimited | Meaning::Exhausted | Meaning::KeyRefused | Meaning::Failed => Step::NextKey,
        Meaning::NoModel => Step::NextGroup,
        Meaning::ClientFault if unreadable => Step::Unsigned,
        Meaning::ClientFault | Meaning::Success | Meaning::Circle | Meaning::Unusable(_) => Step::End,
    };
    // A key is often allowed one thing and not another, and what is asked without a model has limits of its own.
    let of_model = question.names_model && !question.beside_chat;
    let effect = match meaning {
        Meaning::RateLimited if refused == Some(Refused::InFlight) => Effect::None,
        Meaning::RateLimited if question.names_model => {
            pause.map_or(Effect::Guess(Extent::Model), |pause| Effect::Rest(Extent::Model, pause))
        }
        Meaning::Exhausted => {
            let extent =
                if question.names_model && rules.is_of_model(name, body) { Extent::Model } else { Extent::Key };
            // Some state the short pause of a rate limit beside a quota that is spent for long.
            let stated = stated.filter(|pause| *pause > LONGEST_PAUSE).or_else(|| renewal(name, body, rules));
            Effect::Exhaust(extent, stated.map(|pause| pause.min(LONGEST_EXHAUSTION)))
        }
        Meaning::KeyRefused if doubtful && refused == Some(Refused::Key) => Effect::Doubt(Extent::Key),
        Meaning::KeyRefused if doubtful && of_model => Effect::Doubt(Extent::Model),
        Meaning::KeyRefused if refused == Some(Refused::Key) => Effect::Refuse(Extent::Key),
        Meaning::KeyRefused | Meaning::NoModel if of_model => Effect::Refuse(Extent::Model),
        _ => Effect::None,
    };
    Verdict { meaning, step, effect, pause }
}

/// What an answer is about whose status does not decide it, and whether that is in doubt: no words say so, and the
/// status is one that some give for other things.
fn refused(
    status: StatusCode,
    name: Option<&str>,
    error: &ProviderError,
    body: &[u8],
    question: Question,
    rules: &ErrorRules,
) -> (Option<Refused>, bool) {
    let by_words = rules.refused(status.as_u16(), name, body);
    // An object that is not there is no model that is not there.
    let by_words = by_words.filter(|refused| question.names_model || *refused != Refused::Model);
    if by_words.is_some() {
        return (by_words, false);
    }
    match (status, error.kind) {
        _ if status.is_server_error() => (None, false),
        (StatusCode::PAYMENT_REQUIRED, _) | (_, ErrorKind::Quota) => (Some(Refused::Exhausted), false),
        (StatusCode::FORBIDDEN, _) => (Some(Refused::Right), true),
        (StatusCode::UNAUTHORIZED, _) => (Some(Refused::Key), true),
        (_, ErrorKind::UpstreamAuthentication) => (Some(Refused::Key), false),
        (_, ErrorKind::NotFound) if question.names_model && error.code.as_deref() == Some("model_not_found") => {
            (Some(Refused::Model), false)
        }
        _ => (None, false),
    }
}

/// How long it is until a quota that is spent is there again, by the words of an answer or by what is known of it.
fn renewal(name: Option<&str>, body: &[u8], rules: &ErrorRules) -> Option<Duration> {
    let now = now();
    let at = match rules.renewal(name, body)? {
        Renewal::At(time) => time.parse::<Timestamp>().ok()?,
        Renewal::NextDay { offset_hours } => next(now, offset_hours, ToSpan::days)?,
        Renewal::NextMonth => next(now, 0, ToSpan::months)?,
    };
    Duration::try_from(at.duration_since(now)).ok().filter(|left| !left.is_zero())
}

/// When the next day or month begins after `now`, so many hours from UTC.
fn next(now: Timestamp, offset_hours: i8, unit: fn(i64) -> Span) -> Option<Timestamp> {
    let local = Offset::from_hours(offset_hours).ok()?.to_datetime(now);
    let one = unit(1);
    let begin = if one.get_months() == 0 { local.date() } else { local.date().first_of_month() };
    let next = begin.checked_add(one).ok()?.to_datetime(Time::midnight());
    Offset::from_hours(offset_hours).ok()?.to_timestamp(next).ok()
}

/// Shortens the pauses in the headers of an answer to the `longest`, so that a client is not told to wait for longer
/// than counts here.
pub fn shorten_pause(headers: &mut HeaderMap, rules: &ErrorRules, longest: Duration) {
    if retry_after(headers, rules).is_none_or(|pause| pause < longest) {
        return;
    }
    if let Some(pause) = headers.get_mut(rules.pause_ms) {
        *pause = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX).into();
    }
    if let Some(pause) = headers.get_mut(RETRY_AFTER) {
        *pause = (longest.as_secs() + u64::from(longest.subsec_nanos() > 0)).into();
    }
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
            Some(at.duration_since(now()).as_secs_f64())
        })
    })?;
    (seconds.is_finite() && seconds > 0.0)
        .then(|| Duration::from_secs_f64(seconds.min(LONGEST_EXHAUSTION.as_secs_f64())))
}

/// The pause until the last window is open again, by the headers that the vendor has for it.
fn window(headers: &HeaderMap, rules: &ErrorRules) -> Option<Duration> {
    let named = |name: &str| name.starts_with(rules.resets) && name.ends_with("-reset");
    let times = headers.iter().filter(|(name, _)| named(name.as_str()));
    let times = times.filter_map(|(_, value)| value.to_str().ok()?.parse::<Timestamp>().ok());
    let until = |time: Timestamp| time.duration_since(now()).as_secs_f64();
    let pause = times.max().map(until).filter(|pause| *pause > 0.0).map(Duration::from_secs_f64);
    pause.or_else(|| closed_window(headers, rules)).map(|pause| pause.min(LONGEST_PAUSE))
}

/// The longest pause until a window is open again of which nothing is left.
fn closed_window(headers: &HeaderMap, rules: &ErrorRules) -> Option<Duration> {
    let (remaining, reset) = rules.windows;
    let closed = headers.iter().filter(|(_, value)| value.as_bytes() == b"0");
    let windows = closed.filter_map(|(name, _)| name.as_str().strip_prefix(remaining));
    let resets = windows.filter_map(|window| headers.get(format!("{reset}{window}"))?.to_str().ok());
    resets.filter_map(|text| rules.duration(text)).max()
}

#[cfg(test)]
mod tests;
