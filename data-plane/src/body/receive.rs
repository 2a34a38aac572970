//! Reads the body of a client's request, within bounds of size and time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use super::budget::Held;
use super::collect::{CollectError, Collected, Patience, collect};
use super::unpack::{UnpackError, unpack_into};
use crate::error::GatewayError;
use crate::limits::RequestLimits;

/// How much of a body that nobody wants is read, in bytes, and for how long.
const DISCARDED: usize = 256 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// How long a body is read for which there is no room.
const NO_ROOM_TIME: Duration = Duration::from_millis(20);

/// Reads a body that does not matter any more. A body that is left unread closes the connection behind the answer: a
/// client that sends its next request there gets no answer to it, and a client that is still sending may not see this
/// answer.
pub async fn discard(body: Body) {
    discard_within(body, DISCARDED, DISCARD_TIME).await;
}

/// Reads a body for which there is no room, but no longer than a moment: its client is to hear of that at once.
pub async fn discard_at_once(body: Body, limits: &RequestLimits) {
    discard_within(body, limits.max_body_bytes, NO_ROOM_TIME).await;
}

async fn discard_within(body: Body, bytes: usize, time: Duration) {
    let mut body = Limited::new(body, bytes);
    let read = async { while let Some(Ok(_)) = body.frame().await {} };
    // The answer is the same, however this ends.
    drop(timeout(time, read).await);
}

/// A body whose bytes are held as they come.
struct Charged<'h> {
    body: Body,
    held: &'h Held,
}

/// Why a body that is held cannot be read.
#[derive(Debug)]
enum ChargeError {
    /// The body broke off.
    Broken(axum::Error),
    /// There is no room for it.
    NoRoom(GatewayError),
}

impl HttpBody for Charged<'_> {
    type Data = Bytes;
    type Error = ChargeError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ChargeError>>> {
        let this = self.get_mut();
        let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(ChargeError::Broken(error)))),
            None => return Poll::Ready(None),
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let held = this.held.grow(bytes as u64).map_err(ChargeError::NoRoom);
        Poll::Ready(Some(held.map(|()| frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The value of `result` together with the body, for the caller to go on with. With an error, the body is read and
/// thrown away.
///
/// # Errors
/// That of `result`.
pub async fn or_discard<T>(result: Result<T, GatewayError>, body: Body) -> Result<(T, Body), GatewayError> {
    match result {
        Ok(value) => Ok((value, body)),
        Err(error) => {
            discard(body).await;
            Err(error)
        }
    }
}

/// Reads a body and unpacks it into what is `held`. A body whose announced or unpacked length is over the limit, or for
/// which there is no room, is refused as soon as that is known.
///
/// # Errors
/// [`GatewayError`]: the body is too large, too late, broken off, or in an encoding that is not served, or the node
/// holds too much.
pub async fn read(headers: &HeaderMap, body: Body, limits: &RequestLimits, held: &Held) -> Result<Bytes, GatewayError> {
    let limit = limits.max_body_bytes;
    let too_large = || GatewayError::BodyTooLarge { limit };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        discard(body).await;
        return Err(too_large());
    }
    if let Err(no_room) = held.has_room(announced.unwrap_or_default()) {
        discard_at_once(body, limits).await;
        return Err(no_room);
    }
    // There is one deadline for the whole body, which a client that sends a byte at a time does not extend.
    let packed = match collect(Charged { body, held }, limit, Patience::within(limits.body_timeout)).await {
        Ok(Collected::Whole(body)) => body,
        Ok(Collected::Larger { .. }) => return Err(too_large()),
        Err(CollectError::TimedOut) => return Err(GatewayError::BodyTimeout),
        Err(CollectError::Broken(ChargeError::NoRoom(error))) => return Err(error),
        Err(CollectError::Broken(ChargeError::Broken(error))) => {
            return Err(GatewayError::BodyUnreadable(error.to_string()));
        }
    };
    let mut no_room = None;
    let has_room = |length: usize| held.grow(length as u64).map_err(|error| no_room = Some(error)).is_ok();
    let unpacked = unpack_into(headers, packed, limit, has_room).map_err(|error| match error {
        UnpackError::TooLarge => too_large(),
        UnpackError::Unknown(encoding) => GatewayError::Encoding(encoding),
        UnpackError::Damaged | UnpackError::NoRoom => {
            GatewayError::BodyUnreadable("it is not what its content-encoding says".to_owned())
        }
    });
    if let Some(error) = no_room {
        return Err(error);
    }
    let unpacked = unpacked?;
    held.keep(unpacked.len() as u64);
    Ok(unpacked)
}
