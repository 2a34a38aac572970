//! Pools of connections, by the way they leave.

use std::sync::OnceLock;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};

use super::body::RequestBody;
use super::port::Ported;

/// Pooled connections.
pub type Pool<C> = Client<C, RequestBody>;

/// Makes connections that lead through no proxy.
pub(super) type Direct = HttpsConnector<HttpConnector>;

/// Connections through a proxy.
#[derive(Clone, Debug)]
pub(super) enum Connections {
    Tunnel(Pool<HttpsConnector<Ported<Tunnel<Direct>>>>),
    Socks(Pool<HttpsConnector<Ported<SocksV5<HttpConnector>>>>),
}

/// Connections through one proxy, made when the first request needs them.
pub(super) type Lazy = OnceLock<Connections>;
