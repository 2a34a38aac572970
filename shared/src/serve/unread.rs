//! Cuts off clients that do not read what they asked for.
//!
//! - [`Deadlined`]: a connection whose writes have a deadline. It ends an HTTP/1.1 connection, or an HTTP/2 connection
//!   that reads nothing at all.
//! - [`Streams`]: runs the streams of HTTP/2 connections, and resets one whose window stays shut while others go on.
//! - [`Watched`]: a body that notes how far it has come, and of which no more is taken than the client's connection
//!   takes. What is dropped with it is all that the request holds, the provider's answer included.
//! - [`Outflow`]: what an HTTP/1.1 connection has been handed and has not written. hyper itself would take sixteen
//!   portions, each of which may keep a whole block in memory that it is a part of.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connections::Busy;
use crate::drain::Tasks;

/// The most of a body that is handed over at once, in bytes. What has been handed over is held until the client takes
/// it.
const PORTION: usize = 16 * 1024;

/// As much as a smaller portion counts for, in bytes: it may be a part of a block of this size, which stays in memory
/// with it.
const LEAST: usize = 8 * 1024;

/// How long a client may leave unread what is there for it, and how often one was cut off for it.
#[derive(Clone, Debug)]
pub(super) struct WriteDeadline {
    pub(super) within: Duration,
    pub(super) cut: Counter,
}

/// A timer that is set when it is needed for the first time.
#[derive(Debug, Default)]
struct LateTimer(Option<Pin<Box<Sleep>>>);

impl LateTimer {
    /// Ready when `until` has passed.
    fn poll(&mut self, until: Instant, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        loop {
            if timer.deadline() != until {
                timer.as_mut().reset(until);
            }
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= until {
                return Poll::Ready(());
            }
        }
    }
}

/// What an HTTP/1.1 connection has been handed of the body of an answer and has not written yet.
#[derive(Debug, Default)]
pub(super) struct Outflow(Mutex<Unwritten>);

#[derive(Debug, Default)]
struct Unwritten {
    bytes: usize,
    /// Who waits until all is written.
    waits: Option<Waker>,
}

impl Outflow {
    /// Ready when a further portion may be handed over.
    fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        let mut unwritten = self.unwritten();
        if unwritten.bytes < PORTION {
            return Poll::Ready(());
        }
        unwritten.waits = Some(context.waker().clone());
        Poll::Pending
    }

    /// A portion of so many bytes is handed over.
    fn hand(&self, bytes: usize) {
        self.unwritten().bytes += bytes.max(LEAST);
    }

    /// All that was handed over is written.
    fn written(&self) {
        let mut unwritten = self.unwritten();
        unwritten.bytes = 0;
        let waits = unwritten.waits.take();
        drop(unwritten);
        if let Some(waker) = waits {
            waker.wake();
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, Unwritten> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose writes have a deadline. As long as the client takes what is written, nothing is timed.
pub(super) struct Deadlined<T> {
    io: T,
    deadline: WriteDeadline,
    outflow: Arc<Outflow>,
    /// Since when the client has taken nothing.
    since: Option<Instant>,
    timer: LateTimer,
}

impl<T> Deadlined<T> {
    pub(super) fn new(io: T, deadline: WriteDeadline, outflow: Arc<Outflow>) -> Self {
        Self { io, deadline, outflow, since: None, timer: LateTimer::default() }
    }

    fn written(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.since = None;
            return written;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        ready!(self.timer.poll(since + self.deadline.within, context));
        self.deadline.cut.inc();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Deadlined<T> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(context, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Deadlined<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(context, buf);
        this.written(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(context, bufs);
        this.written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper flushes when it has written all that it was handed.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.outflow.written();
        Pin::new(&mut this.io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

/// How far the body of an HTTP/2 stream has come.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    /// When the portion that the client has not taken yet was handed over, in milliseconds since `began` and above 0.
    /// 0 where there is none.
    handed: AtomicU64,
}

impl Progress {
    fn new() -> Self {
        Self { began: Instant::now(), handed: AtomicU64::new(0) }
    }

    fn hand(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.handed.store(now.max(1), Ordering::Relaxed);
    }

    fn taken(&self) {
        self.handed.store(0, Ordering::Relaxed);
    }

    fn waits_since(&self) -> Option<Instant> {
        let handed = self.handed.load(Ordering::Relaxed);
        (handed > 0).then(|| self.began + Duration::from_millis(handed))
    }
}

tokio::task_local! {
    /// That of the HTTP/2 stream whose answer is being made.
    static PROGRESS: Arc<Progress>;
}

/// The progress of the HTTP/2 stream whose answer is being made. None on an HTTP/1.1 connection.
pub(super) fn progress() -> Option<Arc<Progress>> {
    PROGRESS.try_with(Arc::clone).ok()
}

/// Runs the streams of HTTP/2 connections.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) tasks: Tasks,
    pub(super) deadline: WriteDeadline,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (progress, timer) = (Arc::new(Progress::new()), LateTimer::default());
        let stream = Box::pin(stream);
        self.tasks.spawn_request(StreamTask { stream, progress, timer, deadline: self.deadline.clone() });
    }
}

/// One stream. It ends when the client leaves a portion unread for too long: dropping it resets the stream.
struct StreamTask<F> {
    stream: Pin<Box<F>>,
    progress: Arc<Progress>,
    timer: LateTimer,
    deadline: WriteDeadline,
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let (stream, progress) = (&mut this.stream, Arc::clone(&this.progress));
        if PROGRESS.sync_scope(progress, || stream.as_mut().poll(context)).is_ready() {
            return Poll::Ready(());
        }
        let Some(since) = this.progress.waits_since() else { return Poll::Pending };
        ready!(this.timer.poll(since + this.deadline.within, context));
        this.deadline.cut.inc();
        Poll::Ready(())
    }
}

/// The body of an answer. Its request counts as under way until it is dropped.
pub(super) struct Watched {
    body: Body,
    /// What has come of the body and is still to be handed over.
    rest: Bytes,
    taker: Taker,
    _busy: Busy,
}

/// Who is handed the portions of a body.
pub(super) enum Taker {
    /// An HTTP/1.1 connection.
    Connection(Arc<Outflow>),
    /// A stream of an HTTP/2 connection.
    Stream(Arc<Progress>),
}

impl Taker {
    /// Ready when a further portion may be handed over.
    fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        match self {
            Self::Connection(outflow) => outflow.poll_room(context),
            Self::Stream(progress) => {
                // Being asked for more means that what was handed over before has been taken.
                progress.taken();
                Poll::Ready(())
            }
        }
    }

    /// A portion of so many bytes is handed over.
    fn hand(&self, bytes: usize) {
        match self {
            Self::Connection(outflow) => outflow.hand(bytes),
            Self::Stream(progress) => progress.hand(),
        }
    }
}

impl Watched {
    pub(super) fn new(body: Body, taker: Taker, busy: Busy) -> Self {
        Self { body, rest: Bytes::new(), taker, _busy: busy }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        ready!(this.taker.poll_room(context));
        if this.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            match frame.into_data() {
                Ok(data) => this.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let portion = this.rest.split_to(this.rest.len().min(PORTION));
        this.taker.hand(portion.len());
        Poll::Ready(Some(Ok(Frame::data(portion))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(exact) = hint.exact() {
            return SizeHint::with_exact(exact + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
