//! Bounds the time that a connection takes to be made.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use tokio::time::timeout;
use tower::{BoxError, Service};

/// A connector that gives up when a connection, with TLS and the proxies on the way, is not made in time.
#[derive(Clone, Debug)]
pub(super) struct Timed<C> {
    connector: C,
    within: Duration,
}

impl<C> Timed<C> {
    /// Makes connections with `connector`, each `within` that time.
    pub(super) fn new(connector: C, within: Duration) -> Self {
        Self { connector, within }
    }
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = timeout(self.within, self.connector.call(uri));
        Box::pin(async move {
            match connected.await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_elapsed) => Err(Error::new(ErrorKind::TimedOut, "no connection in time").into()),
            }
        })
    }
}
