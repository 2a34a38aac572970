//! Counts tokens where a provider did not: because an answer was cut, or because the vendor reports no usage.
//!
//! Tokens are counted with `o200k_base`, the vocabulary of OpenAI's models since GPT-4o, whatever the model is. For
//! those models the count is exact, but for what the vendor wraps around messages and tools. Other families cut text
//! into other pieces: Claude into more, Gemini and most open models into about as many, and scripts other than Latin
//! differ more than English does. So an estimate tells what a request was worth, and not what a bill will say.
//!
//! The vocabulary is 0.8 MB of the program. It is unpacked at the first estimate, which takes about 60 ms once and 36
//! MB from then on: a node that never estimates never pays.
//!
//! - [`request`]: what a client asked.
//! - [`heard`]: what has come of an answer.
//! - `text`: the count itself.

pub mod heard;
pub mod request;
mod text;

use shared::pb::UsageRecord;

use crate::limit::client::ClientPass;
use crate::metrics::Estimate;
use heard::Heard;
use request::HeldRequest;

pub use text::{tokens_of_response, tokens_of_text};

/// What the tokens of a request are estimated from.
#[derive(Debug)]
pub struct Unreported {
    /// What the client asked. None where the provider has said how many tokens that was.
    pub asked: Option<HeldRequest>,
    /// What has come of the answer.
    pub heard: Heard,
    /// The tokens that the provider has said to have written so far.
    pub written: u64,
    /// Counts the tokens in the metrics.
    pub estimate: Estimate,
    /// What the request has taken of limits, which settle with the count.
    pub limits: ClientPass,
}

impl Unreported {
    /// The bytes that are held for it.
    pub fn bytes(&self) -> usize {
        self.asked.as_ref().map_or(0, HeldRequest::bytes) + self.heard.bytes()
    }

    /// Writes the counts into `record`. Where the provider has reported more of the output, its number stays.
    pub fn count_in(mut self, record: &mut UsageRecord) {
        let (asked, heard) = (self.asked.as_ref().map(HeldRequest::tokens), self.heard.tokens());
        self.write(record, asked, heard);
    }

    /// Writes counts by the length alone into `record`: four bytes are a token of English text.
    pub fn count_roughly_in(&mut self, record: &mut UsageRecord) {
        let tokens = |bytes: usize| bytes.div_ceil(4) as u64;
        let (asked, heard) = (self.asked.as_ref().map(|asked| tokens(asked.bytes())), tokens(self.heard.bytes()));
        self.write(record, asked, heard);
    }

    fn write(&mut self, record: &mut UsageRecord, asked: Option<u64>, heard: u64) {
        if let Some(asked) = asked {
            record.input_tokens = asked;
        }
        record.output_tokens = self.written.max(heard);
        let (input, output) = (record.input_tokens, record.output_tokens);
        self.limits.settle([input, record.cached_tokens, output, record.reasoning_tokens]);
        self.estimate.note(asked.unwrap_or_default(), record.output_tokens - self.written);
    }
}

#[cfg(test)]
mod tests;
