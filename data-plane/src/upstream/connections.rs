//! Pools of connections, by the way they leave.

use std::sync::OnceLock;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};

use super::body::RequestBody;
use super::port::Ported;
use super::timed::Timed;

/// Pooled connections.
pub type Pool<C> = Client<C, RequestBody>;

/// Makes connections that lead through no proxy.
pub(super) type Direct = HttpsConnector<HttpConnector>;

/// Connections of one way out.
#[derive(Clone, Debug)]
pub(super) enum Connections {
    Direct(Pool<Timed<Direct>>),
    Tunnel(Pool<Timed<HttpsConnector<Ported<Tunnel<Direct>>>>>),
    Socks(Pool<Timed<HttpsConnector<Ported<SocksV5<HttpConnector>>>>>),
}

/// Connections of one way out, made when the first request needs them.
pub(super) type Lazy = OnceLock<Connections>;
