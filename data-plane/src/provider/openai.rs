//! OpenAI, and whoever speaks its API at another base URL.

use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::{Provider, Target, Verdict};

/// The longest pause that a provider can ask for: beyond it the key is tried again all the same.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// <https://platform.openai.com/docs/api-reference>
#[derive(Debug)]
pub(super) struct OpenAi;

impl Provider for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn chat_path(&self) -> &'static str {
        "/chat/completions"
    }

    fn credential(&self, secret: &str) -> Result<(HeaderName, HeaderValue), http::header::InvalidHeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {secret}"))?;
        value.set_sensitive(true);
        Ok((AUTHORIZATION, value))
    }

    fn reports_usage_on_request(&self) -> bool {
        true
    }

    fn prepare(&self, target: &Target<'_>, mut headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>> {
        let (name, value) = target.credential;
        headers.insert(name.clone(), value.clone());
        for (name, value) in target.headers {
            headers.insert(name.clone(), value.clone());
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(target.url);
        *request.headers_mut() = headers;
        request
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap) -> Verdict {
        match status.as_u16() {
            200..300 => Verdict::Success,
            300..400 => Verdict::Unusable("it is a redirect, and redirects are not followed"),
            401 | 403 => Verdict::KeyRefused,
            429 => Verdict::RateLimited(retry_after(headers)),
            408 | 500..600 => Verdict::Retryable,
            400..500 => Verdict::ClientFault,
            _ => Verdict::Unusable("its status is not one of HTTP's"),
        }
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

#[cfg(test)]
mod tests;
