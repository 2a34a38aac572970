//! The HTTP client to providers: pools of connections, TLS, and proxies on the way.
//!
//! This is hyper's pooled client itself and not a layer over it. It is on the path of every request, where a layer
//! costs a third more processor time than all else that the gateway does.

mod body;
mod connections;
mod exit;
mod port;
mod timed;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::ResponseFuture;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use shared::descriptors;
use shared::snapshot::{OutboundProxy, ProxyScheme};
use tracing::warn;

use connections::{Connections, Direct};

pub use body::RequestBody;
pub use connections::Pool;
pub use exit::Exit;
use port::Ported;
use timed::Timed;

/// How long a connection may take to be made, with TLS and the proxies on the way, where the group says nothing else.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept. Providers' load balancers close theirs after a minute or more.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// The HTTP client to all providers.
#[derive(Debug)]
pub struct Upstream {
    tls: ClientConfig,
    direct: Pool<Timed<Direct>>,
}

impl Upstream {
    /// A client that trusts the system's root certificates, or Mozilla's where the system has none.
    ///
    /// # Errors
    /// When there is no TLS provider.
    pub fn new() -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        let (added, _ignored) = roots.add_parsable_certificates(native.certs);
        if added == 0 {
            warn!("the system has no root certificates; Mozilla's are used");
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        ensure!(!roots.is_empty(), "there are no root certificates");
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS versions")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let direct = pool(Timed::new(over_tls(tls.clone(), tcp(CONNECT_TIMEOUT)), CONNECT_TIMEOUT));
        Ok(Self { tls, direct })
    }

    /// Sends `request` by the way `exit`. Dropping the future, or the body of its answer, ends the request at the
    /// provider.
    pub fn send(&self, exit: &Exit, request: http::Request<RequestBody>) -> ResponseFuture {
        let Some(connections) = exit.own() else { return self.direct.request(request) };
        match connections.get_or_init(|| self.leading(exit)) {
            Connections::Direct(pool) => pool.request(request),
            Connections::Tunnel(pool) => pool.request(request),
            Connections::Socks(pool) => pool.request(request),
        }
    }

    /// Pooled connections that `connector` makes, with this client's TLS.
    pub fn over<C>(&self, connector: C) -> Pool<HttpsConnector<C>>
    where
        HttpsConnector<C>: legacy::connect::Connect + Clone,
    {
        pool(over_tls(self.tls.clone(), connector))
    }

    /// Connections of their own for `exit`.
    fn leading(&self, exit: &Exit) -> Connections {
        let within = exit.connect_timeout().unwrap_or(CONNECT_TIMEOUT);
        match exit.proxy() {
            Some(proxy) => self.through(proxy, within),
            None => Connections::Direct(pool(Timed::new(self.direct_connector(within), within))),
        }
    }

    /// Connections through `proxy`, each made `within` that time.
    fn through(&self, proxy: &OutboundProxy, within: Duration) -> Connections {
        let scheme = if proxy.scheme == ProxyScheme::Socks5 { "socks5" } else { proxy.scheme.as_str() };
        let uri = format!("{scheme}://{}:{}", bracketed(&proxy.host), proxy.port);
        let Ok(uri) = uri.parse::<http::Uri>() else {
            // Validated config does not come here. A proxy whose host is malformed must not lead to a way around the
            // proxy.
            let nowhere = http::Uri::from_static("http://proxy.invalid:1");
            let tunnel = Tunnel::new(nowhere, self.direct_connector(within));
            return Connections::Tunnel(pool(Timed::new(over_tls(self.tls.clone(), Ported(tunnel)), within)));
        };
        if proxy.scheme == ProxyScheme::Socks5 {
            let mut socks = SocksV5::new(uri, tcp(within));
            if !proxy.username.is_empty() {
                socks = socks.with_auth(proxy.username.clone(), proxy.password.expose().to_owned());
            }
            return Connections::Socks(pool(Timed::new(over_tls(self.tls.clone(), Ported(socks)), within)));
        }
        let mut tunnel = Tunnel::new(uri, self.direct_connector(within));
        if let Some(credentials) = exit::basic_credentials(proxy) {
            tunnel = tunnel.with_auth(credentials);
        }
        Connections::Tunnel(pool(Timed::new(over_tls(self.tls.clone(), Ported(tunnel)), within)))
    }

    fn direct_connector(&self, within: Duration) -> Direct {
        over_tls(self.tls.clone(), tcp(within))
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

fn tcp(within: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(within));
    tcp.set_keepalive(Some(Duration::from_mins(1)));
    tcp
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
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(most_idle())
        .http1_max_buf_size(128 * 1024)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(10))
        .build(connector)
}

#[cfg(test)]
mod tests;
