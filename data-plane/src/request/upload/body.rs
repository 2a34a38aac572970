//! An upload on its way: what came before the model was known is held, and the rest passes as it comes.

use std::collections::VecDeque;
use std::fs::DirBuilder;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead as _, AsyncSeekExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use translation::ir::TranslateError;

use super::scanner::{ModelField, ScanError, Scanner};
use crate::data_dir::is_full;
use crate::error::GatewayError;
use crate::limits::{RequestLimits, UploadShare};
use crate::request::passing::UploadProgress;

/// How much is read from a file at once, in bytes.
const PIECE: usize = 64 * 1024;

/// The error of an upload that is larger than allowed.
pub(super) fn too_large(limit: u64) -> GatewayError {
    GatewayError::BodyTooLarge { limit: usize::try_from(limit).unwrap_or(usize::MAX) }
}

/// The upload as it comes from the client.
#[derive(Debug)]
pub(super) struct Incoming {
    body: Body,
    scanner: Scanner,
    limit: u64,
    pause: Duration,
    timer: Pin<Box<Sleep>>,
    progress: Arc<UploadProgress>,
}

impl Incoming {
    pub(super) fn new(body: Body, scanner: Scanner, limits: &RequestLimits, progress: Arc<UploadProgress>) -> Self {
        let pause = limits.body_timeout;
        let timer = Box::pin(sleep(pause));
        Self { body, scanner, limit: limits.max_upload_bytes, pause, timer, progress }
    }

    /// The field that decides where the upload goes, once it has come.
    pub(super) fn field(&self) -> Option<&ModelField> {
        self.scanner.field()
    }

    /// Whether the closing boundary has come.
    pub(super) fn is_complete(&self) -> bool {
        self.scanner.is_closed()
    }

    /// The next bytes. None at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, GatewayError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, GatewayError>> {
        loop {
            let data = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(GatewayError::BodyUnreadable(error.to_string())));
                }
                Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Poll::Pending => {
                    ready!(self.timer.as_mut().poll(context));
                    return Poll::Ready(Err(GatewayError::BodyTimeout));
                }
            };
            if data.is_empty() {
                continue;
            }
            self.timer.as_mut().reset(Instant::now() + self.pause);
            let length = data.len() as u64;
            if self.progress.add(length) > self.limit {
                return Poll::Ready(Err(too_large(self.limit)));
            }
            return Poll::Ready(self.scanner.push(&data).map(|()| Some(data)).map_err(malformed));
        }
    }
}

fn malformed(error: ScanError) -> GatewayError {
    GatewayError::field(TranslateError::invalid(
        error.param(),
        format!("the multipart request cannot be read: {error}"),
    ))
}

/// What came before it was known where an upload goes. It is in memory up to a bound, and behind that in a file without
/// a name, which vanishes when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    memory: Vec<Bytes>,
    in_memory: u64,
    bound: u64,
    directory: PathBuf,
    file: Option<File>,
    in_file: u64,
    share: UploadShare,
}

impl Held {
    /// Holds up to `bound` bytes in memory, and the rest where `limits` say.
    pub(super) fn new(bound: usize, limits: &RequestLimits) -> Self {
        Self {
            memory: Vec::new(),
            in_memory: 0,
            bound: bound as u64,
            directory: limits.upload_directory.clone(),
            file: None,
            in_file: 0,
            share: limits.upload_space.share(),
        }
    }

    /// Whether there is room in memory.
    pub(super) fn fits(&self) -> bool {
        self.in_memory < self.bound
    }

    pub(super) async fn push(&mut self, data: Bytes) -> Result<(), GatewayError> {
        if self.fits() {
            self.in_memory += data.len() as u64;
            self.memory.push(data);
            return Ok(());
        }
        if !self.share.grow(data.len() as u64) {
            return Err(GatewayError::UploadsFull);
        }
        let file = match &mut self.file {
            Some(file) => file,
            // Making a file without a name does not wait for the disk.
            None => self.file.insert(File::from_std(new_file(&self.directory).map_err(|error| unwritable(&error))?)),
        };
        self.in_file += data.len() as u64;
        file.write_all(&data).await.map_err(|error| unwritable(&error))
    }

    /// Prepares for reading. Nothing more is held from now on.
    pub(super) async fn rewind(&mut self) -> Result<(), GatewayError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.flush().await.map_err(|error| unwritable(&error))?;
        file.rewind().await.map(drop).map_err(|error| unwritable(&error))
    }

    fn length(&self) -> u64 {
        self.in_memory + self.in_file
    }

    /// All that is held, with one part replaced. None where not all is in memory.
    pub(super) fn whole(&self, replaced: Option<(Range<u64>, &[u8])>) -> Option<Bytes> {
        if self.file.is_some() {
            return None;
        }
        let mut pieces = self.pieces(replaced);
        if pieces.len() == 1
            && let Some(Piece::Memory(only)) = pieces.pop_front()
        {
            return Some(only);
        }
        let bytes = pieces.iter().filter_map(|piece| match piece {
            Piece::Memory(bytes) => Some(&**bytes),
            _ => None,
        });
        Some(bytes.collect::<Vec<_>>().concat().into())
    }

    fn pieces(&self, replaced: Option<(Range<u64>, &[u8])>) -> VecDeque<Piece> {
        let mut pieces = VecDeque::with_capacity(self.memory.len() + 4);
        let Some((range, value)) = replaced else {
            self.cut(0..self.length(), &mut pieces);
            return pieces;
        };
        self.cut(0..range.start, &mut pieces);
        pieces.push_back(Piece::Memory(Bytes::copy_from_slice(value)));
        let left_out = range.end.max(self.in_memory) - range.start.max(self.in_memory);
        if left_out > 0 {
            pieces.push_back(Piece::LeftOut(left_out));
        }
        self.cut(range.end..self.length(), &mut pieces);
        pieces
    }

    /// Appends what stands in `range`.
    fn cut(&self, range: Range<u64>, pieces: &mut VecDeque<Piece>) {
        let mut at = 0;
        for bytes in &self.memory {
            let end = at + bytes.len() as u64;
            let (from, to) = (range.start.clamp(at, end), range.end.clamp(at, end));
            if from < to {
                // Both offsets lie within this piece, so they are its indices.
                let index = |offset: u64| usize::try_from(offset - at).unwrap_or(bytes.len());
                pieces.push_back(Piece::Memory(bytes.slice(index(from)..index(to))));
            }
            at = end;
        }
        let in_file = range.end.max(at) - range.start.max(at);
        if in_file > 0 {
            pieces.push_back(Piece::File(in_file));
        }
    }
}

/// A file without a name in `directory`, which is made where it is missing.
fn new_file(directory: &Path) -> io::Result<std::fs::File> {
    match tempfile::tempfile_in(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            tempfile::tempfile_in(directory)
        }
        made => made,
    }
}

fn unwritable(error: &io::Error) -> GatewayError {
    if is_full(error) {
        return GatewayError::DiskFull;
    }
    GatewayError::Internal("an upload could not be kept on disk until its field 'model' came")
}

/// What is to be sent next.
#[derive(Debug)]
enum Piece {
    Memory(Bytes),
    /// The next bytes of the file, so many.
    File(u64),
    /// The next bytes of the file, so many, which are not sent.
    LeftOut(u64),
}

/// The body of the request to the provider.
#[derive(Debug)]
pub(super) struct Uploading {
    pieces: VecDeque<Piece>,
    file: Option<File>,
    rest: Option<Incoming>,
    /// Bytes still to be sent, where that is known.
    left: Option<u64>,
    progress: Arc<UploadProgress>,
    /// The room on disk, while the file is there.
    _share: UploadShare,
}

impl Uploading {
    /// The body that is `held`, with one part replaced, and `rest` behind it. The client sends `length` bytes in all.
    pub(super) fn new(
        held: Held,
        replaced: Option<(Range<u64>, &[u8])>,
        rest: Option<Incoming>,
        length: Option<u64>,
        progress: Arc<UploadProgress>,
    ) -> Self {
        let length = if rest.is_none() { Some(held.length()) } else { length };
        let (less, more) =
            replaced.as_ref().map_or((0, 0), |(range, value)| (range.end - range.start, value.len() as u64));
        let left = length.map(|length| (length + more).saturating_sub(less));
        let pieces = held.pieces(replaced);
        Self { pieces, file: held.file, rest, left, progress, _share: held.share }
    }

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        while let Some(piece) = self.pieces.front_mut() {
            let (left, sent) = match piece {
                Piece::Memory(bytes) => {
                    let bytes = std::mem::take(bytes);
                    self.pieces.pop_front();
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Piece::File(left) => (left, true),
                Piece::LeftOut(left) => (left, false),
            };
            let Some(file) = &mut self.file else {
                return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
            };
            let mut bytes = vec![0; PIECE.min(usize::try_from(*left).unwrap_or(PIECE))];
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(file).poll_read(context, &mut buffer)) {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(()) if buffer.filled().is_empty() => {
                    return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                }
                Ok(()) => {}
            }
            let read = buffer.filled().len();
            *left -= read as u64;
            if *left == 0 {
                self.pieces.pop_front();
            }
            if sent {
                bytes.truncate(read);
                return Poll::Ready(Some(Ok(bytes.into())));
            }
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        match ready!(rest.poll_next(context)) {
            Ok(Some(bytes)) => Poll::Ready(Some(Ok(bytes))),
            Ok(None) => {
                let complete = rest.is_complete();
                self.rest = None;
                if complete {
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(self.progress.broke(unclosed()))))
            }
            Err(fault) => {
                self.rest = None;
                Poll::Ready(Some(Err(self.progress.broke(fault))))
            }
        }
    }
}

/// The error of a body that ends before its closing boundary.
pub(super) fn unclosed() -> GatewayError {
    let problem = "the request's multipart body ends before its closing boundary";
    GatewayError::field(TranslateError::invalid("body", problem))
}

impl http_body::Body for Uploading {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        let data = ready!(this.poll_data(context));
        if let (Some(Ok(bytes)), Some(left)) = (&data, &mut this.left) {
            *left = left.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests;
