//! Names of models that end in `*`, which stands for any further characters.

use std::sync::Arc;

use shared::snapshot::Group;

/// The patterns of one group, in the order in which they are tried.
#[derive(Debug)]
pub(super) struct Patterns(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    /// What a name begins with that it fits.
    beginning: Box<str>,
    target: Target,
}

/// The vendor's name of a model whose name fits a pattern.
#[derive(Debug)]
enum Target {
    /// The name itself.
    Same,
    /// Always this one.
    Fixed(Arc<str>),
    /// This, followed by what the `*` of the pattern stands for.
    Beginning(Box<str>),
}

impl Patterns {
    /// Whether `group` has any.
    pub(super) fn has_any(group: &Group) -> bool {
        group.models.iter().chain(group.model_aliases.keys()).any(|name| name.ends_with('*'))
    }

    /// Those of `group`: the longest first, and of two of one length the alias.
    pub(super) fn of(group: &Group) -> Self {
        let aliases = group.model_aliases.iter().filter_map(|(alias, model)| {
            let target = match model.strip_suffix('*') {
                Some(beginning) => Target::Beginning(beginning.into()),
                None => Target::Fixed(Arc::clone(model)),
            };
            Some(Pattern { beginning: alias.strip_suffix('*')?.into(), target })
        });
        let models = group
            .models
            .iter()
            .filter_map(|model| Some(Pattern { beginning: model.strip_suffix('*')?.into(), target: Target::Same }));
        let mut patterns: Vec<_> = aliases.chain(models).collect();
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.beginning.len()));
        Self(patterns)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The vendor's name of the model that clients call `name`, where a pattern fits. A name that is empty, or a
    /// pattern itself, is no model's.
    pub(super) fn find(&self, name: &str) -> Option<Arc<str>> {
        if name.is_empty() || name.contains('*') {
            return None;
        }
        let (rest, target) =
            self.0.iter().find_map(|pattern| Some((name.strip_prefix(&*pattern.beginning)?, &pattern.target)))?;
        Some(match target {
            Target::Same => Arc::from(name),
            Target::Fixed(model) => Arc::clone(model),
            Target::Beginning(beginning) => Arc::from(format!("{beginning}{rest}")),
        })
    }
}
