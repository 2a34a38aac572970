//! Finds the addresses of a name.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::{Service, ServiceExt as _};

type Resolving = Pin<Box<dyn Future<Output = io::Result<vec::IntoIter<SocketAddr>>> + Send>>;

/// Finds the addresses of a name: the system's resolver, or another one in tests.
#[derive(Clone)]
pub(super) struct Resolver(Arc<dyn Fn(Name) -> Resolving + Send + Sync>);

impl Resolver {
    /// The system's resolver.
    pub(super) fn of_the_system() -> Self {
        Self::new(GaiResolver::new())
    }

    /// Asks `service`.
    pub(super) fn new<S>(service: S) -> Self
    where
        S: Service<Name, Error = io::Error> + Clone + Send + Sync + 'static,
        S::Response: Iterator<Item = SocketAddr>,
        S::Future: Send,
    {
        Self(Arc::new(move |name| {
            let service = service.clone();
            Box::pin(async move { Ok(service.oneshot(name).await?.collect::<Vec<_>>().into_iter()) })
        }))
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Resolving;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Resolving {
        (self.0)(name)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Resolver")
    }
}
