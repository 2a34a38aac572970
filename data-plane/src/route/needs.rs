//! What a request certainly needs of the model that answers it, and what a model is known not to have. What is not
//! known of a model it is taken to have: only what certainly cannot answer is not asked.

use std::fmt;
use std::sync::Arc;

use http::Uri;
use shared::snapshot::Group;
use tracing::warn;
use translation::facts::{Facts, ModelFacts};

use crate::provider::Endpoint;

/// Fields by which a request has its provider shorten what is too long: OpenAI's responses, OpenRouter, Anthropic.
pub const SHORTENING: &[&str] = &["truncation", "transforms", "plugins", "context_management"];

/// What a request certainly needs. Nothing stands for what was not looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The least number of tokens that the model has to read.
    pub tokens: u64,
    /// Whether the model has to know tools.
    pub tools: bool,
    /// Whether the model has to take pictures.
    pub vision: bool,
}

/// What a model has, as far as that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most tokens that it reads.
    pub context: u64,
    /// Whether it may know tools.
    pub tools: bool,
    /// Whether it may take pictures.
    pub vision: bool,
}

/// What a model lacks for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Room: it reads so many tokens at most.
    Room(u64),
    /// It calls no tools.
    Tools,
    /// It takes no pictures.
    Vision,
}

impl Needs {
    /// Whether nothing is needed that a model may lack.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Bounds {
    /// A model of which nothing is known.
    pub const UNKNOWN: Self = Self { context: u64::MAX, tools: true, vision: true };

    /// What a model of these facts has.
    fn of(facts: &ModelFacts) -> Self {
        Self { context: facts.context.unwrap_or(u64::MAX), tools: facts.tools, vision: facts.vision }
    }

    /// What both models have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            context: self.context.min(other.context),
            tools: self.tools && other.tools,
            vision: self.vision && other.vision,
        }
    }

    /// What the model lacks of what is needed.
    pub fn lack(&self, needs: &Needs) -> Option<Lack> {
        if needs.tokens > self.context {
            Some(Lack::Room(self.context))
        } else if needs.tools && !self.tools {
            Some(Lack::Tools)
        } else {
            (needs.vision && !self.vision).then_some(Lack::Vision)
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(context) => write!(f, "the request is longer than the {context} tokens that the model reads"),
            Self::Tools => f.write_str("the model cannot call tools"),
            Self::Vision => f.write_str("the model takes no pictures"),
        }
    }
}

/// What is known of the models of a group.
#[derive(Debug)]
pub struct GroupFacts {
    /// What requests are written by.
    all: Known,
    /// What is certain: what the group itself says, and what this build knows of the models of the vendor whose address
    /// the group has. What stands at another address may be any model under the name.
    certain: Certain,
    /// Whether what the group sets in requests may have the provider shorten what is too long.
    shortens: bool,
    /// Whether what the group sets in requests may be or switch off tools.
    sets_tools: bool,
}

#[derive(Debug)]
enum Known {
    BuiltIn,
    Changed(Box<Facts>),
}

#[derive(Debug)]
enum Certain {
    All,
    Nothing,
    Own(Box<Facts>),
}

impl GroupFacts {
    /// What is known of the models of `group`. The control plane has refused changes that cannot be read; one that is
    /// here nevertheless is left out.
    pub(super) fn of(group: &Group, endpoint: Option<&Endpoint>) -> Self {
        let owner = endpoint
            .and_then(|endpoint| endpoint.vendor.base_url)
            .is_some_and(|own| host(own) == host(&group.base_url));
        let of_keys = || group.upstream_keys.iter().filter_map(|key| key.routing.own.as_deref());
        let set_by_keys = of_keys().flat_map(|own| [&own.parameter_overrides, &own.parameter_defaults]);
        let set = [&group.parameter_overrides, &group.parameter_defaults].into_iter().chain(set_by_keys);
        let (mut shortens, mut sets_tools) = (false, false);
        for fields in set.filter(|fields| !fields.is_empty()) {
            shortens |= SHORTENING.iter().any(|name| fields.contains_key(*name));
            sets_tools |= ["tools", "tool_choice"].iter().any(|name| fields.contains_key(*name));
        }
        if group.model_facts.is_empty() {
            let certain = if owner { Certain::All } else { Certain::Nothing };
            return Self { all: Known::BuiltIn, certain, shortens, sets_tools };
        }
        let (facts, refused) = Facts::built_in().with_changes(&group.model_facts);
        for (model, error) in refused {
            warn!(group = &*group.name, model, %error, "what the group says of a model cannot be read and is left out");
        }
        let own = || Certain::Own(Box::new(Facts::none().with_changes(&group.model_facts).0));
        let certain = if owner { Certain::All } else { own() };
        Self { all: Known::Changed(Box::new(facts)), certain, shortens, sets_tools }
    }

    /// What requests to `model` of the group are written by, and what `model` certainly has there.
    pub(super) fn of_model(&self, model: &str) -> (&Arc<ModelFacts>, Bounds) {
        let facts = match &self.all {
            Known::BuiltIn => Facts::built_in().shared(model),
            Known::Changed(facts) => facts.shared(model),
        };
        let mut bounds = match &self.certain {
            Certain::All => Bounds::of(facts),
            Certain::Nothing => Bounds::UNKNOWN,
            Certain::Own(own) => Bounds::of(own.of(model)),
        };
        if self.shortens {
            bounds.context = u64::MAX;
        }
        bounds.tools |= self.sets_tools;
        (facts, bounds)
    }
}

/// The host of a URL.
fn host(url: &str) -> Option<String> {
    Some(url.parse::<Uri>().ok()?.host()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
