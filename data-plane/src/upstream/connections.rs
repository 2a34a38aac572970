//! Pools of connections, by the way they leave.

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};

use super::body::RequestBody;
use super::peers::Noting;
use super::port::Ported;
use super::timed::Timed;

/// Pooled connections.
pub type Pool<C> = Client<C, RequestBody>;

/// Makes connections that lead through no proxy.
pub(super) type Direct = HttpsConnector<Noting>;

/// Connections of one way out.
#[derive(Clone, Debug)]
pub(super) enum Connections {
    Direct(Pool<Timed<Direct>>),
    Tunnel(Pool<Timed<HttpsConnector<Ported<Tunnel<Direct>>>>>),
    Socks(Pool<Timed<HttpsConnector<Ported<SocksV5<Noting>>>>>),
}
