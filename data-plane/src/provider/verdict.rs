//! What an answer means for the request and for the upstream key.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// The longest pause that a provider can ask for: beyond it the key is tried again all the same.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the answer.
    Success,
    /// The request is at fault: the client gets it, and the key is not harmed.
    ClientFault,
    /// The key is to rest, so long if the provider says; another may answer.
    RateLimited(Option<Duration>),
    /// The key does not open the provider; another may.
    KeyRefused,
    /// The provider is at fault; another key may answer.
    Retryable,
    /// Nothing that an API answers with, such as a redirect.
    Unusable(&'static str),
}

/// What an answer means at most vendors.
pub fn usual(status: StatusCode, headers: &HeaderMap) -> Verdict {
    match status.as_u16() {
        200..300 => Verdict::Success,
        300..400 => Verdict::Unusable("it is a redirect, and redirects are not followed"),
        401 | 403 => Verdict::KeyRefused,
        429 => Verdict::RateLimited(retry_after(headers)),
        // A gateway like this one, which the request has come to before (RFC 5842, 7.2): another try goes the same way.
        508 => Verdict::ClientFault,
        // 424: the model behind the provider failed (Bedrock).
        408 | 424 | 500..600 => Verdict::Retryable,
        400..500 => Verdict::ClientFault,
        _ => Verdict::Unusable("its status is not one of HTTP's"),
    }
}

/// The pause that the provider asks for: `retry-after-ms` (OpenAI and Azure), or `Retry-After` in seconds or as a date
/// (RFC 9110, section 10.2.3). What cannot be read, or lies in the past, asks for none.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let milliseconds = text("retry-after-ms").and_then(|value| value.parse::<f64>().ok());
    let seconds = milliseconds.map(|ms| ms / 1000.0).or_else(|| {
        let value = text("retry-after")?;
        value.parse::<f64>().ok().or_else(|| {
            let at = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            Some(at.duration_since(Timestamp::now()).as_secs_f64())
        })
    })?;
    (seconds.is_finite() && seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST_PAUSE.as_secs_f64())))
}

/// The pause until the last window is open again, by headers that begin with `prefix`, end in `-reset` and hold a time
/// (RFC 3339): Anthropic's.
pub(crate) fn reset(headers: &HeaderMap, prefix: &str) -> Option<Duration> {
    let named = |name: &str| name.starts_with(prefix) && name.ends_with("-reset");
    let times = headers.iter().filter(|(name, _)| named(name.as_str()));
    let times = times.filter_map(|(_, value)| value.to_str().ok()?.parse::<Timestamp>().ok());
    let pause = times.max()?.duration_since(Timestamp::now()).as_secs_f64();
    (pause > 0.0).then(|| Duration::from_secs_f64(pause.min(LONGEST_PAUSE.as_secs_f64())))
}

#[cfg(test)]
mod tests;
