//! Which addresses the open connections of a pool lead to.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

use super::resolver::Resolver;

/// The addresses that open connections lead to.
#[derive(Debug, Default)]
pub(super) struct Peers(Mutex<Vec<Weak<Peer>>>);

/// Where one open connection leads.
#[derive(Debug)]
struct Peer {
    address: IpAddr,
    /// Whether the name no longer had the address when it was last looked up.
    missed: AtomicBool,
}

impl Peers {
    /// Whether any connection is open.
    pub(super) fn are_there(&self) -> bool {
        self.open().iter().any(|peer| peer.strong_count() > 0)
    }

    /// Takes in the addresses that the name has now. Says whether a connection leads to one that it had neither this
    /// time nor the last time. Some names give a part of their addresses, and another one each time.
    pub(super) fn have_moved(&self, found: &[IpAddr]) -> bool {
        let peers: Vec<_> = self.open().iter().filter_map(Weak::upgrade).collect();
        let moved = peers.iter().filter(|peer| {
            let missing = !found.contains(&peer.address);
            peer.missed.swap(missing, Ordering::Relaxed) && missing
        });
        moved.count() > 0
    }

    fn add(&self, address: IpAddr) -> Arc<Peer> {
        let peer = Arc::new(Peer { address, missed: AtomicBool::new(false) });
        let mut open = self.open();
        open.retain(|peer| peer.strong_count() > 0);
        open.push(Arc::downgrade(&peer));
        peer
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<Peer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes TCP connections, and notes where they lead as long as they are open.
#[derive(Clone, Debug)]
pub(super) struct Noting {
    connector: HttpConnector<Resolver>,
    peers: Arc<Peers>,
}

impl Noting {
    /// Makes connections with `connector` and notes them in `peers`.
    pub(super) fn new(connector: HttpConnector<Resolver>, peers: &Arc<Peers>) -> Self {
        Self { connector, peers: Arc::clone(peers) }
    }
}

type ConnectError = <HttpConnector<Resolver> as Service<Uri>>::Error;

impl Service<Uri> for Noting {
    type Response = Noted;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Noted, ConnectError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, peers) = (self.connector.call(uri), Arc::clone(&self.peers));
        Box::pin(async move {
            let stream = connecting.await?;
            let peer = stream.inner().peer_addr().ok().map(|peer| peers.add(peer.ip()));
            Ok(Noted { stream, _peer: peer })
        })
    }
}

/// A connection that is noted until it is closed.
#[derive(Debug)]
pub(super) struct Noted {
    stream: TokioIo<TcpStream>,
    _peer: Option<Arc<Peer>>,
}

impl Connection for Noted {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl Read for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Noted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}

#[cfg(test)]
mod tests;
