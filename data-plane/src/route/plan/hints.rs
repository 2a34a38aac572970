//! What a client itself wants of the groups that serve it.

use std::fmt;

use http::HeaderMap;
use shared::snapshot::Group;

use super::Plan;
use crate::error::GatewayError;

/// Names the group that a request is to go to.
const GROUP: &str = "x-orchestration-group";

/// Names the tags that its group is to have, with commas between them.
const TAGS: &str = "x-orchestration-tags";

/// What a client itself wants of the groups that serve it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'h> {
    group: Option<&'h str>,
    tags: Option<&'h str>,
}

impl<'h> Hints<'h> {
    /// What `headers` say.
    pub fn of(headers: &'h HeaderMap) -> Self {
        let said = |name: &str| {
            let text = headers.get(name)?.to_str().ok()?.trim();
            (!text.is_empty()).then_some(text)
        };
        Self { group: said(GROUP), tags: said(TAGS) }
    }

    /// The group that is named.
    pub fn group(&self) -> Option<&'h str> {
        self.group
    }

    /// Whether nothing is wanted.
    fn is_empty(&self) -> bool {
        self.group.is_none() && self.tags.is_none()
    }

    /// Whether `group` is one that is wanted.
    pub(in crate::route) fn take(&self, group: &Group) -> bool {
        let mut tags =
            self.tags.into_iter().flat_map(|tags| tags.split(',')).map(str::trim).filter(|tag| !tag.is_empty());
        self.group.is_none_or(|name| *group.name == *name || *group.id == *name)
            && tags.all(|tag| group.routing.tags.iter().any(|has| **has == *tag))
    }
}

impl Plan<'_> {
    /// Leaves the groups that the client itself wants: the one of this name or id, and those that have all of these
    /// tags.
    ///
    /// # Errors
    /// [`GatewayError::NoGroup`] where none of those that the client may use is left.
    pub fn wanted(mut self, hints: &Hints<'_>) -> Result<Self, GatewayError> {
        if hints.is_empty() {
            return Ok(self);
        }
        let client = self.client;
        self.routes.to_mut().retain(|route| client.may_use_group(route.place) && hints.take(&route.group.group));
        if self.routes.is_empty() {
            let missing = format!("the model, {hints}");
            return Err(GatewayError::NoGroup { missing, reason: String::new() });
        }
        Ok(self)
    }
}

impl fmt::Display for Hints<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |name, value: Option<&str>| value.map(|value| format!("{name} '{value}'"));
        let all: Vec<_> = [named("group", self.group), named("tags", self.tags)].into_iter().flatten().collect();
        f.write_str(&all.join(", "))
    }
}
