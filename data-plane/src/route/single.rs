//! One upstream key, to be asked whatever its state: for what the gateway itself wants to know. Requests of clients go
//! by plans, which leave out what is switched off.

use std::sync::Arc;

use shared::snapshot::{Group, UpstreamKey};
use shared::time::steady_ms;
use translation::facts::Facts;

use super::candidate::Candidate;
use super::kept::Kept;
use super::models::ModelState;
use super::needs::GroupFacts;
use super::patterns::Patterns;
use super::table::{RouteTable, RoutedGroup, RoutedKey, is_usable, names};
use crate::metrics::series::SeriesStore;

/// Which model is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedModel<'m> {
    /// None: what is asked names no model.
    None,
    /// The test model of the group, or else the first that the key may be used for.
    Usual,
    /// The one that a client would call so, or the vendor does.
    Named(&'m str),
}

impl RouteTable {
    /// The upstream key `key` of the group `group`, whatever its state, and though the operator has switched off the
    /// key or the group. Where no key is named, it is the first that is well, or else the first.
    ///
    /// # Errors
    /// Why nothing can be asked, for people.
    pub fn single(&self, group: &str, key: Option<&str>, model: AskedModel<'_>) -> Result<Candidate, String> {
        let config = self.snapshot.groups.get(group).ok_or("the node does not know the group yet")?;
        let served = self.groups().iter().find(|served| served.group.id == config.id);
        let wanted = match key {
            Some(id) => {
                config.upstream_keys.iter().find(|key| *key.id == *id).ok_or("the node does not know the key yet")?
            }
            None => first_of(config, served.map(|served| &**served)).ok_or("the group has no upstream key")?,
        };
        let upstream_model = match model {
            AskedModel::None => Arc::from(""),
            AskedModel::Named(name) => named(config, name),
            AskedModel::Usual => usual(config, wanted)?,
        };
        let of_served =
            served.and_then(|served| Some((served, served.keys.iter().find(|key| key.key.id == wanted.id)?)));
        let (group, key) = match of_served {
            Some((group, key)) => (Arc::clone(group), Arc::clone(key)),
            None => self.switched_on(config, wanted)?,
        };
        let facts = if upstream_model.is_empty() {
            Arc::clone(Facts::built_in().shared(""))
        } else {
            Arc::clone(GroupFacts::of(config, group.endpoint.as_ref()).of_model(&upstream_model).0)
        };
        // Many keys that are out already fail alike, which says nothing new of their group.
        let is_out = of_served.is_none() || key.health.at(steady_ms(), &upstream_model).is_err();
        let (group, state) = if is_out {
            (Arc::new(RoutedGroup { rest: Arc::default(), ..RoutedGroup::clone(&group) }), Arc::<ModelState>::default())
        } else {
            let state = group.models.of(&upstream_model);
            (group, state)
        };
        Ok(Candidate { group, key, upstream_model, facts, state, price: None, tokens: 0 })
    }

    /// `group` and `key`, as if both were switched on. What is remembered of them counts.
    fn switched_on(
        &self,
        group: &Arc<Group>,
        key: &Arc<UpstreamKey>,
    ) -> Result<(Arc<RoutedGroup>, Arc<RoutedKey>), String> {
        if !is_usable(group) {
            return Err("nothing is sent to the address of the group".to_owned());
        }
        let on = |known: &Arc<UpstreamKey>| {
            let switched = || Arc::new(UpstreamKey { enabled: true, ..UpstreamKey::clone(known) });
            if known.id == key.id && !known.enabled { switched() } else { Arc::clone(known) }
        };
        // All keys are taken along: no answer may repeat any of them.
        let upstream_keys = group.upstream_keys.iter().map(on).collect();
        let on = Arc::new(Group { enabled: true, upstream_keys, ..Group::clone(group) });
        let mut forgotten = Kept::new(Arc::clone(self.kept.clock()), SeriesStore::default());
        let mut compiled = RoutedGroup::compile(&on, &self.snapshot.error_rules, Some(&self.kept), &mut forgotten);
        if let Some(known) = self.kept.group(&group.id) {
            compiled.refusals = Arc::clone(&known.refusals);
        }
        if compiled.endpoint.is_none() {
            return Err("this version does not serve the group's providerType".to_owned());
        }
        let found = compiled.keys.iter().find(|compiled| compiled.key.id == key.id).map(Arc::clone);
        let key = found.ok_or("the upstream key is not of the form that the provider has")?;
        Ok((Arc::new(compiled), key))
    }
}

/// The key of `group` that is asked where none is named: the first that is well where the group is `served`, else the
/// first that is switched on, else the first.
fn first_of<'g>(group: &'g Group, served: Option<&RoutedGroup>) -> Option<&'g Arc<UpstreamKey>> {
    let now = steady_ms();
    let well = served.and_then(|served| served.keys.iter().find(|key| key.health.at(now, "").is_ok()));
    let keys = &group.upstream_keys;
    let well = well.and_then(|well| keys.iter().find(|key| key.id == well.key.id));
    well.or_else(|| keys.iter().find(|key| key.enabled)).or(keys.first())
}

/// The vendor's name of what the operator calls `name`. A name that the group does not have is taken for the vendor's.
fn named(group: &Group, name: &str) -> Arc<str> {
    // An alias counts before a model of the same name, as it does for clients.
    let known = names(group).filter(|(known, _)| ***known == *name).last();
    known
        .map(|(_, upstream)| Arc::clone(upstream))
        .or_else(|| Patterns::of(group).find(name))
        .unwrap_or_else(|| name.into())
}

/// The model that `key` of `group` is asked for where none is named.
fn usual(group: &Group, key: &UpstreamKey) -> Result<Arc<str>, String> {
    let test = group.test_model.as_deref().filter(|model| !model.is_empty()).map(|model| named(group, model));
    let mut all = test.into_iter().chain(names(group).map(|(_, upstream)| Arc::clone(upstream))).peekable();
    if all.peek().is_none() {
        return Err("the group has no testModel and names no model to ask for".to_owned());
    }
    let found = all.find(|model| key.routing.serves(model));
    found.ok_or_else(|| "the upstream key may be used for none of the models that the group names".to_owned())
}

#[cfg(test)]
mod tests;
