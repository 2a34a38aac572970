//! Who made a model.

use crate::facts::{ModelFacts, ThinkingForm};

/// The maker of a model, as far as what the model takes beyond the common fields depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    /// Anthropic's Claude.
    Claude,
    /// Amazon's Nova, the first generation.
    Nova,
    /// Amazon's Nova 2, which reasons.
    Nova2,
    /// OpenAI, and makers whose models take OpenAI's `reasoning_effort`.
    OpenAi,
    /// Mistral.
    Mistral,
    /// Cohere.
    Cohere,
    /// Another maker.
    Other,
}

impl Maker {
    /// The maker of the model that Bedrock calls `name`: an id, that of an inference profile, or an ARN. The ARN of an
    /// application's inference profile does not tell the model, so the operator's facts decide.
    pub(super) fn of(name: &str, facts: &ModelFacts) -> Self {
        let name = name.to_ascii_lowercase();
        let has = |part: &str| name.contains(part);
        if has("claude") || has("anthropic.") {
            Self::Claude
        } else if has("nova-2") {
            Self::Nova2
        } else if has("amazon.nova") {
            Self::Nova
        } else if has("openai.") || has("gpt-oss") {
            Self::OpenAi
        } else if has("mistral.") {
            Self::Mistral
        } else if has("cohere.") {
            Self::Cohere
        } else if matches!(facts.thinking, ThinkingForm::Adaptive | ThinkingForm::Budget) {
            Self::Claude
        } else {
            Self::Other
        }
    }

    /// Whether the model is one of Amazon's.
    pub(super) fn is_nova(self) -> bool {
        matches!(self, Self::Nova | Self::Nova2)
    }

    /// Whether the model that Bedrock calls `name` is a Claude of 4.5 or later. Those are held to schemas, and of the
    /// earlier ones only Opus 4.1 is.
    pub(super) fn is_claude_since_4_5(self, name: &str, facts: &ModelFacts) -> bool {
        self == Self::Claude && facts.json_schema && !name.contains("opus-4-1")
    }
}
