//! What is known of models: data with a date (`data/models.json`) and not code. An operator can override it.

mod purpose;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, LazyLock};

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ir::Effort;

pub use purpose::Purpose;

/// What is known of a model, as far as a request to it depends on that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ModelFacts {
    /// The longest answer, in tokens.
    pub max_output: Option<u64>,
    /// The model's context window, in tokens: the most that it reads, or reads and writes where the vendor counts both
    /// together. Where it depends on the account or on a header, it is the largest. None where it is not known.
    pub context: Option<u64>,
    /// Whether the model takes pictures.
    pub vision: bool,
    /// Whether the model can call tools.
    pub tools: bool,
    /// Which sampling parameters the model takes.
    pub sampling: Sampling,
    /// How the model's thinking is switched.
    pub thinking: ThinkingForm,
    /// The least and the most tokens of a thinking budget.
    pub budget: Option<(u64, u64)>,
    /// What turns thinking off. None where nothing does.
    pub off: Option<Off>,
    /// Whether the model thinks where a request says nothing of it.
    pub thinks_by_default: bool,
    /// The efforts, or thinking levels, that the model knows, in any order.
    pub efforts: Vec<Effort>,
    /// Whether the model can be forced to call a tool.
    pub forced_tools: ForcedTools,
    /// Whether the last message may be the model's own, for it to go on from.
    pub prefill: bool,
    /// Whether the model can be held to a JSON schema.
    pub json_schema: bool,
    /// Whether the model can be held to a JSON schema while it has tools.
    pub json_schema_with_tools: bool,
    /// Whether a request can give texts that end the answer.
    pub stop: bool,
    /// Whether the model gives several answers at once.
    pub candidates: bool,
    /// Whether the model takes ids of function calls (Gemini).
    pub call_ids: bool,
    /// Whether the model gives log probabilities.
    pub logprobs: bool,
    /// Whether functions can be declared by JSON schema (Gemini's `parametersJsonSchema`, `responseJsonSchema`).
    pub schema_fields: bool,
    /// Whether media may stand beside a function's response, and within it (Gemini 3).
    pub media_in_results: bool,
    /// Whether the first call of a step must carry a signature (Gemini 3).
    pub needs_signatures: bool,
    /// Whether the model takes presence and frequency penalties (no Gemini since 2.5 does).
    pub penalties: bool,
}

/// Which sampling parameters a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sampling {
    /// All of them.
    All,
    /// Temperature or top_p, but not both.
    OneOf,
    /// None: the model answers 400 to any.
    None,
}

/// How a model's thinking is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ThinkingForm {
    /// The model does not think.
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
    /// Anthropic's `between_tools`: the least that the model can do.
    BetweenTools,
}

/// Whether a model can be forced to call a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ForcedTools {
    /// It can.
    Yes,
    /// It can, but not while it thinks.
    NotWithThinking,
    /// It cannot: the model answers 400.
    No,
}

impl Default for ModelFacts {
    /// The facts of a model that nothing is known of: it can do all that is usual.
    fn default() -> Self {
        Self {
            max_output: None,
            context: None,
            vision: true,
            tools: true,
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
    /// The nearest effort that the model knows: the wanted one, else the next below it, else the least. None where the
    /// model knows none.
    pub fn nearest_effort(&self, wanted: Effort) -> Option<Effort> {
        let real = || self.efforts.iter().copied().filter(|effort| *effort != Effort::None || wanted == Effort::None);
        real().filter(|effort| *effort <= wanted).max().or_else(|| real().min())
    }

    /// The effort that makes the model think where the client leaves it to the model how much. Only models that are
    /// known not to think unless they are told need one (OpenAI's since GPT-5.1). Of a model that nothing is known of,
    /// only the client can tell.
    pub fn effort_to_begin(&self) -> Option<Effort> {
        let known = self.efforts.len() < Effort::ALL.len() && self.efforts.contains(&Effort::None);
        (known && !self.thinks_by_default && self.thinking != ThinkingForm::None)
            .then(|| self.nearest_effort(Effort::Medium))
            .flatten()
    }

    /// These facts, overridden by `changes`, which are spelled as in `data/models.json`. `null` is a value: as `off` it
    /// says that nothing turns thinking off.
    ///
    /// # Errors
    /// When `changes` is not an object, or holds a fact that is not known or has a value of another kind.
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

/// What is known of all models.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The day of the data, in ISO 8601.
    pub as_of: String,
    /// The beginning of a model's name, in lower case → what is known of such models.
    rows: BTreeMap<String, Arc<ModelFacts>>,
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
    // The text is part of the program, and a test reads it.
    Facts::read(include_str!("../data/models.json")).unwrap_or_else(|_| Facts::none())
});

static UNKNOWN: LazyLock<Arc<ModelFacts>> = LazyLock::new(Arc::default);

impl Facts {
    /// What this build knows.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Nothing: every model is taken for one that can do all that is usual.
    pub fn none() -> Self {
        Self { as_of: String::new(), rows: BTreeMap::new() }
    }

    /// Reads a document like `data/models.json`.
    ///
    /// # Errors
    /// When the document has another shape.
    pub fn read(text: &str) -> serde_json::Result<Self> {
        let document: Document = serde_json::from_str(text)?;
        let rows = document.rows.into_iter().flat_map(|row| {
            let facts = Arc::new(row.facts);
            row.models.into_iter().map(move |name| (name.to_ascii_lowercase(), Arc::clone(&facts)))
        });
        Ok(Self { as_of: document.as_of, rows: rows.collect() })
    }

    /// These rows, and those of `below` for models that these do not name.
    #[must_use]
    pub fn over(mut self, below: &Self) -> Self {
        for (name, facts) in &below.rows {
            self.rows.entry(name.clone()).or_insert_with(|| Arc::clone(facts));
        }
        self
    }

    /// These rows, overridden by an operator's: the beginning of a model's name → what differs from what is known of
    /// that name. Beside them it returns the rows that cannot be read, by name, each with the reason. What is known of
    /// those models stays as it is.
    pub fn with_changes(&self, changes: &Map<String, Value>) -> (Self, Vec<(String, serde_json::Error)>) {
        let mut facts = self.clone();
        let mut refused = Vec::new();
        for (name, changes) in changes {
            match self.of(name).changed(changes) {
                Ok(row) => {
                    facts.rows.insert(name.to_ascii_lowercase(), Arc::new(row));
                }
                Err(error) => refused.push((name.clone(), error)),
            }
        }
        (facts, refused)
    }

    /// What is known of `model`: the row with the longest name that the model's name begins with. A prefix of a vendor
    /// or region is skipped (`us.anthropic.claude-…`, `anthropic/claude-…`, `models/gemini-…`). Each family has a row
    /// for models that are newer than the data.
    pub fn of(&self, model: &str) -> &ModelFacts {
        self.shared(model)
    }

    /// As [`Self::of`], to be kept.
    pub fn shared(&self, model: &str) -> &Arc<ModelFacts> {
        let model = model.to_ascii_lowercase();
        let starts = [0].into_iter().chain(model.match_indices(['/', '.', '@', ':']).map(|(at, _)| at + 1));
        starts
            .filter_map(|start| self.longest_prefix(&model[start..]))
            .max_by_key(|(length, _)| *length)
            .map_or(&UNKNOWN, |(_, facts)| facts)
    }

    /// The row with the longest name that `name` begins with, and how long that is.
    fn longest_prefix(&self, name: &str) -> Option<(usize, &Arc<ModelFacts>)> {
        let mut beginning = name;
        while !beginning.is_empty() {
            // No row that `beginning` begins with is greater than it, and none stands between the greatest that is not
            // and what both have in common.
            let up_to = (Bound::Unbounded, Bound::Included(beginning));
            let (row, facts) = self.rows.range::<str, _>(up_to).next_back()?;
            let common = row.bytes().zip(beginning.bytes()).take_while(|(left, right)| left == right).count();
            if common == row.len() {
                return (common > 0).then_some((common, facts));
            }
            beginning = &beginning[..beginning.floor_char_boundary(common)];
        }
        None
    }
}

#[cfg(test)]
mod tests;
