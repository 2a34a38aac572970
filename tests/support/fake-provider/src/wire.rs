//! The accept loop, and a connection on which something other than HTTP can be written.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use shared::drain::Tasks;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::body::RawBytes;
use crate::provider::Provider;

/// Serves until `tasks` stop, and then closes connections at once.
pub(crate) async fn serve(listener: TcpListener, provider: Arc<Provider>, tasks: Tasks) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = tasks.stopping() => return,
        };
        // File descriptors may have run out, or the connection went away while it waited. The next one may do better.
        let Ok((stream, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        // Without this option answers come later, but they are not wrong.
        let _unset = stream.set_nodelay(true);
        let raw = RawBytes::default();
        let provider = Arc::clone(&provider);
        let wire = Wire { stream, raw: raw.clone(), sent: 0 };
        let service = service_fn(move |request| {
            let provider = Arc::clone(&provider);
            let raw = raw.clone();
            async move { provider.handle(request, &raw).await }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(wire), service);
        let stopping = tasks.clone();
        tasks.spawn("connection", async move {
            tokio::select! {
                // An error means that the client left, or that the script cut the connection.
                _ended = connection => {}
                () = stopping.stopping() => {}
            }
        });
    }
}

#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    raw: RawBytes,
    /// How much of `raw` has been written.
    sent: usize,
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let raw = self.raw.clone();
        let Some(raw) = raw.get() else {
            return Pin::new(&mut self.stream).poll_write(cx, buffer);
        };
        while self.sent < raw.len() {
            let sent = self.sent;
            self.sent += ready!(Pin::new(&mut self.stream).poll_write(cx, &raw[sent..]))?;
        }
        // What hyper wants to write is dropped.
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
