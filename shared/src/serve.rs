//! The HTTP accept loop: HTTP/1.1 and cleartext HTTP/2, a deadline for every wait on a client, bounded connections, and
//! a drain with a deadline. `axum::serve` has no header deadline, and hyper's own graceful shutdown waits for ever on
//! an open stream.
//!
//! - `connections`: which are open, and which one makes room for another.
//! - `unread`: cuts off clients that do not read.
//! - [`fault`]: what the listener itself refuses.

mod connections;
pub mod fault;
mod unread;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio_util::sync::CancellationToken;
use tower::Service as _;
use tracing::{debug, info, warn};

use self::connections::{Connections, Found, Place};
use self::fault::{Fault, Refuse};
use self::unread::{Deadlined, Outflow, Streams, Taker, Watched, WriteDeadline, progress};
use crate::descriptors;
use crate::drain::Tasks;

/// Deadlines and bounds of a listener.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// A connection on which no request comes for this long while none is under way is closed, whether it is idle or
    /// sends headers slowly. The default is above the 60 s for which load balancers usually keep an idle connection.
    pub header_timeout: Duration,
    /// A new connection has to bring its first request within this time, or within `header_timeout` if that is shorter.
    pub first_request_timeout: Duration,
    /// A client that takes nothing of what it was sent for this long is cut off.
    pub write_timeout: Duration,
    /// An HTTP/2 connection is asked this often whether its client is still there.
    pub ping_interval: Duration,
    /// How many connections may be open at once, as far as the limit of open files allows so many. A further one takes
    /// the place of one that asks for nothing.
    pub max_connections: usize,
    /// After the drain signal, connections still open after this long are closed.
    pub drain_deadline: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(65),
            first_request_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_mins(1),
            ping_interval: Duration::from_secs(30),
            max_connections: 50_000,
            drain_deadline: Duration::from_secs(30),
        }
    }
}

/// What a listener counts.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCounts {
    open: Gauge,
    evicted: Counter,
    refused: Counter,
    unread: Counter,
}

/// What all listeners of a program count.
#[derive(Clone, Debug, Default)]
pub struct ConnectionMetrics {
    open: Family<ListenerLabel, Gauge>,
    evicted: Family<ListenerLabel, Counter>,
    refused: Family<ListenerLabel, Counter>,
    unread: Family<ListenerLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabel {
    listener: &'static str,
}

impl ConnectionMetrics {
    /// Counts that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let counts = Self::default();
        registry.register("connections_open", "Open connections of clients, by listener", counts.open.clone());
        let help = "Connections that asked for nothing and made room for another";
        registry.register("connections_evicted", help, counts.evicted.clone());
        let help = "Connections for which there was no room, because all others had requests under way";
        registry.register("connections_refused", help, counts.refused.clone());
        let help = "Connections and streams that were cut off because their client did not read";
        registry.register("write_timeouts", help, counts.unread.clone());
        counts
    }

    /// The counts of one listener.
    pub fn of(&self, listener: &'static str) -> ConnectionCounts {
        let label = ListenerLabel { listener };
        ConnectionCounts {
            open: self.open.get_or_create_owned(&label),
            evicted: self.evicted.get_or_create_owned(&label),
            refused: self.refused.get_or_create_owned(&label),
            unread: self.unread.get_or_create_owned(&label),
        }
    }
}

/// How a listener serves.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Its deadlines and bounds.
    pub limits: ConnectionLimits,
    /// The tasks that it belongs to. It stops when they do.
    pub tasks: Tasks,
    /// Set while clients are to go elsewhere: answers on HTTP/1.1 then say `connection: close`.
    pub leaving: Arc<AtomicBool>,
    /// Writes the answer to a request that the listener itself refuses.
    pub refuse: Refuse,
    /// What it counts.
    pub counts: ConnectionCounts,
    /// Whether nothing but HTTP/2 is spoken.
    pub http2_only: bool,
}

impl Serving {
    /// Serves within `limits` until `tasks` stop.
    pub fn new(limits: ConnectionLimits, tasks: Tasks) -> Self {
        let (leaving, counts) = (Arc::default(), ConnectionCounts::default());
        Self { limits, tasks, leaving, refuse: fault::problem, counts, http2_only: false }
    }
}

/// How many connections the kernel holds until they are accepted. Beyond that the kernel falls back to SYN cookies, and
/// a client may believe in a connection that does not exist.
const BACKLOG: u32 = 4096;

/// Why the program cannot listen. The texts name the setting and say what to do.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The setting is no address with a port.
    #[error("{setting} is {address:?}: it must be ADDRESS:PORT, such as 127.0.0.1:5000 or 0.0.0.0:5000")]
    Form {
        /// The setting and its flag.
        setting: &'static str,
        /// The address as given.
        address: String,
    },
    /// Another process listens there.
    #[error("{setting}: {address} is in use: another copy may be running; choose another with {flag}")]
    InUse {
        /// The setting.
        setting: &'static str,
        /// The address.
        address: String,
        /// The flag of the setting.
        flag: &'static str,
    },
    /// The name cannot be resolved, or the system does not allow to listen there.
    #[error("{setting}: cannot listen on {address}: {error}")]
    Other {
        /// The setting.
        setting: &'static str,
        /// The address.
        address: String,
        /// What the system says.
        error: io::Error,
    },
}

/// Listens on `address`, a host and port, with a queue that is long enough for a burst of connections. `setting` is the
/// key that the address comes from, and `flag` the command-line flag for it.
///
/// # Errors
/// [`ListenError`].
pub async fn listen(setting: &'static str, flag: &'static str, address: &str) -> Result<TcpListener, ListenError> {
    let address = address.trim();
    let has_port = address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !has_port {
        return Err(ListenError::Form { setting, address: address.to_owned() });
    }
    listen_on(address).await.map_err(|error| {
        let address = address.to_owned();
        match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse { setting, address, flag },
            _ => ListenError::Other { setting, address, error },
        }
    })
}

async fn listen_on(address: &str) -> io::Result<TcpListener> {
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the address names no host");
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// An address at which this machine reaches a listener on `listening`.
pub fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = if listening.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listening.ip() };
    SocketAddr::new(ip, listening.port())
}

/// A warning for people about who else reaches a listener on `listening`: words in brackets after a space, or nothing.
pub fn who_else_reaches(listening: SocketAddr) -> &'static str {
    if listening.ip().is_unspecified() { " (served on all addresses of this machine)" } else { "" }
}

/// How long answers that are still under way after the drain deadline have to end with an error.
pub const LAST_WORDS: Duration = Duration::from_millis(200);

/// How many connections are served beside the bound, so that the probes are answered when all others have requests
/// under way. Whatever else is asked for on them is refused.
const BESIDE: usize = 32;

/// How long a connection beside the bound may take to ask, and how long it may stay.
const BESIDE_DEADLINE: Duration = Duration::from_secs(5);

/// What a connection is told for which there is no place at all.
const NO_PLACE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The most of an answer that an HTTP/2 stream holds which its client's window has room for and its connection does not
/// take, in bytes.
const MOST_UNSENT: usize = 64 * 1024;

/// Tells a request that the drain deadline has passed and its connection is about to be closed.
#[derive(Clone, Debug)]
pub struct Closing(pub CancellationToken);

/// Serves `router` on `listener` as `serving` says until its tasks stop, then lets open requests finish, but no longer
/// than the drain deadline. Each request carries a `ConnectInfo<SocketAddr>` and a [`Closing`].
pub async fn serve(component: &'static str, listener: TcpListener, router: Router, serving: Serving) {
    let Serving { limits, tasks, leaving, refuse, counts, http2_only } = serving;
    let deadline = WriteDeadline { within: limits.write_timeout, cut: counts.unread.clone() };
    let mut builder = auto::Builder::new(Streams { tasks: tasks.clone(), deadline: deadline.clone() });
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(1024)
        .max_send_buf_size(MOST_UNSENT)
        .max_header_list_size(64 * 1024);
    let builder = Arc::new(if http2_only { builder.http2_only() } else { builder });
    let graceful = GracefulShutdown::new();
    let (closing, abandon) = (CancellationToken::new(), CancellationToken::new());
    let most = limits.max_connections.min(descriptors::connections());
    let connections = Connections::new(most, counts.open.clone());
    let beside = Connections::new(BESIDE, counts.open.clone());

    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = tasks.stopping() => break,
        };
        let Some((place, crowded)) = place(&connections, &beside, &counts) else {
            // The kernel takes so few bytes at once, or the client has left.
            let _told = stream.try_write(NO_PLACE);
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "TCP_NODELAY not set");
        }
        let router = router.clone();
        let asking = Arc::clone(&place.connection);
        let leaving = Arc::clone(&leaving);
        // Each connection has a token of its own, so that requests of different connections share no lock.
        let closing = Closing(closing.child_token());
        let outflow = Arc::<Outflow>::default();
        let io = TokioIo::new(Deadlined::new(stream, deadline.clone(), Arc::clone(&outflow)));
        let service = service_fn(move |mut request: Request<Incoming>| {
            let busy = asking.asked();
            let is_crowded = crowded && !request.uri().path().starts_with("/health");
            let fault = Fault::of(&request).or(is_crowded.then_some(Fault::Crowded));
            // The body of what is refused stays unread, so that nothing can follow it on HTTP/1.1.
            let last = fault.is_some() || crowded;
            let is_plain = request.version() < Version::HTTP_2;
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(closing.clone());
            let (mut router, leaving, outflow) = (router.clone(), Arc::clone(&leaving), Arc::clone(&outflow));
            async move {
                let mut response = match fault {
                    Some(fault) => refuse(&request.into_parts().0, fault),
                    None => router.call(request).await.unwrap_or_else(|never| match never {}),
                };
                if is_plain && (last || leaving.load(Ordering::Relaxed)) {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                let taker = progress().map_or(Taker::Connection(outflow), Taker::Stream);
                Ok::<_, Infallible>(response.map(|body| Watched::new(body, taker, busy)))
            }
        });
        let connection = graceful.watch(builder.serve_connection_with_upgrades(io, service).into_owned());
        let (first, idle) = if crowded {
            (BESIDE_DEADLINE, BESIDE_DEADLINE)
        } else {
            (limits.first_request_timeout.min(limits.header_timeout), limits.header_timeout)
        };
        let abandoned = abandon.clone().cancelled_owned();
        tasks.spawn("connection", async move {
            tokio::select! {
                () = place.connection.lapsed(first, idle) => debug!(%peer, "no request in time; the connection is closed"),
                () = place.connection.evicted() => debug!(%peer, "the connection makes room for another"),
                ended = connection => if let Err(error) = ended {
                    debug!(%error, "connection ended");
                },
                () = abandoned => {}
            }
        });
    }

    drop(listener);
    info!(component, open_connections = graceful.count(), "draining");
    let mut ended = std::pin::pin!(graceful.shutdown());
    if tokio::time::timeout(limits.drain_deadline, &mut ended).await.is_err() {
        warn!(component, deadline = ?limits.drain_deadline, "drain deadline passed; open connections are closed");
        closing.cancel();
        if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
            abandon.cancel();
        }
    }
}

/// Finds a place for a new connection: within the bound, or else beside it.
fn place(
    connections: &Arc<Connections>,
    beside: &Arc<Connections>,
    counts: &ConnectionCounts,
) -> Option<(Place, bool)> {
    let (place, crowded) = match connections.find() {
        Found::Full => {
            counts.refused.inc();
            (beside.find(), true)
        }
        found => (found, false),
    };
    match place {
        Found::Room(place) => Some((place, crowded)),
        Found::Evicted(place) => {
            counts.evicted.inc();
            Some((place, crowded))
        }
        Found::Full => None,
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                // Out of file descriptors, or a connection that went away while it waited. A short pause lets some
                // close.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
