//! The HTTP client to providers: pools of connections, TLS, and proxies on the way.
//!
//! This is hyper's pooled client itself and not a layer over it. It is on the path of every request, where a layer
//! costs a third more processor time than all else that the gateway does.
//!
//! - [`Exit`]: the way by which requests leave; `way`: its connections, made anew when its host has moved.
//! - `resolver`, `peers`: how that is found out. `timed`, `port`: how a connection is made.

mod body;
mod connections;
mod exit;
mod peers;
mod port;
mod resolver;
mod timed;
mod way;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::ResponseFuture;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use shared::descriptors;
use shared::drain::Tasks;
use shared::snapshot::tls_roots;
use tracing::warn;

use resolver::Resolver;
use way::{LOOK, Recipe, Way};

pub use body::RequestBody;
pub use connections::Pool;
pub use exit::Exit;

/// How long a connection may take to be made, with TLS and the proxies on the way, where the group says nothing else.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept. Providers' load balancers close theirs after a minute or more.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// The most that is read ahead of an answer on HTTP/1.1, and the largest head of one, in bytes. What a slow client does
/// not take stays in blocks of this size.
const MOST_UNREAD: usize = 32 * 1024;

/// How much of an answer a provider may send ahead on HTTP/2, in bytes. It bounds what a slow client costs, and how
/// fast one answer comes over a long way: 128 KiB in each round trip.
const WINDOW: u32 = 128 * 1024;

/// How much of all answers on one HTTP/2 connection may be sent ahead, in bytes: the most that HTTP/2 knows. A smaller
/// window would be used up by those that slow clients do not take, and all others on the connection would stand still.
const WINDOW_OF_ALL: u32 = (1 << 31) - 1;

/// The HTTP client to all providers.
#[derive(Debug)]
pub struct Upstream {
    roots: RootCertStore,
    tls: ClientConfig,
    resolver: Resolver,
    /// How often names are looked up that have open connections.
    look: Duration,
    /// The way to hosts that are named by an address.
    direct: Arc<Way>,
    /// The ways to other hosts that lead directly there, by the host. Groups of one host share it.
    ways: Mutex<HashMap<Box<str>, Weak<Way>>>,
    /// The looks. They end with the client.
    tasks: Tasks,
}

impl Upstream {
    /// A client that trusts the system's root certificates, or Mozilla's where the system has none.
    ///
    /// # Errors
    /// When there is no TLS provider.
    pub fn new() -> Result<Self> {
        Self::resolving(Resolver::of_the_system(), LOOK)
    }

    /// The same, which asks `resolver`, and looks so often whether a host has moved.
    fn resolving(resolver: Resolver, look: Duration) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        let (added, _ignored) = roots.add_parsable_certificates(native.certs);
        if added == 0 {
            warn!("the system has no root certificates; Mozilla's are used");
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        ensure!(!roots.is_empty(), "there are no root certificates");
        let tls = trusting(roots.clone())?;
        let recipe = Recipe { tls: tls.clone(), proxy: None, within: CONNECT_TIMEOUT, resolver: resolver.clone() };
        let direct = Arc::new(Way::new(recipe));
        Ok(Self { roots, tls, resolver, look, direct, ways: Mutex::default(), tasks: Tasks::new() })
    }

    /// Another client that trusts the same, and reads no certificates for that.
    #[cfg(test)]
    #[must_use]
    pub fn another(&self) -> Self {
        let (roots, tls, resolver) = (self.roots.clone(), self.tls.clone(), self.resolver.clone());
        let direct = Arc::clone(&self.direct);
        Self { roots, tls, resolver, look: self.look, direct, ways: Mutex::default(), tasks: Tasks::new() }
    }

    /// Sends `request` by the way `exit`. Dropping the future, or the body of its answer, ends the request at the
    /// provider.
    pub fn send(&self, exit: &Exit, request: http::Request<RequestBody>) -> ResponseFuture {
        exit.way().get_or_init(|| self.way(exit)).request(request)
    }

    /// Pooled connections that `connector` makes, with this client's TLS.
    pub fn over<C>(&self, connector: C) -> Pool<HttpsConnector<C>>
    where
        HttpsConnector<C>: legacy::connect::Connect + Clone,
    {
        pool(over_tls(self.tls.clone(), connector))
    }

    /// The connections of `exit`: its own, or those of all who leave as plainly for the same host.
    fn way(&self, exit: &Exit) -> Arc<Way> {
        if !exit.is_plain() {
            return self.followed(exit);
        }
        let Some(host) = exit.name() else { return Arc::clone(&self.direct) };
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(way) = ways.get(host).and_then(Weak::upgrade) {
            return way;
        }
        ways.retain(|_, way| way.strong_count() > 0);
        let way = self.followed(exit);
        ways.insert(host.into(), Arc::downgrade(&way));
        way
    }

    /// New connections of `exit`, which follow the host that they lead to when it moves.
    fn followed(&self, exit: &Exit) -> Arc<Way> {
        let way = Arc::new(Way::new(Recipe {
            tls: self.tls_of(exit),
            proxy: exit.proxy().cloned(),
            within: exit.connect_timeout().unwrap_or(CONNECT_TIMEOUT),
            resolver: self.resolver.clone(),
        }));
        if let Some(name) = exit.name().and_then(|name| name.parse().ok()) {
            let (tasks, follow) = (self.tasks.clone(), Way::follow(Arc::downgrade(&way), name, self.look));
            self.tasks.spawn_request(async move {
                tokio::select! {
                    () = tasks.stopping() => {}
                    () = follow => {}
                }
            });
        }
        way
    }

    /// Whom `exit` trusts: the certificates of this client, and those of the group.
    fn tls_of(&self, exit: &Exit) -> ClientConfig {
        let own = Some(exit.roots()).filter(|own| !own.is_empty());
        // The control plane has refused what cannot be read. Without it the connection fails, which says so.
        let Some(Ok(own)) = own.map(tls_roots) else { return self.tls.clone() };
        let mut roots = self.roots.clone();
        roots.add_parsable_certificates(own);
        trusting(roots).unwrap_or_else(|_| self.tls.clone())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// TLS that trusts `roots`.
fn trusting(roots: RootCertStore) -> Result<ClientConfig> {
    Ok(ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn over_tls<C>(tls: ClientConfig, connector: C) -> HttpsConnector<C> {
    HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().wrap_connector(connector)
}

/// How many idle connections to one provider are kept. Those to all providers share the limit of open files.
fn most_idle() -> usize {
    (descriptors::connections() / 4).clamp(8, 1024)
}

fn pool<C>(connector: C) -> Pool<C>
where
    C: legacy::connect::Connect + Clone,
{
    builder().build(connector)
}

fn builder() -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(most_idle())
        .http1_max_buf_size(MOST_UNREAD)
        .http2_initial_stream_window_size(WINDOW)
        .http2_initial_connection_window_size(WINDOW_OF_ALL)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(10));
    builder
}

#[cfg(test)]
mod tests;
