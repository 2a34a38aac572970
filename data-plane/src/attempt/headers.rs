//! Which headers of a client go upstream: only those on a list. So no credential, cookie or hop-by-hop header does.

use std::borrow::Cow;

use aws_lc_rs::rand;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, USER_AGENT};
use http::{HeaderValue, request};
use memchr::memmem;
use shared::crypto::hex;
use translation::Format;

use crate::auth;

/// Headers that go to every provider: they serve to watch over the application, or to do nothing twice.
const FORWARDED: [HeaderName; 3] =
    [HeaderName::from_static("idempotency-key"), HeaderName::from_static("x-client-request-id"), TRACESTATE];

/// The header that counts how many gateways like this one a request has passed.
pub const HOPS: HeaderName = HeaderName::from_static("x-orchestration-hops");

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How the name begins by which gateways like this one call themselves, in whatever version.
const OUR_NAME: &str = "orchestration-api/";

/// What stands behind the name and before the number of gateways that a request has passed. This is the second place of
/// that number: a proxy on the way may strip headers that it does not know, or set a name of its own.
const HOP: &str = "(hop ";

const FIRST_HOP: HeaderValue =
    HeaderValue::from_static(concat!("orchestration-api/", env!("CARGO_PKG_VERSION"), " (hop 1)"));
const FURTHER_HOP: HeaderValue =
    HeaderValue::from_static(concat!("orchestration-api/", env!("CARGO_PKG_VERSION"), " (hop 2)"));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// The number of gateways that the name of the client tells of. It is 0 where the client is none.
fn hops_in_name(headers: &HeaderMap) -> u64 {
    let name = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let Some(rest) = name.and_then(|name| name.strip_prefix(OUR_NAME)) else { return 0 };
    let number = rest.split_once(HOP).and_then(|(_, hop)| hop.split(')').next()?.parse().ok());
    number.unwrap_or(1)
}

/// The headers of a client's request that may go upstream.
#[derive(Debug)]
pub struct ClientHeaders<'r> {
    headers: &'r HeaderMap,
    format: Format,
    credential: Option<Cow<'r, [u8]>>,
    hops: u64,
    trace: Option<TraceContext>,
}

/// The trace that the request belongs to (W3C Trace Context, version 00).
#[derive(Clone, Debug, PartialEq, Eq)]
struct TraceContext {
    trace_id: String,
    flags: String,
}

impl TraceContext {
    /// Reads `traceparent`. One that is malformed starts no trace (W3C Trace Context, section 3.2.2).
    fn read(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(TRACEPARENT)?.to_str().ok()?;
        let mut parts = text.trim().split('-');
        let (version, trace_id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let valid = known && is_hex(trace_id, 32) && is_hex(parent, 16) && is_hex(flags, 2);
        let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
        (valid && !zero(trace_id) && !zero(parent))
            .then(|| Self { trace_id: trace_id.to_owned(), flags: flags.to_owned() })
    }

    /// The `traceparent` of one attempt: the same trace, and a span of its own.
    fn child(&self) -> Option<HeaderValue> {
        let mut span = [0; 8];
        rand::fill(&mut span).ok()?;
        span[7] |= 1;
        HeaderValue::from_str(&format!("00-{}-{}-{}", self.trace_id, hex(&span), self.flags)).ok()
    }
}

impl<'r> ClientHeaders<'r> {
    /// The headers of a request whose client speaks `format`.
    pub fn new(parts: &'r request::Parts, format: Format) -> Self {
        let headers = &parts.headers;
        let counted = headers.get(HOPS).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or_default();
        let hops = hops_in_name(headers).max(counted);
        Self { headers, format, credential: auth::credential(parts, format), hops, trace: TraceContext::read(headers) }
    }

    /// How many gateways like this one the request has passed. A client can only raise the number, to its own harm.
    pub fn hops(&self) -> u64 {
        self.hops
    }

    /// The id of the trace that the request belongs to.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace.as_ref().map(|trace| trace.trace_id.as_str())
    }

    /// Whether the client meant the header for the next hop alone (RFC 9110, section 7.6.1).
    fn is_hop_by_hop(&self, name: &HeaderName) -> bool {
        self.headers.get_all(CONNECTION).into_iter().any(|value| {
            let mut names = value.as_bytes().split(|byte| *byte == b',');
            names.any(|listed| listed.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
        })
    }

    /// Whether the proxy key stands in a header where it does not belong.
    fn holds_key(&self, value: &HeaderValue) -> bool {
        self.credential.as_ref().is_some_and(|key| memmem::find(value.as_bytes(), key).is_some())
    }

    /// The headers of one attempt in `format`, without the credential.
    pub fn for_upstream(&self, format: Format, streamed: bool) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(CONTENT_TYPE, JSON);
        let accepted = if streamed { HeaderValue::from_static(format.facts().stream_type) } else { JSON };
        headers.insert(ACCEPT, accepted);
        headers.insert(ACCEPT_ENCODING, IDENTITY);
        headers.insert(USER_AGENT, if self.hops == 0 { FIRST_HOP } else { FURTHER_HOP });
        headers.insert(HOPS, HeaderValue::from(self.hops.saturating_add(1)));
        let own = if format == self.format { format.facts().request_headers } else { &[] };
        let own = own.iter().map(|name| HeaderName::from_static(name));
        for name in FORWARDED.iter().cloned().chain(own).filter(|name| !self.is_hop_by_hop(name)) {
            for value in self.headers.get_all(&name).into_iter().filter(|value| !self.holds_key(value)) {
                headers.append(&name, value.clone());
            }
        }
        if let Some(traceparent) = self.trace.as_ref().and_then(TraceContext::child) {
            headers.insert(TRACEPARENT, traceparent);
        } else {
            // `tracestate` says nothing without `traceparent` (W3C Trace Context, section 3.3).
            headers.remove(TRACESTATE);
        }
        headers
    }
}

#[cfg(test)]
mod tests;
