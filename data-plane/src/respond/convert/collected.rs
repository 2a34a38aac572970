//! A stream that is collected, for a client that wants the answer whole.

use http::response::Parts;
use hyper::body::Incoming;
use tokio::time::Instant;
use translation::Format;
use translation::ir;
use translation::ir::Collector;

use super::note::note;
use crate::body::collect::Patience;
use crate::error::GatewayError;
use crate::respond::opening::{first_portion, portion};
use crate::usage::meter::Meter;

/// Largest size of a stream that is collected, in bytes as they come.
const COLLECTED: usize = 64 * 1024 * 1024;

/// Reads the stream to its end. What it says of usage is noted in `meter`.
///
/// # Errors
/// [`GatewayError`] when it breaks off, is too large, or ends in an error.
pub(super) async fn collected(
    format: Format,
    head: &Parts,
    mut body: Incoming,
    patience: Patience,
    meter: &mut Meter,
) -> Result<ir::Response, GatewayError> {
    let mut decoder = format.protocol().decoder();
    let mut collector = Collector::default();
    let (mut events, mut size) = (Vec::new(), 0);
    let mut patience = patience;
    let mut further = first_portion(head, &mut body, patience).await;
    loop {
        match further {
            Ok(portion) => {
                size += portion.len();
                decoder.push(portion, &mut events);
            }
            // The stream has ended. One that has given nothing is an error.
            Err(GatewayError::Unusable(_)) if size > 0 => break,
            // Behind the end of the answer nothing is missing.
            Err(GatewayError::Cut) if meter.has_all() => break,
            Err(error) => return Err(error),
        }
        if size > COLLECTED {
            return Err(GatewayError::Unusable("it is a stream of more than 64 MiB"));
        }
        for event in events.drain(..) {
            note(meter, &event);
            collector.event(event)?;
        }
        if decoder.done() {
            break;
        }
        patience.first = (Instant::now() + patience.pause).min(patience.whole);
        further = portion(&mut body, patience).await;
    }
    decoder.end(&mut events);
    for event in events.drain(..) {
        note(meter, &event);
        collector.event(event)?;
    }
    Ok(collector.finish()?)
}
