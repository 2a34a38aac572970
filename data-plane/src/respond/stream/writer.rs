//! A stream that passes, as the skeleton of all answers sees it.

use bytes::Bytes;

use super::PassedStream;
use crate::error::GatewayError;
use crate::respond::flow::{Next, Writer};

impl Writer for PassedStream {
    fn will_ask(&mut self, asked: bool) {
        self.asked = asked;
        self.lived = false;
    }

    fn has_lived(&self) -> bool {
        self.lived
    }

    fn keep_alive(&mut self) {
        // Only between two events, and only as long as more is to come.
        if self.large.is_none() && !self.done && !self.failed {
            let sign: &'static [u8] = if self.array.is_some() { b"\r\n" } else { self.format.protocol().keep_alive() };
            self.show(Bytes::from_static(sign));
        }
    }

    fn take(&mut self, portion: Bytes) -> Next {
        self.push(portion).unwrap_or_else(|error| {
            self.leave(&error);
            Next::Ends
        })
    }

    fn end(&mut self) {
        if let Err(error) = self.end_events() {
            self.leave(&error);
        }
        self.close_array();
    }

    fn break_off(&mut self, error: GatewayError) -> Result<(), GatewayError> {
        self.leave(&error);
        Ok(())
    }

    fn written(&mut self) -> Bytes {
        std::mem::take(&mut self.ready)
    }

    fn is_over(&self) -> bool {
        self.done
    }

    fn has_all(&self) -> bool {
        self.done || self.failed || self.meter.has_all()
    }

    fn count(&mut self, bytes: u64) {
        self.meter.response_bytes += bytes;
    }
}
