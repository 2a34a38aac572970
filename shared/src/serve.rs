//! The HTTP accept loop: HTTP/1.1 and cleartext HTTP/2, a deadline for request headers, bounded connections, and a
//! drain with a deadline. `axum::serve` has no header deadline, and hyper's own graceful shutdown waits for ever on an
//! open stream.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service as _;
use tracing::{debug, info, warn};

use crate::drain::Tasks;

/// Deadlines and bounds of a listener.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// A connection on which no complete request headers arrive for this long is closed, whether it is idle or sends
    /// them slowly. The default is above the 60 s for which load balancers usually keep an idle connection.
    pub header_timeout: Duration,
    /// How many connections may be open at once. Further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// After the drain signal, connections still open after this long are closed.
    pub drain_deadline: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(65),
            max_connections: 50_000,
            drain_deadline: Duration::from_secs(30),
        }
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
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Tells a request that the drain deadline has passed and its connection is about to be closed.
#[derive(Clone, Debug)]
pub struct Closing(pub CancellationToken);

/// Serves `router` on `listener` until `tasks` stop, then lets open requests finish, but no longer than
/// `limits.drain_deadline`. Each request carries a `ConnectInfo<SocketAddr>` and a [`Closing`].
pub async fn serve(
    component: &'static str,
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    tasks: Tasks,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(1024)
        .max_header_list_size(64 * 1024);
    let builder = Arc::new(builder);
    let graceful = GracefulShutdown::new();
    let (closing, abandon) = (CancellationToken::new(), CancellationToken::new());
    let connections = Arc::new(Semaphore::new(limits.max_connections));

    loop {
        let (stream, peer, permit) = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = tasks.stopping() => break,
        };
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "TCP_NODELAY not set");
        }
        let router = router.clone();
        let asked = Arc::new(AtomicBool::new(false));
        let first_request = Arc::clone(&asked);
        // Each connection has a token of its own, so that requests of different connections share no lock.
        let closing = Closing(closing.child_token());
        let service = service_fn(move |mut request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(closing.clone());
            let mut router = router.clone();
            async move { Ok::<_, Infallible>(router.call(request).await.unwrap_or_else(|never| match never {})) }
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        let header_timeout = limits.header_timeout;
        let abandoned = abandon.clone().cancelled_owned();
        tasks.spawn("connection", async move {
            tokio::select! {
                () = silent(first_request, header_timeout) => debug!(%peer, "no request in time; the connection is closed"),
                ended = connection => if let Err(error) = ended {
                    debug!(%error, "connection ended");
                },
                () = abandoned => {}
            }
            drop(permit);
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

/// Resolves if no first request has come within `deadline`. The builder's own deadline begins only once it knows which
/// version of HTTP the client speaks.
async fn silent(first_request: Arc<AtomicBool>, deadline: Duration) {
    tokio::time::sleep(deadline).await;
    if first_request.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed, so a permit always comes.
    let permit = Arc::clone(connections).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
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
