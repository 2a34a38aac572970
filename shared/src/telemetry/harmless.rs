//! Keeps each event of the log in one line, and keeps out of it what drives a terminal or turns the direction of text,
//! wherever that comes from (promise 36 in `docs/PROMISES.md`).

use std::fmt::Write as _;
use std::io::{self, Write};

use super::LogFormat;

/// A writer of events. Each call of [`Write::write`] is one event, which ends with a line feed.
#[derive(Debug)]
pub(super) struct Harmless<W> {
    inner: W,
    format: LogFormat,
    /// Whether the formatter writes colours.
    colours: bool,
}

impl<W> Harmless<W> {
    /// Writes events of this `format` to `inner`.
    pub(super) fn new(inner: W, format: LogFormat, colours: bool) -> Self {
        Self { inner, format, colours }
    }

    /// Whether `character` may not stand in a line as it is.
    fn is_harmful(&self, character: char) -> bool {
        match character {
            '\u{1b}' => !self.colours,
            '\t' => false,
            // What ends a line for some reader (Unicode Standard, section 5.8), and what turns the direction of text
            // (Unicode Standard Annex 9, section 2).
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
            _ => character.is_control(),
        }
    }

    /// `line` with what is harmful written out, as the format has it.
    fn written_out(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len() + 32);
        for character in line.chars() {
            let code = u32::from(character);
            // Writing to a string does not fail.
            let _written = match (self.is_harmful(character), self.format) {
                (false, _) => out.write_char(character),
                (true, LogFormat::Json) => write!(out, "\\u{code:04x}"),
                (true, LogFormat::Text) => write!(out, "{}", character.escape_default()),
            };
        }
        out
    }
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (line, end) = match event.split_last() {
            Some((b'\n', line)) => (line, &b"\n"[..]),
            _ => (event, &b""[..]),
        };
        // Most events are plain.
        let plain = |byte: &u8| (b' '..=b'~').contains(byte);
        if line.iter().all(plain) {
            self.inner.write_all(event)?;
        } else {
            let line = String::from_utf8_lossy(line);
            if line.chars().any(|character| self.is_harmful(character)) {
                self.inner.write_all(self.written_out(&line).as_bytes())?;
            } else {
                self.inner.write_all(line.as_bytes())?;
            }
            self.inner.write_all(end)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
