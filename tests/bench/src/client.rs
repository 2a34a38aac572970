//! One HTTP/1.1 connection that costs next to nothing, because the driver shares the machine with what it measures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The longest wait for any answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// The bytes of a chat completion request.
pub(crate) fn request(key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\
         accept: application/json\r\nuser-agent: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One kept-alive connection.
#[derive(Debug)]
pub(crate) struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends `request` and reads a whole answer with a content length.
    pub(crate) async fn unary(&mut self, request: &[u8]) -> Result<()> {
        self.send(request).await?;
        let (head, length) = loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                break (end + 4, content_length(&self.buffer[..end])?);
            }
            self.more().await?;
        };
        while self.buffer.len() < head + length {
            self.more().await?;
        }
        Ok(())
    }

    /// How many attempts the last answer says that it took; 0 where it does not say.
    pub(crate) fn attempts(&self) -> u64 {
        let head = memmem::find(&self.buffer, b"\r\n\r\n").map_or(&[][..], |end| &self.buffer[..end]);
        let head = std::str::from_utf8(head).unwrap_or_default();
        let value = head.lines().find_map(|line| line.strip_prefix("x-orchestration-attempts: "));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
    }

    /// Sends `request`, waits for the first event of a stream, and returns the time that it took.
    pub(crate) async fn first_event(&mut self, request: &[u8]) -> Result<Duration> {
        let started = Instant::now();
        self.send(request).await?;
        while memmem::find(&self.buffer, b"data: ").is_none() {
            self.more().await?;
        }
        expect_ok(&self.buffer)?;
        Ok(started.elapsed())
    }

    /// Reads the rest of a stream.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        while !self.buffer.ends_with(b"0\r\n\r\n") {
            self.more().await?;
        }
        if memmem::find(&self.buffer, b"data: [DONE]").is_none() {
            bail!("the stream ended early: {}", String::from_utf8_lossy(&self.buffer));
        }
        Ok(())
    }

    async fn send(&mut self, request: &[u8]) -> Result<()> {
        self.buffer.clear();
        Ok(self.socket.write_all(request).await?)
    }

    async fn more(&mut self) -> Result<()> {
        let read = tokio::time::timeout(DEADLINE, self.socket.read_buf(&mut self.buffer)).await;
        match read.context("no answer in time")? {
            Ok(0) => bail!("connection closed after {:?}", String::from_utf8_lossy(&self.buffer)),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn content_length(head: &[u8]) -> Result<usize> {
    expect_ok(head)?;
    let head = std::str::from_utf8(head)?;
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    Ok(value.context("an answer without content-length")?.parse()?)
}

fn expect_ok(answer: &[u8]) -> Result<()> {
    if !answer.starts_with(b"HTTP/1.1 200") {
        bail!("{}", String::from_utf8_lossy(answer));
    }
    Ok(())
}
