//! The steps of a streamed answer. They follow from what the script does to a stream, whatever its format.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::body::Step;
use crate::script::{Cut, Script};

/// A stream in the making. Once the script has ended it, the rest of what its format writes is ignored.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    script: &'a Script,
    steps: VecDeque<Step>,
    pause: Duration,
    /// The number of content deltas so far.
    deltas: usize,
    over: bool,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(script: &'a Script) -> Self {
        let mut steps = VecDeque::new();
        if script.first_chunk_delay_ms > 0 {
            steps.push_back(Step::Wait(Duration::from_millis(script.first_chunk_delay_ms)));
        }
        Self { script, steps, pause: Duration::from_millis(script.chunk_delay_ms), deltas: 0, over: false }
    }

    /// Writes a frame that holds no content: a head, an end or a ping.
    pub(crate) fn write(&mut self, frame: impl Into<Bytes>) {
        if self.over {
            return;
        }
        if !self.pause.is_zero() && matches!(self.steps.back(), Some(Step::Write(_))) {
            self.steps.push_back(Step::Wait(self.pause));
        }
        self.steps.push_back(Step::Write(frame.into()));
    }

    /// Whether the script has an error here instead of the next delta. The format then writes it with [`Stream::fail`].
    pub(crate) fn error_due(&self) -> bool {
        !self.over && !self.cut_due() && self.script.error_after_chunks == Some(self.deltas)
    }

    fn cut_due(&self) -> bool {
        matches!(self.script.cut, Some(Cut::AfterChunks(at) | Cut::InsideChunk(at) | Cut::SilentAfter(at)) if at == self.deltas)
    }

    /// Writes the error, and ends the stream.
    pub(crate) fn fail(&mut self, frame: impl Into<Bytes>) {
        if !self.over {
            self.steps.push_back(Step::Write(frame.into()));
            self.over = true;
        }
    }

    /// Writes a frame that holds content.
    pub(crate) fn delta(&mut self, frame: impl Into<Bytes>) {
        if self.over {
            return;
        }
        let frame = frame.into();
        if self.script.endless {
            self.steps.push_back(Step::Repeat(frame, self.pause));
            self.over = true;
            return;
        }
        if self.cut_due() {
            if matches!(self.script.cut, Some(Cut::InsideChunk(_))) {
                self.write(frame.slice(..frame.len() / 2));
            }
            self.cut();
            return;
        }
        self.write(frame);
        self.deltas += 1;
    }

    /// Notes that all content has been written. If the script has a cut later than that, the cut comes now.
    pub(crate) fn end_of_content(&mut self) {
        if matches!(self.script.cut, Some(Cut::AfterChunks(_) | Cut::InsideChunk(_) | Cut::SilentAfter(_))) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.over {
            return;
        }
        let silent = matches!(self.script.cut, Some(Cut::SilentAfter(_)));
        let pause = if silent { Duration::from_hours(1) } else { self.pause };
        if !pause.is_zero() {
            self.steps.push_back(Step::Wait(pause));
        }
        self.steps.push_back(Step::Cut);
        self.over = true;
    }

    pub(crate) fn finish(self) -> VecDeque<Step> {
        self.steps
    }
}
