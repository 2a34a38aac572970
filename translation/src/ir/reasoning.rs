//! How much a model is to think, in the measures of all formats.

use serde::{Deserialize, Serialize};

/// How much to think.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasoning {
    /// How hard, in a word.
    pub effort: Option<Effort>,
    /// As a format says it that has a switch or a budget for thinking.
    pub thinking: Option<Thinking>,
    /// Whether the thoughts are to be shown, and how fully.
    pub summary: Option<Summary>,
}

/// Anthropic's `thinking`, Gemini's `thinkingBudget`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// No thinking.
    Off,
    /// As much as the model finds right.
    Adaptive,
    /// At most so many tokens.
    Budget(u64),
}

/// Whether thoughts are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    /// They are not shown.
    Omitted,
    /// OpenAI's `auto`, Anthropic's `summarized`, Gemini's `includeThoughts`.
    Auto,
    /// OpenAI's `concise`.
    Concise,
    /// OpenAI's `detailed`.
    Detailed,
}

/// How hard to think, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Not at all.
    None,
    /// OpenAI's `minimal`.
    Minimal,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// OpenAI's and Anthropic's `xhigh`.
    XHigh,
    /// Anthropic's `max`.
    Max,
}

impl Reasoning {
    /// The effort that this comes to, for formats that know no other measure. An explicit switch goes before a word. A
    /// word goes before a budget, since a word is the target's own measure. None where the client leaves it to the
    /// model.
    pub fn in_words(&self) -> Option<Effort> {
        match (self.thinking, self.effort) {
            (Some(Thinking::Off), _) => Some(Effort::None),
            (_, Some(effort)) => Some(effort),
            (Some(Thinking::Budget(tokens)), None) => Some(Effort::of_budget(tokens)),
            (Some(Thinking::Adaptive) | None, None) => None,
        }
    }
}

impl Effort {
    /// The word for a budget of `tokens`, chosen so that providers spend about as much at it (`docs/TRANSLATION.md`
    /// sections 2.5 and 6).
    pub fn of_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..=512 => Self::Minimal,
            513..=4_096 => Self::Low,
            4_097..=12_288 => Self::Medium,
            12_289..=24_576 => Self::High,
            _ => Self::XHigh,
        }
    }

    /// The budget that the effort stands for where a model knows no words, in tokens (`docs/TRANSLATION.md` section
    /// 2.5).
    pub fn in_tokens(self) -> u64 {
        match self {
            Self::None | Self::Minimal => 1_024,
            Self::Low => 2_048,
            Self::Medium => 10_000,
            Self::High => 16_384,
            Self::XHigh | Self::Max => 32_768,
        }
    }

    /// All efforts, from least to most.
    pub const ALL: [Self; 7] = [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max];

    /// The word that OpenAI and Anthropic use.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort that `word` names, in any case.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.word().eq_ignore_ascii_case(word))
    }
}

#[cfg(test)]
mod tests;
