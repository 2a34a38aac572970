//! A snapshot, compiled for look-ups by the request path.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use shared::crypto::KEY_LEN;
use shared::ids::Id;
use shared::pb;
use shared::secret::Secret;
use shared::snapshot::{Group, ProxyKey, Snapshot, UnsupportedParameters, UpstreamKey, UpstreamStream};
use shared::time::now_ms;
use tracing::warn;
use translation::facts::{Facts, ModelFacts};

use crate::provider::Endpoint;
use crate::provider::credential::{Credential, Tokens};
use crate::provider::redact::Leak;
use crate::route::health::KeyHealth;
use crate::upstream::Exit;

/// Fields of a request that config may not set: the gateway's own work depends on them.
const NEVER_SET: &[&str] = &["model", "messages", "input", "contents", "stream", "stream_options"];

/// What the request path reads: immutable but for key health, swapped whole when a new snapshot is applied.
#[derive(Debug)]
pub struct RouteTable {
    /// What it was compiled from.
    pub snapshot: Arc<Snapshot>,
    clients: HashMap<[u8; KEY_LEN], Client>,
    routes: HashMap<Arc<str>, Vec<Route>>,
    /// The first to try first.
    groups: Vec<Arc<RoutedGroup>>,
    health: HashMap<Id, Arc<KeyHealth>>,
    exits: HashMap<Id, Arc<Exit>>,
    /// Access tokens, by the upstream key that gets them.
    tokens: HashMap<Id, Arc<Tokens>>,
}

/// A client that has shown its proxy key.
#[derive(Debug)]
pub struct Client {
    /// Its key.
    pub key: Arc<ProxyKey>,
    /// Empty: all.
    allowed_groups: HashSet<Id>,
    /// Empty: all.
    allowed_models: HashSet<Arc<str>>,
}

/// A group that serves a model.
#[derive(Clone, Debug)]
pub struct Route {
    /// The group.
    pub group: Arc<RoutedGroup>,
    /// What the vendor calls the model.
    pub upstream_model: Arc<str>,
    /// What is known of the model.
    pub facts: Arc<ModelFacts>,
}

/// A group as the request path needs it.
#[derive(Debug)]
pub struct RoutedGroup {
    /// Its config.
    pub group: Arc<Group>,
    /// Whom it calls and where; none for a vendor that this build does not serve.
    pub endpoint: Option<Endpoint>,
    /// Its usable keys, in the operator's order.
    pub keys: Vec<Arc<RoutedKey>>,
    /// Request fields set where the client left them out, as JSON text.
    pub defaults: Vec<(String, String)>,
    /// Request fields that replace the client's, as JSON text.
    pub overrides: Vec<(String, String)>,
    /// Sent with each upstream request.
    pub headers: HeaderMap,
    /// The way out.
    pub exit: Arc<Exit>,
}

/// An upstream key as the request path needs it.
#[derive(Debug)]
pub struct RoutedKey {
    /// Its config.
    pub key: Arc<UpstreamKey>,
    /// How a request shows it.
    pub credential: Credential,
    /// What was learnt about it.
    pub health: Arc<KeyHealth>,
    /// Finds the secret in an answer.
    pub leak: Leak,
}

impl Client {
    /// Whether the key may ask for `model`.
    pub fn may_use_model(&self, model: &str) -> bool {
        self.allowed_models.is_empty() || self.allowed_models.contains(model)
    }

    /// Whether the key may use the group.
    pub fn may_use_group(&self, id: &str) -> bool {
        self.allowed_groups.is_empty() || self.allowed_groups.contains(id)
    }
}

impl RouteTable {
    /// Compiles `snapshot`. What `previous` has learnt about keys that are still there, and got with them, is kept.
    pub fn compile(snapshot: Arc<Snapshot>, previous: Option<&Self>) -> Self {
        let mut health = HashMap::with_capacity(snapshot.groups.len());
        let mut exits = HashMap::with_capacity(snapshot.groups.len());
        let mut tokens = HashMap::new();
        let mut routes: HashMap<Arc<str>, Vec<Route>> = HashMap::new();
        // The higher priority first; among equals the older group, so that the order does not depend on chance.
        let mut groups: Vec<_> = snapshot.groups.values().filter(|group| group.enabled).collect();
        groups.sort_by(|left, right| right.priority.cmp(&left.priority).then_with(|| left.id.cmp(&right.id)));
        let mut ordered = Vec::with_capacity(groups.len());
        for group in groups {
            let compiled = Arc::new(RoutedGroup::compile(group, previous, &mut health, &mut tokens));
            exits.insert(Arc::clone(&group.id), Arc::clone(&compiled.exit));
            ordered.push(Arc::clone(&compiled));
            let facts = facts_of(group);
            let names = group.models.iter().map(|model| (model, model)).chain(&group.model_aliases);
            // An alias that is also the name of a model of the group: the alias is what the operator meant.
            let names: BTreeMap<_, _> = names.collect();
            for (name, upstream_model) in names {
                let facts = Arc::new(facts.of(upstream_model).clone());
                let route = Route { group: Arc::clone(&compiled), upstream_model: Arc::clone(upstream_model), facts };
                routes.entry(Arc::clone(name)).or_default().push(route);
            }
        }
        let clients = snapshot.proxy_keys.values().map(|key| (key.digest, Client::compile(key))).collect();
        Self { snapshot, clients, routes, groups: ordered, health, exits, tokens }
    }

    /// Takes in what another node learnt about an upstream key.
    pub fn apply_key_state(&self, state: &pb::KeyState) {
        if let Some(health) = self.health.get(state.upstream_key_id.as_str()) {
            health.observe(state, now_ms());
        }
    }

    /// Whose key has this digest.
    pub fn client(&self, digest: &[u8; KEY_LEN]) -> Option<&Client> {
        self.clients.get(digest)
    }

    /// The groups that serve `model`, the first to try first.
    pub fn routes(&self, model: &str) -> &[Route] {
        self.routes.get(model).map_or(&[], Vec::as_slice)
    }

    /// The groups that are enabled, the first to try first.
    pub fn groups(&self) -> &[Arc<RoutedGroup>] {
        &self.groups
    }

    /// All names that clients may ask for, with the groups that serve them.
    pub fn models(&self) -> impl Iterator<Item = (&Arc<str>, &[Route])> {
        self.routes.iter().map(|(name, routes)| (name, routes.as_slice()))
    }
}

impl Client {
    fn compile(key: &Arc<ProxyKey>) -> Self {
        Self {
            key: Arc::clone(key),
            allowed_groups: key.allowed_groups.iter().cloned().collect(),
            allowed_models: key.allowed_models.iter().cloned().collect(),
        }
    }
}

impl RoutedGroup {
    /// Whether the provider is asked for a stream, for a client that wants one or not.
    pub fn streams(&self, wanted: bool) -> bool {
        match self.group.upstream_stream {
            UpstreamStream::Auto => wanted,
            UpstreamStream::Always => true,
            UpstreamStream::Never => false,
        }
    }

    /// Whether a request is refused that holds what the provider's API cannot express.
    pub fn rejects_unsupported(&self) -> bool {
        self.group.unsupported_parameters == UnsupportedParameters::Reject
    }

    fn compile(
        group: &Arc<Group>,
        previous: Option<&RouteTable>,
        health: &mut HashMap<Id, Arc<KeyHealth>>,
        tokens: &mut HashMap<Id, Arc<Tokens>>,
    ) -> Self {
        let endpoint = Endpoint::of(group);
        let keys = group.upstream_keys.iter().filter(|key| key.enabled).filter_map(|key| {
            let auth = endpoint.as_ref()?.vendor.auth;
            let known = previous.and_then(|table| table.tokens.get(&key.id));
            let credential = match Credential::of(auth, key.secret.expose(), &group.base_url, known) {
                Ok(credential) => credential,
                Err(problem) => {
                    // The control plane has refused such keys; one that is here nevertheless is left out.
                    warn!(group = &*group.name, upstream_key = &*key.masked, problem, "upstream key is of no use");
                    return None;
                }
            };
            if let Some(got) = credential.tokens() {
                tokens.insert(Arc::clone(&key.id), Arc::clone(got));
            }
            let known = previous.and_then(|table| table.health.get(&key.id)).cloned().unwrap_or_default();
            health.insert(Arc::clone(&key.id), Arc::clone(&known));
            let leak = Leak::of(&key.secret);
            Some(Arc::new(RoutedKey { key: Arc::clone(key), credential, health: known, leak }))
        });
        let keys = keys.collect();
        // Connections outlive a change of config that does not change the way out.
        let exit = Exit::of(group);
        let known = previous.and_then(|table| table.exits.get(&group.id)).filter(|known| ***known == exit);
        Self {
            endpoint,
            keys,
            defaults: fields(&group.parameter_defaults),
            overrides: fields(&group.parameter_overrides),
            headers: headers(group),
            exit: known.cloned().unwrap_or_else(|| Arc::new(exit)),
            group: Arc::clone(group),
        }
    }
}

/// What is known of models, with the group's own changes. The control plane has refused what cannot be read; what is
/// refused here nevertheless is left out.
fn facts_of(group: &Group) -> Cow<'static, Facts> {
    if group.model_facts.is_empty() {
        return Cow::Borrowed(Facts::built_in());
    }
    let (facts, refused) = Facts::built_in().with_changes(&group.model_facts);
    for (model, error) in refused {
        warn!(group = &*group.name, model, %error, "what the group says of a model cannot be read and is left out");
    }
    Cow::Owned(facts)
}

fn fields(object: &Map<String, Value>) -> Vec<(String, String)> {
    let settable = object.iter().filter(|(name, _)| !NEVER_SET.contains(&name.as_str()));
    settable.map(|(name, value)| (name.clone(), value.to_string())).collect()
}

/// Validated with the snapshot; what is no header nevertheless is left out.
fn headers(group: &Group) -> HeaderMap {
    let header = |(name, value): (&String, &Secret)| {
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    };
    group.headers.iter().filter_map(header).collect()
}

#[cfg(test)]
mod tests;
