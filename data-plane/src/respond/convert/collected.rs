//! A stream that is collected, for a client that wants the answer whole.

use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use translation::Format;
use translation::ir;
use translation::ir::{Collector, Event};

use super::note::note;
use crate::body::collect::Patience;
use crate::error::GatewayError;
use crate::opening::ProviderBody;
use crate::usage::meter::Meter;

/// Largest size of a stream that is collected, in bytes as they come.
const COLLECTED: usize = 64 * 1024 * 1024;

/// Reads the stream to its end. What it says of usage is noted in `meter`.
///
/// # Errors
/// [`GatewayError`] when it breaks off, is too large, or ends in an error.
pub(super) async fn collected(
    format: Format,
    mut body: ProviderBody,
    patience: Patience,
    meter: &mut Meter,
) -> Result<ir::Response, GatewayError> {
    let mut decoder = format.protocol().decoder();
    let mut collector = Collector::default();
    let (mut events, mut size) = (Vec::new(), 0);
    let mut patience = patience;
    loop {
        match timeout_at(patience.first, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                let Ok(portion) = frame.into_data() else { continue };
                size += portion.len();
                decoder.push(portion, &mut events);
            }
            Ok(None) => break,
            // Behind the end of the answer nothing is missing.
            Ok(Some(Err(_))) if meter.has_all() => break,
            Ok(Some(Err(_))) => return Err(GatewayError::Cut),
            Err(_elapsed) => return Err(GatewayError::Timeout),
        }
        if size > COLLECTED {
            return Err(GatewayError::Unusable("it is a stream of more than 64 MiB"));
        }
        let says = events.iter().any(|event| !matches!(event, Event::Start(_) | Event::Usage(_)));
        if decoder.stirred() || says {
            patience.first = (Instant::now() + patience.pause).min(patience.whole);
        }
        for event in events.drain(..) {
            note(meter, &event);
            collector.event(event)?;
        }
        if decoder.done() {
            break;
        }
    }
    decoder.end(&mut events);
    for event in events.drain(..) {
        note(meter, &event);
        collector.event(event)?;
    }
    Ok(collector.finish()?)
}
