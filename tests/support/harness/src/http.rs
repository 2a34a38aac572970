//! One HTTP/1.1 connection, which closes when it is dropped. So a test drops it to play a client that leaves.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use shared::drain::Tasks;
use tokio::net::TcpStream;

/// The longest wait for the head of an answer, and for each part of its body.
const DEADLINE: Duration = Duration::from_mins(1);

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON, or null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The header `name`; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }
}

/// A connection. The first request opens it, and the next one opens it again after the peer has closed it.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
    tasks: Tasks,
}

impl Connection {
    /// A connection to `address`, which is not open yet.
    pub fn to(address: SocketAddr) -> Self {
        Self { address, sender: None, tasks: Tasks::new() }
    }

    /// Sends `request` and waits for the head of the answer.
    ///
    /// # Errors
    /// When there is no connection, or it closes, or no head comes within a minute.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        let sender = self.sender().await?;
        Ok(tokio::time::timeout(DEADLINE, sender.send_request(request)).await.context("no answer in time")??)
    }

    /// Sends `request` and reads the whole answer.
    ///
    /// # Errors
    /// As [`Self::send`], and when the body ends early.
    pub async fn fetch(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let (head, body) = self.send(request).await?.into_parts();
        let body = tokio::time::timeout(DEADLINE, body.collect()).await.context("no body in time")??.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Sends `request` and returns the answer as a stream of server-sent events.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn stream(mut self, request: Request<Full<Bytes>>) -> Result<EventStream> {
        let (head, body) = self.send(request).await?.into_parts();
        Ok(EventStream {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            buffer: BytesMut::new(),
            _connection: self,
        })
    }

    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>> {
        if self.sender.as_mut().is_none_or(|sender| sender.is_closed()) {
            self.sender = None;
        }
        let sender = match self.sender.take() {
            Some(sender) => sender,
            None => self.open().await?,
        };
        let sender = self.sender.insert(sender);
        sender.ready().await?;
        Ok(sender)
    }

    async fn open(&mut self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let dropped = self.tasks.clone();
        self.tasks.spawn("client connection", async move {
            tokio::select! {
                // Whoever waits for an answer on the connection sees how it ends.
                _ended = connection => {}
                () = dropped.stopping() => {}
            }
        });
        Ok(sender)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// An answer that is read event by event. Its connection closes when it is dropped.
#[derive(Debug)]
pub struct EventStream {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    body: Incoming,
    buffer: BytesMut,
    _connection: Connection,
}

impl EventStream {
    /// The next event as it stands on the wire, without the empty line that ends it, or nothing at the end of the
    /// stream.
    ///
    /// # Errors
    /// When the connection breaks, or ends within an event.
    pub async fn next(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event = self.buffer.split_to(end + 2);
                return Ok(Some(String::from_utf8(event[..end].to_vec())?));
            }
            let frame = tokio::time::timeout(DEADLINE, self.body.frame()).await.context("no chunk in time")?;
            match frame {
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                None if self.buffer.is_empty() => return Ok(None),
                None => bail!("the stream ends within an event: {:?}", String::from_utf8_lossy(&self.buffer)),
            }
        }
    }

    /// The data of the next event, or nothing at the end of the stream.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn data(&mut self) -> Result<Option<String>> {
        Ok(self.next().await?.map(|event| {
            let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
            lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
        }))
    }

    /// The data of all further events.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn rest(&mut self) -> Result<Vec<String>> {
        let mut rest = Vec::new();
        while let Some(data) = self.data().await? {
            rest.push(data);
        }
        Ok(rest)
    }

    /// The header `name`; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }
}

/// A request with a JSON body.
///
/// # Errors
/// When `path` or `bearer` cannot stand in a request.
pub fn json(method: Method, path: &str, bearer: &str, body: &Value) -> Result<Request<Full<Bytes>>> {
    let mut request = bare(method, path, bearer)?;
    *request.body_mut() = Full::new(Bytes::from(body.to_string()));
    request.headers_mut().insert(CONTENT_TYPE, "application/json".parse()?);
    Ok(request)
}

/// A request without a body.
///
/// # Errors
/// When `path` or `bearer` cannot stand in a request.
pub fn bare(method: Method, path: &str, bearer: &str) -> Result<Request<Full<Bytes>>> {
    let mut request = Request::builder().method(method).uri(path).header(HOST, "127.0.0.1").body(Full::default())?;
    if !bearer.is_empty() {
        request.headers_mut().insert(AUTHORIZATION, format!("Bearer {bearer}").parse()?);
    }
    Ok(request)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
