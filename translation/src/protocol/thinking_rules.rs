//! How the models of a compatible vendor are made to think, and what thinking forbids: the data of a vendor's file, and
//! what a request comes to by them (`docs/TRANSLATION.md` section 14).
//!
//! A field is written as a dotted path, and its value as JSON text.

use std::borrow::Cow;

use crate::ir::{Effort, Field, Reasoning, Thinking};

/// Fields that are written into a request: the path and the JSON text of the value.
pub type WrittenFields = &'static [(&'static str, &'static str)];

/// How the models of one family at one vendor are made to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThinkingRules {
    /// The beginnings of the models' names, in lower case, as the whole name has it or the part behind its last slash.
    /// A `*` stands for any letters.
    pub models: &'static [&'static str],
    /// Whether the models think where a request says nothing of it.
    pub by_default: bool,
    /// What makes the models think. None where nothing is written for that.
    pub on: Option<WrittenFields>,
    /// What keeps the models from thinking. None where nothing does.
    pub off: Option<WrittenFields>,
    /// The words for how hard to think.
    pub efforts: Option<EffortField>,
    /// The tokens that a thought may take.
    pub budget: Option<BudgetField>,
    /// What is written whenever the models think, asked or unasked.
    pub beside: WrittenFields,
    /// The models think in streams only.
    pub only_streamed: bool,
    /// What the vendor refuses, or ignores, while the models think.
    pub refused_thinking: &'static [Field],
    /// What the vendor refuses in any case.
    pub refused: &'static [Field],
    /// Whether the models can be forced to call a tool.
    pub forced_calls: ForcedCalls,
    /// How earlier thoughts go back to the vendor.
    pub history: ThoughtHistory,
}

/// The field that says in a word how hard to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffortField {
    /// The path of the field.
    pub field: &'static str,
    /// The vendor's words, without that for no thinking. An effort without a word of its own takes that of the next
    /// below it, or else of the least.
    pub words: &'static [(Effort, &'static str)],
}

/// The field that limits thoughts in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetField {
    /// The path of the field.
    pub field: &'static str,
    /// What stands beside it, in place of what turns thinking on.
    pub beside: WrittenFields,
    /// The least and the most tokens.
    pub range: (u64, u64),
    /// Whether an effort is told in tokens too. Otherwise only a budget is.
    pub for_efforts: bool,
}

/// Whether models can be forced to call a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForcedCalls {
    /// They can.
    Yes,
    /// While they think, they can be forced to call some tool, but not a certain one.
    AnyToolWhileThinking,
    /// They can, but not while they think.
    WithoutThinking,
    /// They cannot.
    No,
}

/// How earlier thoughts go back to a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThoughtHistory {
    /// Where the thoughts stand in a message. None: the vendor wants none back.
    pub field: Option<ThoughtField>,
    /// Which turns carry them.
    pub turns: ThoughtTurns,
    /// The vendor refuses a turn with calls that comes without its thoughts.
    pub required: bool,
}

/// Where thoughts stand in a message of the assistant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThoughtField {
    /// `reasoning_content`, a text.
    ReasoningContent,
    /// `reasoning`, a text.
    Reasoning,
    /// `reasoning_details`, with signatures (OpenRouter).
    Details,
    /// A part of the content (Mistral).
    ContentPart,
}

/// Which turns of the assistant carry their thoughts back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThoughtTurns {
    /// Those behind the last words of the user: the loop of tools that is under way.
    Loop,
    /// Those of every answer in which a tool was called.
    WithCalls,
    /// All of them.
    All,
}

/// What a request comes to by the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThinkingPlan {
    /// Whether the model thinks.
    pub thinks: bool,
    /// The fields that are written.
    pub fields: Vec<(&'static str, Cow<'static, str>)>,
    /// The client's wish cannot be said.
    pub unsaid: bool,
}

impl ThoughtHistory {
    /// The vendor wants no thoughts back.
    pub const NONE: Self = Self { field: None, turns: ThoughtTurns::Loop, required: false };

    /// Thoughts go back in `field` while a loop of tools is under way.
    pub const fn in_loop(field: ThoughtField) -> Self {
        Self { field: Some(field), turns: ThoughtTurns::Loop, required: false }
    }
}

impl EffortField {
    /// OpenAI's field, with these words.
    pub const fn usual(words: &'static [(Effort, &'static str)]) -> Self {
        Self { field: "reasoning_effort", words }
    }

    /// `low`, `medium` and `high`.
    pub const LOW_TO_HIGH: Self =
        Self::usual(&[(Effort::Low, "low"), (Effort::Medium, "medium"), (Effort::High, "high")]);

    /// The vendor's word for an effort.
    fn word(&self, wanted: Effort) -> Option<&'static str> {
        let real = self.words.iter();
        let below = real.clone().filter(|(effort, _)| *effort <= wanted).max_by_key(|(effort, _)| *effort);
        below.or_else(|| real.min_by_key(|(effort, _)| *effort)).map(|(_, word)| *word)
    }
}

impl BudgetField {
    fn within(&self, tokens: u64) -> u64 {
        tokens.clamp(self.range.0, self.range.1)
    }
}

impl ThinkingRules {
    /// Models that do not think, and of which nothing else is known. Rows start from it.
    pub const NONE: Self = Self {
        models: &[],
        by_default: false,
        on: None,
        off: None,
        efforts: None,
        budget: None,
        beside: &[],
        only_streamed: false,
        refused_thinking: &[],
        refused: &[],
        forced_calls: ForcedCalls::Yes,
        history: ThoughtHistory::NONE,
    };

    /// Models that think whatever is said. Rows start from it.
    pub const ALWAYS: Self = Self { by_default: true, ..Self::NONE };

    /// Models that think unless they are told not to, by `thinking: {"type": …}`. Rows start from it.
    pub const SWITCHED: Self = Self {
        by_default: true,
        on: Some(&[("thinking.type", "\"enabled\"")]),
        off: Some(&[("thinking.type", "\"disabled\"")]),
        ..Self::NONE
    };

    /// The first of `rules` that is about `model`.
    pub fn of(rules: &'static [Self], model: &str) -> Option<&'static Self> {
        if rules.is_empty() {
            return None;
        }
        let model = model.to_ascii_lowercase();
        let last = model.rsplit('/').next().unwrap_or_default();
        let fits = |pattern: &&str| begins(&model, pattern) || begins(last, pattern);
        rules.iter().find(|rules| rules.models.iter().any(&fits))
    }

    /// The paths of the fields that the rules can write to switch or size thinking.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        let switches = [self.on, self.off].into_iter().flatten().flatten().map(|(path, _)| *path);
        let sizes = [self.efforts.map(|efforts| efforts.field), self.budget.map(|budget| budget.field)];
        switches.chain(sizes.into_iter().flatten())
    }

    /// The words that the vendor knows in the field `path`.
    pub fn values(&self, path: &str) -> impl Iterator<Item = &'static str> {
        let switches = [self.on, self.off].into_iter().flatten().flatten();
        let switches = switches.filter(move |(field, _)| *field == path).map(|(_, value)| value.trim_matches('"'));
        let efforts = self.efforts.filter(|efforts| efforts.field == path);
        switches.chain(efforts.into_iter().flat_map(|efforts| efforts.words.iter().map(|(_, word)| *word)))
    }

    /// Whether nothing makes the models think.
    fn cannot_think(&self) -> bool {
        !self.by_default && self.on.is_none() && self.efforts.is_none() && self.budget.is_none()
    }

    /// What a request comes to in which the client says this, and whose answer is a stream or not.
    pub fn plan(&self, said: Option<&Reasoning>, stream: bool) -> ThinkingPlan {
        let asked = said.and_then(|said| match (said.in_words(), said.thinking) {
            (None, None) => None,
            (Some(Effort::None), _) => Some(None),
            (_, thinking) => Some(Some((said.effort, thinking))),
        });
        let mute = self.only_streamed && !stream;
        let mut plan = match asked {
            None if mute && self.by_default => ThinkingPlan { unsaid: false, ..self.without() },
            None => ThinkingPlan { thinks: self.by_default, fields: Vec::new(), unsaid: false },
            Some(None) => self.without(),
            Some(Some(_)) if mute => ThinkingPlan { unsaid: true, ..self.without() },
            Some(Some((effort, thinking))) => self.with(effort, thinking),
        };
        if plan.thinks {
            let beside = self.beside.iter().map(|(path, value)| (*path, Cow::Borrowed(*value)));
            plan.fields.extend(beside);
        }
        plan
    }

    fn with(&self, effort: Option<Effort>, thinking: Option<Thinking>) -> ThinkingPlan {
        if self.cannot_think() {
            return ThinkingPlan { thinks: false, fields: Vec::new(), unsaid: true };
        }
        let tokens = match thinking {
            Some(Thinking::Budget(tokens)) => Some(tokens),
            _ => None,
        };
        let mut fields: Vec<(&'static str, Cow<'static, str>)> = Vec::new();
        let mut write = |written: WrittenFields| {
            fields.extend(written.iter().map(|(path, value)| (*path, Cow::Borrowed(*value))));
        };
        // A word counts for more than a budget where the vendor has words.
        let word = match (&self.efforts, effort) {
            (Some(efforts), Some(effort)) => efforts.word(effort).map(|word| (efforts.field, word)),
            (Some(efforts), None) if self.budget.is_none() => {
                tokens.and_then(|tokens| efforts.word(Effort::of_budget(tokens))).map(|word| (efforts.field, word))
            }
            _ => None,
        };
        let budget = self.budget.as_ref().filter(|_| word.is_none()).and_then(|budget| {
            let of_effort = effort.filter(|_| budget.for_efforts).map(Effort::in_tokens);
            Some((budget, budget.within(tokens.or(of_effort)?)))
        });
        match (word, budget) {
            (Some((field, word)), _) => {
                write(self.on.unwrap_or_default());
                fields.retain(|(path, _)| !same_object(path, field));
                fields.push((field, Cow::Owned(crate::json::quoted(word))));
            }
            (None, Some((budget, tokens))) => {
                write(if budget.beside.is_empty() { self.on.unwrap_or_default() } else { budget.beside });
                // Beside its size, a switch in the same object says nothing more.
                if budget.beside.is_empty() {
                    fields.retain(|(path, _)| !same_object(path, budget.field));
                }
                fields.push((budget.field, Cow::Owned(tokens.to_string())));
            }
            (None, None) => write(self.on.unwrap_or_default()),
        }
        let sized = effort.is_some() || tokens.is_some();
        // Models that can be turned off have been turned on by saying nothing.
        let unsaid = fields.is_empty() && (!self.by_default || (sized && self.off.is_none()));
        ThinkingPlan { thinks: true, fields, unsaid }
    }

    /// The plan for no thinking. Models that cannot be kept from it think as little as they can.
    fn without(&self) -> ThinkingPlan {
        match self.off {
            Some(off) => {
                let fields = off.iter().map(|(path, value)| (*path, Cow::Borrowed(*value))).collect();
                ThinkingPlan { thinks: false, fields, unsaid: false }
            }
            None if self.by_default => {
                let least =
                    self.efforts.as_ref().and_then(|efforts| Some((efforts.field, efforts.word(Effort::None)?)));
                let fields = least.map(|(field, word)| (field, Cow::Owned(crate::json::quoted(word))));
                ThinkingPlan { thinks: true, fields: fields.into_iter().collect(), unsaid: true }
            }
            None => ThinkingPlan { thinks: false, fields: Vec::new(), unsaid: false },
        }
    }
}

/// Whether two paths are the same, or stand in one object.
fn same_object(path: &str, other: &str) -> bool {
    path == other
        || matches!((path.split_once('.'), other.split_once('.')), (Some((one, _)), Some((two, _))) if one == two)
}

/// Whether `name` begins as `pattern` says.
fn begins(name: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
