//! Reads a body whole, within bounds of size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

/// A body, or its beginning.
#[derive(Debug)]
pub enum Collected<B> {
    /// All of the body.
    Whole(Bytes),
    /// The body is larger than the bound.
    Larger {
        /// What was read, in pieces. It exceeds the bound by less than one frame.
        start: Vec<Bytes>,
        /// The rest of the body.
        rest: B,
    },
}

/// Why a body was not read.
#[derive(Debug, Error)]
pub enum CollectError<E> {
    /// The body broke off.
    #[error("it broke off: {0}")]
    Broken(E),
    /// The body paused too long.
    #[error("it paused too long")]
    TimedOut,
}

/// How long a body may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// When its first bytes have to be there.
    pub first: Instant,
    /// How long it may pause between two parts.
    pub pause: Duration,
    /// When it has to be at its end, or known to be over the bound.
    pub whole: Instant,
    /// When it has to be at its end, also where it is written on as it comes.
    pub end: Option<Instant>,
}

impl Patience {
    /// The whole body has to come within `time`.
    pub fn within(time: Duration) -> Self {
        let until = Instant::now() + time;
        Self { first: until, pause: time, whole: until, end: None }
    }
}

/// Reads `body` up to `bound` bytes, with `patience`. A body of one frame, as small ones are, is not copied.
///
/// # Errors
/// [`CollectError`].
pub async fn collect<B>(mut body: B, bound: usize, patience: Patience) -> Result<Collected<B>, CollectError<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut pieces = Pieces::default();
    let mut until = patience.first.min(patience.whole);
    loop {
        let frame = timeout_at(until, body.frame()).await.map_err(|_elapsed| CollectError::TimedOut)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(CollectError::Broken)?.into_data() else { continue };
        until = (Instant::now() + patience.pause).min(patience.whole);
        if first.is_empty() && pieces.length == 0 {
            first = data;
        } else {
            if pieces.length == 0 {
                let expected = usize::try_from(body.size_hint().lower()).unwrap_or(bound);
                pieces.last.reserve((first.len() + data.len() + expected).min(bound));
                pieces.push(&std::mem::take(&mut first));
            }
            pieces.push(&data);
        }
        if first.len() + pieces.length > bound {
            let start = if pieces.length == 0 { vec![first] } else { pieces.into_vec() };
            return Ok(Collected::Larger { start, rest: body });
        }
    }
    Ok(Collected::Whole(if pieces.length == 0 { first } else { pieces.join() }))
}

/// Collects bytes whose number is not known before. A body that turns out too large costs no more memory than the
/// bound. A vector that doubles would cost three times as much.
#[derive(Default)]
struct Pieces {
    full: Vec<BytesMut>,
    last: BytesMut,
    length: usize,
}

impl Pieces {
    const SIZE: usize = 256 * 1024;

    fn push(&mut self, mut data: &[u8]) {
        self.length += data.len();
        while !data.is_empty() {
            if self.last.len() == self.last.capacity() {
                let full = std::mem::replace(&mut self.last, BytesMut::with_capacity(Self::SIZE));
                self.full.push(full);
            }
            let room = self.last.capacity() - self.last.len();
            let (now, later) = data.split_at(room.min(data.len()));
            self.last.extend_from_slice(now);
            data = later;
        }
    }

    fn into_vec(self) -> Vec<Bytes> {
        self.full.into_iter().chain([self.last]).filter(|piece| !piece.is_empty()).map(BytesMut::freeze).collect()
    }

    fn join(self) -> Bytes {
        let length = self.length;
        let mut pieces = self.into_vec();
        if pieces.len() == 1 {
            return pieces.remove(0);
        }
        let mut all = BytesMut::with_capacity(length);
        for piece in pieces {
            all.extend_from_slice(&piece);
        }
        all.freeze()
    }
}

#[cfg(test)]
mod tests;
