//! The connections of one way out, which are made anew when the host that it leads to has moved.

use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper_util::client::legacy::ResponseFuture;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use rustls::ClientConfig;
use shared::snapshot::{OutboundProxy, ProxyScheme};
use tokio::time::{sleep, timeout};
use tower::Service as _;
use tracing::info;

use super::body::RequestBody;
use super::connections::{Connections, Direct};
use super::exit::basic_credentials;
use super::peers::{Noting, Peers};
use super::port::Ported;
use super::resolver::Resolver;
use super::timed::Timed;
use super::{over_tls, pool};

/// How often the name of a host is looked up while connections to it are open. A host that has moved is noticed at the
/// second look, so within 30 s.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// How long one look may take.
pub(super) const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// How the connections of a way are made.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) tls: ClientConfig,
    pub(super) proxy: Option<OutboundProxy>,
    /// How long one may take to be made, with TLS and the proxies on the way.
    pub(super) within: Duration,
    pub(super) resolver: Resolver,
}

/// Connections of one way out.
#[derive(Debug)]
pub(super) struct Way {
    recipe: Recipe,
    now: ArcSwap<Pooled>,
}

/// Pooled connections, and where they lead.
#[derive(Debug)]
struct Pooled {
    connections: Connections,
    peers: Arc<Peers>,
}

impl Way {
    /// A way without connections, which are made as `recipe` says.
    pub(super) fn new(recipe: Recipe) -> Self {
        let now = ArcSwap::from_pointee(recipe.pooled());
        Self { recipe, now }
    }

    /// Sends `request`.
    pub(super) fn request(&self, request: http::Request<RequestBody>) -> ResponseFuture {
        match &self.now.load().connections {
            Connections::Direct(pool) => pool.request(request),
            Connections::Tunnel(pool) => pool.request(request),
            Connections::Socks(pool) => pool.request(request),
        }
    }

    /// Looks up `name` `every` so often, as long as `way` is used and has open connections. Where it has moved, further
    /// requests get new connections; those under way end on the old ones.
    pub(super) async fn follow(way: Weak<Self>, name: Name, every: Duration) {
        loop {
            sleep(every).await;
            let Some(way) = way.upgrade() else { return };
            let pooled = way.now.load_full();
            if !pooled.peers.are_there() {
                continue;
            }
            let found = timeout(LOOK_TIMEOUT, way.recipe.resolver.clone().call(name.clone())).await;
            // A name that cannot be looked up now has not moved.
            let Ok(Ok(found)) = found else { continue };
            let found: Vec<_> = found.map(|address| address.ip()).collect();
            if pooled.peers.have_moved(&found) {
                info!(host = name.as_str(), "the host has other addresses now; new connections are made");
                way.now.store(Arc::new(way.recipe.pooled()));
            }
        }
    }
}

impl Recipe {
    fn pooled(&self) -> Pooled {
        let peers = Arc::default();
        Pooled { connections: self.connections(&peers), peers }
    }

    fn connections(&self, peers: &Arc<Peers>) -> Connections {
        let within = self.within;
        let Some(proxy) = &self.proxy else {
            return Connections::Direct(pool(Timed::new(self.direct(peers), within)));
        };
        let scheme = if proxy.scheme == ProxyScheme::Socks5 { "socks5" } else { proxy.scheme.as_str() };
        let uri = format!("{scheme}://{}:{}", bracketed(&proxy.host), proxy.port);
        let Ok(uri) = uri.parse::<http::Uri>() else {
            // Validated config does not come here. A proxy whose host is malformed must not lead to a way around the
            // proxy.
            let nowhere = http::Uri::from_static("http://proxy.invalid:1");
            let tunnel = Tunnel::new(nowhere, self.direct(peers));
            return Connections::Tunnel(pool(Timed::new(over_tls(self.tls.clone(), Ported(tunnel)), within)));
        };
        if proxy.scheme == ProxyScheme::Socks5 {
            let mut socks = SocksV5::new(uri, self.tcp(peers));
            if !proxy.username.is_empty() {
                socks = socks.with_auth(proxy.username.clone(), proxy.password.expose().to_owned());
            }
            return Connections::Socks(pool(Timed::new(over_tls(self.tls.clone(), Ported(socks)), within)));
        }
        let mut tunnel = Tunnel::new(uri, self.direct(peers));
        if let Some(credentials) = basic_credentials(proxy) {
            tunnel = tunnel.with_auth(credentials);
        }
        Connections::Tunnel(pool(Timed::new(over_tls(self.tls.clone(), Ported(tunnel)), within)))
    }

    fn direct(&self, peers: &Arc<Peers>) -> Direct {
        over_tls(self.tls.clone(), self.tcp(peers))
    }

    fn tcp(&self, peers: &Arc<Peers>) -> Noting {
        let mut tcp = HttpConnector::new_with_resolver(self.resolver.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(self.within));
        tcp.set_keepalive(Some(Duration::from_mins(1)));
        Noting::new(tcp, peers)
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}
