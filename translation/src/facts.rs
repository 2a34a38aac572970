//! What is known of models: data with a date (`data/models.json`), which an operator can override, and no code.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ir::Effort;

/// What is known of a model, as far as a request to it depends on that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ModelFacts {
    /// Longest answer, in tokens.
    pub max_output: Option<u64>,
    /// Which sampling parameters it takes.
    pub sampling: Sampling,
    /// How its thinking is switched.
    pub thinking: ThinkingForm,
    /// Bounds of a thinking budget, in tokens.
    pub budget: Option<(u64, u64)>,
    /// What turns thinking off; none where nothing does.
    pub off: Option<Off>,
    /// Whether it thinks where nothing is said.
    pub thinks_by_default: bool,
    /// Efforts, or thinking levels, that it knows, in any order.
    pub efforts: Vec<Effort>,
    /// Whether a tool can be forced on it.
    pub forced_tools: ForcedTools,
    /// Whether the last message may be the model's own, to be continued.
    pub prefill: bool,
    /// Whether it can be held to a JSON schema.
    pub json_schema: bool,
    /// Whether it can be held to a JSON schema while it has tools.
    pub json_schema_with_tools: bool,
    /// Whether texts of the request's end its answer.
    pub stop: bool,
    /// Whether it gives several answers at once.
    pub candidates: bool,
    /// Whether it takes ids of function calls (Gemini).
    pub call_ids: bool,
    /// Whether it gives log probabilities.
    pub logprobs: bool,
    /// Whether functions can be declared by JSON schema (Gemini's `parametersJsonSchema`, `responseJsonSchema`).
    pub schema_fields: bool,
    /// Whether media of other contents may stand beside a function's response, and within it (Gemini 3).
    pub media_in_results: bool,
    /// Whether the first call of a step must carry a signature (Gemini 3).
    pub needs_signatures: bool,
    /// Whether it takes presence and frequency penalties (Gemini: none since 2.5).
    pub penalties: bool,
}

/// Which sampling parameters a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sampling {
    /// All.
    All,
    /// Temperature or top_p, not both.
    OneOf,
    /// None: it answers 400.
    None,
}

/// How a model's thinking is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ThinkingForm {
    /// It does not think.
    None,
    /// By a budget of tokens.
    Budget,
    /// Anthropic's `adaptive`, with an effort.
    Adaptive,
    /// Gemini's levels, or OpenAI's efforts.
    Level,
}

/// What turns thinking off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Off {
    /// `{"type": "disabled"}`, a budget of 0, or the effort `none`.
    Disabled,
    /// Anthropic's `between_tools`: the least there is.
    BetweenTools,
}

/// Whether a tool can be forced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ForcedTools {
    /// Yes.
    Yes,
    /// Not while it thinks.
    NotWithThinking,
    /// No: it answers 400.
    No,
}

impl Default for ModelFacts {
    /// Of a model of which nothing is known: it can all that is usual.
    fn default() -> Self {
        Self {
            max_output: None,
            sampling: Sampling::All,
            thinking: ThinkingForm::Level,
            budget: None,
            off: Some(Off::Disabled),
            thinks_by_default: false,
            efforts: Effort::ALL.to_vec(),
            forced_tools: ForcedTools::Yes,
            prefill: true,
            json_schema: true,
            json_schema_with_tools: true,
            stop: true,
            candidates: true,
            call_ids: false,
            logprobs: true,
            schema_fields: true,
            media_in_results: true,
            needs_signatures: false,
            penalties: true,
        }
    }
}

impl ModelFacts {
    /// The nearest effort that the model knows: itself, else the next below, else the least there is. None where it
    /// knows none.
    pub fn nearest_effort(&self, wanted: Effort) -> Option<Effort> {
        let real = || self.efforts.iter().copied().filter(|effort| *effort != Effort::None || wanted == Effort::None);
        real().filter(|effort| *effort <= wanted).max().or_else(|| real().min())
    }

    /// What makes a model think whose client leaves it to the model how much: one that is known not to, unless it is
    /// told (OpenAI's since GPT-5.1). Of a model that is not known, only the client can tell.
    pub fn effort_to_begin(&self) -> Option<Effort> {
        let known = self.efforts.len() < Effort::ALL.len() && self.efforts.contains(&Effort::None);
        (known && !self.thinks_by_default && self.thinking != ThinkingForm::None)
            .then(|| self.nearest_effort(Effort::Medium))
            .flatten()
    }

    /// These facts, with those over them that `changes` names, as `data/models.json` spells them. `null` is a value: of
    /// `off`, that nothing turns thinking off.
    ///
    /// # Errors
    /// When `changes` is no object of known facts, each of its own kind.
    pub fn changed(&self, changes: &Value) -> serde_json::Result<Self> {
        let Value::Object(changes) = changes else {
            return Err(serde_json::Error::custom("facts must be an object"));
        };
        let mut facts = serde_json::to_value(self)?;
        for (name, value) in changes {
            facts[name] = value.clone();
        }
        let facts: Self = serde_json::from_value(facts)?;
        match facts.budget {
            Some((least, most)) if least > most => Err(serde_json::Error::custom("budget must be [least, most]")),
            _ => Ok(facts),
        }
    }
}

/// All rows.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Day of the data, ISO 8601.
    pub as_of: String,
    /// Lower-case prefix of the model's name → what is known.
    rows: HashMap<String, ModelFacts>,
    longest: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "$comment")]
    _comment: Option<String>,
    as_of: String,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    models: Vec<String>,
    facts: ModelFacts,
}

static BUILT_IN: LazyLock<Facts> = LazyLock::new(|| {
    let (as_of, rows) = (String::new(), HashMap::new());
    // The text is part of the program, and a test reads it.
    Facts::read(include_str!("../data/models.json")).unwrap_or(Facts { as_of, rows, longest: 0 })
});

static UNKNOWN: LazyLock<ModelFacts> = LazyLock::new(ModelFacts::default);

impl Facts {
    /// What this build knows.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Reads a document like `data/models.json`.
    ///
    /// # Errors
    /// When it is of another shape.
    pub fn read(text: &str) -> serde_json::Result<Self> {
        let document: Document = serde_json::from_str(text)?;
        let rows = document
            .rows
            .into_iter()
            .flat_map(|row| row.models.into_iter().map(move |name| (name.to_ascii_lowercase(), row.facts.clone())));
        let rows: HashMap<_, _> = rows.collect();
        let longest = rows.keys().map(String::len).max().unwrap_or_default();
        Ok(Self { as_of: document.as_of, rows, longest })
    }

    /// These rows, over those of `below`.
    #[must_use]
    pub fn over(mut self, below: &Self) -> Self {
        for (name, facts) in &below.rows {
            self.rows.entry(name.clone()).or_insert_with(|| facts.clone());
        }
        self.longest = self.longest.max(below.longest);
        self
    }

    /// These rows, with an operator's over them: beginning of a model's name → what differs from what is known of that
    /// name. Gives the rows that cannot be read beside it, by name, each with the reason; what is known stays known of
    /// them.
    pub fn with_changes(&self, changes: &Map<String, Value>) -> (Self, Vec<(String, serde_json::Error)>) {
        let mut facts = self.clone();
        let mut refused = Vec::new();
        for (name, changes) in changes {
            match self.of(name).changed(changes) {
                Ok(row) => {
                    facts.longest = facts.longest.max(name.len());
                    facts.rows.insert(name.to_ascii_lowercase(), row);
                }
                Err(error) => refused.push((name.clone(), error)),
            }
        }
        (facts, refused)
    }

    /// What is known of `model`: the row with the longest name that the model's begins with. A vendor's or region's
    /// prefix is skipped (`us.anthropic.claude-…`, `anthropic/claude-…`, `models/gemini-…`). A family has a row for
    /// models that are newer than the data.
    pub fn of(&self, model: &str) -> &ModelFacts {
        let model = model.to_ascii_lowercase();
        let starts = [0].into_iter().chain(model.match_indices(['/', '.', '@', ':']).map(|(at, _)| at + 1));
        starts
            .filter_map(|start| self.longest_prefix(&model[start..]))
            .max_by_key(|(length, _)| *length)
            .map_or(&UNKNOWN, |(_, facts)| facts)
    }

    fn longest_prefix(&self, name: &str) -> Option<(usize, &ModelFacts)> {
        let longest = name.floor_char_boundary(self.longest);
        (1..=longest)
            .rev()
            .filter(|end| name.is_char_boundary(*end))
            .find_map(|end| self.rows.get(&name[..end]).map(|facts| (end, facts)))
    }
}

#[cfg(test)]
mod tests;
