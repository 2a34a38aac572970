//! Why the model stopped: `FinishReason` (Gemini API reference; Vertex AI adds to it), and why a prompt was blocked.

use super::lenient::Word;
use crate::ir::{ErrorKind, Finish, ProviderError};

/// What a reason means, before it is known whether tools were called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Stop,
    Length,
    Filter,
    /// The model's call of a tool came to nothing.
    BrokenCall,
}

/// A reason that a provider gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    meaning: Meaning,
    name: String,
}

/// The names by their number in Vertex AI's protocol: a client of it may ask for numbers.
const NAMES: [&str; 17] = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
    "UNEXPECTED_TOOL_CALL",
    "NO_IMAGE",
];

/// The names of `BlockedReason` by their number.
const BLOCKS: [&str; 7] =
    ["BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "MODEL_ARMOR", "IMAGE_SAFETY"];

fn name<'w>(word: &'w Word<'_>, names: &'w [&'w str]) -> &'w str {
    match word {
        Word::Name(name) => name,
        Word::Number(number) => usize::try_from(*number).ok().and_then(|at| names.get(at)).copied().unwrap_or("OTHER"),
    }
}

impl Reason {
    /// Reads a reason. None where it says that there is none.
    pub(super) fn of(word: &Word<'_>) -> Option<Self> {
        let name = name(word, &NAMES);
        let meaning = match name {
            "FINISH_REASON_UNSPECIFIED" => return None,
            "MAX_TOKENS" => Meaning::Length,
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "LANGUAGE"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR"
            | "ESCALATION" => Meaning::Filter,
            "MALFORMED_FUNCTION_CALL"
            | "MALFORMED_RESPONSE"
            | "MISSING_THOUGHT_SIGNATURE"
            | "TOO_MANY_TOOL_CALLS"
            | "UNEXPECTED_TOOL_CALL" => Meaning::BrokenCall,
            _ => Meaning::Stop,
        };
        Some(Self { meaning, name: name.to_owned() })
    }

    /// Why the model stopped (`docs/TRANSLATION.md` section 7). Calls of tools count, whatever the reason is, unless
    /// the limit of tokens cut the answer.
    ///
    /// # Errors
    /// The error of an answer in which a call came to nothing and nothing else stands.
    pub(super) fn finish(&self, calls: bool, content: bool, message: Option<&str>) -> Result<Finish, ProviderError> {
        Ok(match self.meaning {
            Meaning::Length => Finish::Length,
            _ if calls => Finish::ToolCalls,
            Meaning::Stop => Finish::Stop,
            Meaning::Filter => Finish::ContentFilter,
            Meaning::BrokenCall if content => Finish::Stop,
            Meaning::BrokenCall => {
                let words = message.filter(|message| !message.is_empty());
                let words = words.map_or_else(|| format!("the model stopped with {}", self.name), str::to_owned);
                let error = ProviderError::new(ErrorKind::Server, words).code("malformed_function_call");
                return Err(ProviderError { provider_type: Some(self.name.clone()), ..error });
            }
        })
    }

    /// The words of a refusal, where the provider's rules left nothing of the answer.
    pub(super) fn refusal(&self, message: Option<&str>) -> Option<String> {
        (self.meaning == Meaning::Filter).then(|| match message.filter(|message| !message.is_empty()) {
            Some(message) => message.to_owned(),
            None => format!("Blocked by Gemini: {}", self.name),
        })
    }
}

/// The words of a refusal of the prompt.
pub(super) fn blocked(reason: &Word<'_>) -> String {
    format!("Blocked by Gemini: {}", name(reason, &BLOCKS))
}

/// The provider's word for why the model stopped. Calls of tools count as an ordinary stop.
pub(super) fn word(finish: Option<Finish>) -> &'static str {
    match finish {
        Some(Finish::Length) => "MAX_TOKENS",
        Some(Finish::ContentFilter) => "SAFETY",
        Some(Finish::Stop | Finish::ToolCalls | Finish::Pause) | None => "STOP",
    }
}
