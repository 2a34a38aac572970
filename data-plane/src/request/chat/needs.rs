//! What a chat request certainly needs of the model that answers it. Each is looked for only where a model may lack it,
//! so that a request to models of which nothing is known costs nothing.

use memchr::memmem;
use serde::Deserialize;
use translation::ir::{MediaKind, Part};

use super::ChatRequest;
use super::least::least_tokens;
use crate::route::needs::{Bounds, Needs, SHORTENING};

/// A request with fewer bytes for each token than this is not counted: most text has four, and it cannot be sure that
/// it is too long.
const BYTES_PER_TOKEN: u64 = 3;

/// The fields that bound the tokens of an answer: OpenAI's chat completions, old and new, its responses, Anthropic.
const ANSWER_BOUNDS: [&str; 3] = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

/// The field of Gemini's requests that holds the bound, in both spellings that Gemini reads.
const GENERATION_CONFIG: [&str; 2] = ["generationConfig", "generation_config"];

/// What of it counts here.
#[derive(Deserialize)]
struct AnswerBound {
    #[serde(rename = "maxOutputTokens", alias = "max_output_tokens")]
    most: Option<u64>,
}

impl ChatRequest<'_> {
    /// The most tokens that the answer may have, where the request says so.
    pub fn longest_answer(&self) -> Option<u64> {
        let geminis = || {
            let config = GENERATION_CONFIG.iter().find_map(|name| self.object.non_null(name))?;
            serde_json::from_str::<AnswerBound>(config).ok()?.most
        };
        ANSWER_BOUNDS.iter().find_map(|name| self.object.non_null(name)?.parse().ok()).or_else(geminis)
    }

    /// What the request certainly needs of what a model of these `bounds` may lack.
    pub fn needs(&self, bounds: &Bounds) -> Needs {
        let long = self.body.len() as u64 / BYTES_PER_TOKEN > bounds.context;
        Needs {
            tokens: if long && !self.is_shortened() { least_tokens(self.body) } else { 0 },
            tools: !bounds.tools && self.calls_tools(),
            vision: !bounds.vision && self.shows_pictures(),
        }
    }

    /// Whether the request has its provider shorten what is too long.
    fn is_shortened(&self) -> bool {
        SHORTENING.iter().any(|name| self.object.non_null(name).is_some())
    }

    /// Whether the model is to know tools, and is not told to call none of them.
    fn calls_tools(&self) -> bool {
        let calls_none = |choice: &str| choice.contains("\"none\"") || choice.contains("\"NONE\"");
        let choices = ["tool_choice", "function_call", "toolConfig", "tool_config"];
        self.has_tools && !choices.iter().filter_map(|name| self.object.non_null(name)).any(calls_none)
    }

    /// Whether a picture stands in the conversation.
    fn shows_pictures(&self) -> bool {
        // Wherever one stands, its field or its type says so. The same word in a text is found to be none.
        memmem::find(self.body, b"image").is_some()
            && self
                .neutral()
                .is_ok_and(|request| request.messages.iter().flat_map(|message| &message.parts).any(is_picture))
    }
}

fn is_picture(part: &Part) -> bool {
    match part {
        Part::Media(media) => media.kind == MediaKind::Image,
        Part::ToolResult(result) => result.content.iter().any(is_picture),
        _ => false,
    }
}
