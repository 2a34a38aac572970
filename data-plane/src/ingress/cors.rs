//! Lets pages in browsers call the gateway, where the operator allows their origin (Fetch standard, "CORS protocol").
//!
//! The preflight is answered before anything is asked for a key, because browsers send none with it. Cookies are never
//! allowed: a page shows its own key.

use std::sync::Arc;

use anyhow::{Result, ensure};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, DELETE, OPTIONS");

/// What a page may send where its preflight does not say what it will.
const USUAL_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, x-api-key, x-goog-api-key");

/// Seconds for which a browser may remember the answer to a preflight. Browsers cap it at two hours or less.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Headers of answers that a page may read, as far as they are there. `x-ratelimit-…` and others are added as they
/// come.
const EXPOSED: &str = "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, x-upstream-request-id, \
                       x-orchestration-dropped, x-orchestration-attempts, x-orchestration-group, x-orchestration-model, \
                       x-orchestration-cache, \
                       x-ratelimit-limit-requests, x-ratelimit-limit-tokens, \
                       x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, \
                       x-ratelimit-reset-tokens";

/// What the answers to a preflight depend on.
const PREFLIGHT_VARY: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");

const PRIVATE_NETWORK_ASKED: HeaderName = HeaderName::from_static("access-control-request-private-network");
const PRIVATE_NETWORK_ALLOWED: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// The origins whose pages may call the gateway. Clones share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigins {
    any: bool,
    origins: Arc<[String]>,
}

impl AllowedOrigins {
    /// The origins of the setting, none where it is empty: each as a browser sends it (`https://app.example.com`), or `*`
    /// for all.
    ///
    /// # Errors
    /// When one of them is no origin.
    pub fn of(setting: &[String]) -> Result<Option<Self>> {
        let origins: Vec<String> = setting.iter().map(|origin| origin.trim().to_ascii_lowercase()).collect();
        let any = origins.iter().any(|origin| origin == "*");
        for origin in origins.iter().filter(|origin| !matches!(origin.as_str(), "*" | "null")) {
            let uri = origin.parse::<Uri>().ok();
            let bare =
                |uri: &Uri| uri.scheme().is_some() && uri.authority().is_some_and(|host| !host.as_str().contains('@'));
            let path = origin.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#', '*']));
            ensure!(
                uri.as_ref().is_some_and(bare) && !path,
                "Server:AllowedOrigins holds {origin:?}: write each origin as scheme://host or scheme://host:port, such \
                 as https://app.example.com, without a path; or * for all"
            );
        }
        Ok((!origins.is_empty()).then(|| Self { any, origins: origins.into() }))
    }

    /// What a page of `origin` is told that may call, where one may.
    fn allow(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.any {
            return Some(HeaderValue::from_static("*"));
        }
        let given = origin.to_str().ok()?;
        self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(given)).then(|| origin.clone())
    }
}

/// Answers preflights, and tells browsers in every other answer that the page may read it.
pub(super) async fn layer(State(allowed): State<AllowedOrigins>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).and_then(|origin| allowed.allow(origin));
    if let Some(origin) = &origin
        && is_preflight(&request)
    {
        return preflight(origin.clone(), request.headers());
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if !allowed.any {
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = origin {
        let exposed = exposed(headers);
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(origin: HeaderValue, asked: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    // `*` does not mean `authorization`, so what is asked for is repeated.
    let wanted = asked.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned().unwrap_or(USUAL_HEADERS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(VARY, PREFLIGHT_VARY);
    if asked.get(PRIVATE_NETWORK_ASKED).is_some_and(|asked| asked == "true") {
        headers.insert(PRIVATE_NETWORK_ALLOWED, HeaderValue::from_static("true"));
    }
    response
}

/// The names of the headers that a page may read: those that are always named, and those of this answer.
fn exposed(headers: &HeaderMap) -> HeaderValue {
    let mut names = EXPOSED.to_owned();
    let further = |name: &&HeaderName| {
        let name = name.as_str();
        (name.starts_with("x-") || name.starts_with("openai-") || name.starts_with("anthropic-"))
            && !EXPOSED.split(", ").any(|known| known == name)
    };
    for name in headers.keys().filter(further) {
        names.push_str(", ");
        names.push_str(name.as_str());
    }
    HeaderValue::from_str(&names).unwrap_or_else(|_| HeaderValue::from_static("x-request-id"))
}

#[cfg(test)]
mod tests;
