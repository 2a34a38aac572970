//! What may be wrong with a provider or with an upstream key, and how that looks from outside.

use bytes::Bytes;
use fastrand::Rng;
use http::{HeaderMap, StatusCode};

use crate::attempt::send::simulated::Reply;

/// What is wrong with a provider, whatever the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Connections are refused.
    Refuses,
    /// Connections are closed without an answer.
    Cuts,
    /// It takes requests and says nothing.
    Silent,
    /// It answers all with this status.
    Errs(u16),
    /// It answers so many of a hundred with 503.
    Flaky(u8),
    /// It answers with what is no answer.
    Garbage,
    /// It answers well, after so many milliseconds.
    Slow(u32),
}

impl Trouble {
    /// One of them.
    pub(super) fn drawn(rng: &mut Rng) -> Self {
        match rng.u8(0..8) {
            0 => Self::Refuses,
            1 => Self::Cuts,
            2 => Self::Silent,
            3 => Self::Errs(rng.choice([500, 502, 503, 529]).unwrap_or(500)),
            4 => Self::Flaky(rng.u8(20..70)),
            5 => Self::Garbage,
            6 => Self::Slow(rng.u32(500..6_000)),
            _ => Self::Errs(503),
        }
    }
}

/// What is wrong with an upstream key, as a whole or for one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has been revoked, and the provider says so.
    Revoked,
    /// It is refused, in words that leave doubt.
    Doubtful,
    /// Its account has no money. The provider says so with this status, and may say for how many seconds.
    NoMoney(u16, Option<u32>),
    /// It is limited until then, in milliseconds of true time, and the provider says how long that is.
    Limited(i64),
    /// The same, and the provider does not say how long.
    LimitedUnstated(i64),
    /// It may not use the model.
    NoAccess,
}

impl Fault {
    /// One of them, of a key as a whole or, where `of_model`, for one model, at `now`.
    pub(super) fn drawn(rng: &mut Rng, of_model: bool, now: i64) -> Self {
        match rng.u8(0..6) {
            _ if of_model && rng.u8(0..4) == 0 => Self::NoAccess,
            0 if !of_model => Self::Revoked,
            1 if !of_model => Self::Doubtful,
            2 if !of_model => {
                let stated = rng.bool().then(|| rng.u32(130..2_000));
                Self::NoMoney(rng.choice([400, 402, 429]).unwrap_or(402), stated)
            }
            3 => Self::LimitedUnstated(now + rng.i64(1_000..60_000)),
            _ => Self::Limited(now + rng.i64(1_000..160_000)),
        }
    }

    /// One of those that look like a failure of the group where all of its keys have them, at `now`.
    pub(super) fn alike(rng: &mut Rng, now: i64) -> Self {
        match rng.u8(0..3) {
            0 => Self::Revoked,
            1 => Self::Doubtful,
            _ => Self::LimitedUnstated(now + rng.i64(1_000..60_000)),
        }
    }

    /// Whether it has ended by itself at `now`.
    pub(super) fn is_over(self, now: i64) -> bool {
        matches!(self, Self::Limited(until) | Self::LimitedUnstated(until) if until <= now)
    }

    /// What the provider says of it at `now`, and how long it states that it lasts, in seconds.
    pub(super) fn reply(self, now: i64) -> (Reply, Option<i64>) {
        let said = |status: u16, message: &str, code: &str, stated: Option<i64>| {
            let body = format!(r#"{{"error":{{"message":"{message}","type":"{code}","code":"{code}"}}}}"#);
            let mut headers = HeaderMap::new();
            stated.map(|seconds| headers.insert("retry-after", seconds.into()));
            (answer(status, headers, body), stated)
        };
        match self {
            Self::Revoked => said(401, "Incorrect API key provided: sk-1234.", "invalid_api_key", None),
            Self::Doubtful => said(401, "No.", "", None),
            Self::NoMoney(status, stated) => {
                let words = if status == 400 { "Your credit balance is too low" } else { "Insufficient Balance" };
                let code = if status == 429 { "insufficient_quota" } else { "invalid_request_error" };
                said(status, words, code, stated.map(i64::from))
            }
            Self::Limited(until) => {
                said(429, "Rate limit reached", "rate_limit_exceeded", Some(((until - now) / 1_000 + 1).max(1)))
            }
            Self::LimitedUnstated(_) => said(429, "Rate limit reached", "rate_limit_exceeded", None),
            Self::NoAccess => said(403, "Project does not have access to model `a`", "model_not_found", None),
        }
    }
}

/// An answer that is well.
pub(super) fn well() -> Reply {
    answer(200, HeaderMap::new(), r#"{"choices":[]}"#.to_owned())
}

/// An error answer of a provider that has failed, or of one to a request that is at fault.
pub(super) fn error(status: u16) -> Reply {
    answer(status, HeaderMap::new(), format!(r#"{{"error":{{"message":"status {status}","code":null}}}}"#))
}

fn answer(status: u16, headers: HeaderMap, body: String) -> Reply {
    let status = StatusCode::from_u16(status).expect("a status of HTTP's");
    Reply::Answer(status, headers, Bytes::from(body))
}
