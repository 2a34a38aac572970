//! Names the port of a destination to a proxy.

use std::task::{Context, Poll};

use http::Uri;
use http::uri::{Authority, Scheme};
use tower::Service;

/// A connector that is always told the port. Connectors through a proxy take 443 where a URL names none, whatever its
/// scheme.
#[derive(Clone, Debug)]
pub(super) struct Ported<C>(pub(super) C);

impl<C: Service<Uri>> Service<Uri> for Ported<C> {
    type Response = C::Response;
    type Error = C::Error;
    type Future = C::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.0.call(with_port(uri))
    }
}

/// `uri` with the port of its scheme, where it names none (RFC 9110, section 4.2).
fn with_port(uri: Uri) -> Uri {
    if uri.port().is_some() {
        return uri;
    }
    let port = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    let Some(authority) = uri.host().and_then(|host| format!("{host}:{port}").parse::<Authority>().ok()) else {
        return uri;
    };
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(authority);
    Uri::from_parts(parts).unwrap_or(uri)
}

#[cfg(test)]
mod tests;
