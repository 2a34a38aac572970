//! Whether answers may be kept in memory and given again, and what of the config they depend on.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::secret::Secret;
use shared::snapshot::Group;
use xxhash_rust::xxh3::Xxh3;

use super::client::Client;
use super::plan::Hints;
use super::table::{Route, RouteTable, RoutedGroup};

/// What of the config the answers to a client depend on that asks for a model.
#[derive(Clone, Copy, Debug)]
pub struct Caching<'t> {
    table: &'t RouteTable,
    client: &'t Client,
    /// The identity of what the config says: of the groups that serve the model to the client, in the order in which
    /// they are tried, and of the models that are asked after it.
    pub config: u128,
}

impl<'t> Caching<'t> {
    /// What the answers to `client` depend on that asks for `model` and narrows by `hints` where it goes. None where
    /// neither its proxy key nor a group that serves it has answers kept, or no group may serve it: then the request
    /// goes the way of all others. Which keys are out does not matter.
    pub fn of(table: &'t RouteTable, client: &'t Client, model: &str, hints: &Hints<'_>) -> Option<Self> {
        if !table.caches {
            return None;
        }
        let (routes, name) = table.asked(model, client);
        if !client.may_use_model(name) {
            return None;
        }
        let serves = |route: &&Route| {
            let group = &route.group;
            group.endpoint.is_some() && client.may_use_group(route.place) && hints.take(&group.group)
        };
        if !routes.iter().filter(serves).any(|route| !time(client, &route.group.group).is_zero()) {
            return None;
        }
        let mut hash = Xxh3::new();
        for route in routes.iter().filter(serves) {
            hash.update(route.group.group.id.as_bytes());
            hash.update(&[0]);
            hash.update(route.upstream_model.as_bytes());
            hash.update(&[0]);
            hash.update(&route.group.identity().to_le_bytes());
        }
        hash.update(&serde_json::to_vec(&client.key.routing.fallbacks).unwrap_or_default());
        Some(Self { table, client, config: hash.digest128() })
    }

    /// How long answers of `group` to the client are kept. Zero: not at all.
    pub fn time(&self, group: &Group) -> Duration {
        time(self.client, group)
    }

    /// Whether what was kept still holds: the group `id` is there and enabled, the client may use it, the config says
    /// of it what has the identity `config`, and the client may ask for the `model` that was asked in place of its own.
    pub fn holds(&self, id: &str, config: u128, model: Option<&str>) -> bool {
        let group = self.table.groups().iter().enumerate().find(|(_, group)| *group.group.id == *id);
        let same = |group: &RoutedGroup| group.identity() == config && !self.time(&group.group).is_zero();
        group.is_some_and(|(place, group)| self.client.may_use_group(place) && same(group))
            && model.is_none_or(|model| self.client.may_use_model(model))
    }
}

/// As the proxy key says, or else the group.
fn time(client: &Client, group: &Group) -> Duration {
    let of_key = client.key.routing.cache;
    if of_key.is_zero() { group.routing.cache } else { of_key }
}

impl RoutedGroup {
    /// The identity of all that the config says of the group and that its answers depend on. Its upstream keys, but for
    /// what they set in requests, its place in the order, its times and its proxy are not among that.
    pub fn identity(&self) -> u128 {
        *self.identity.get_or_init(|| {
            let group = &self.group;
            let said = serde_json::to_vec(&(
                (&group.provider_type, &group.base_url, &group.api_version),
                (&group.models, &group.model_aliases, &group.model_facts),
                (&group.parameter_defaults, &group.parameter_overrides),
                (group.upstream_stream, group.unsupported_parameters),
                &group.routing.fallbacks,
            ));
            let mut hash = Xxh3::new();
            hash.update(&said.unwrap_or_default());
            let mut headers = |headers: &BTreeMap<String, Secret>| {
                for (name, value) in headers {
                    for part in [name.as_str(), value.expose()] {
                        hash.update(&[0]);
                        hash.update(part.as_bytes());
                    }
                }
            };
            headers(&group.headers);
            let own = group.upstream_keys.iter().filter_map(|key| key.routing.own.as_deref());
            for own in own.clone() {
                headers(&own.headers);
            }
            for own in own {
                let fields = serde_json::to_vec(&(&own.parameter_defaults, &own.parameter_overrides));
                hash.update(&fields.unwrap_or_default());
            }
            hash.digest128()
        })
    }
}

#[cfg(test)]
mod tests;
