//! A server of media for tests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Answers each request with what its path says, and remembers what was asked. It ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

/// The bytes of an answer, and whether it never ends.
type Answer = fn(&str, SocketAddr) -> (Vec<u8>, bool);

impl Server {
    /// Starts a server on a port of its own.
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let mut tasks = JoinSet::new();
        let (counted, noted) = (Arc::clone(&connections), Arc::clone(&asked));
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                open.spawn(serve(connection, answer, address, Arc::clone(&noted)));
            }
        });
        Self { address, connections, asked, _tasks: tasks }
    }

    /// The heads of the requests that came.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn serve(mut connection: TcpStream, answer: Answer, address: SocketAddr, asked: Arc<Mutex<Vec<String>>>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if !matches!(connection.read(&mut byte).await, Ok(1)) {
                return;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let tunnel = head.starts_with("CONNECT");
        let path = head.split(' ').nth(1).unwrap().to_owned();
        asked.lock().unwrap().push(head);
        if tunnel {
            // The server is the proxy, and also the host behind it.
            connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            continue;
        }
        let (bytes, endless) = answer(&path, address);
        if connection.write_all(&bytes).await.is_err() {
            return;
        }
        if endless {
            std::future::pending::<()>().await;
        }
        return;
    }
}

/// An answer of `body` with headers.
pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> (Vec<u8>, bool) {
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    ([head.as_bytes(), body].concat(), false)
}
