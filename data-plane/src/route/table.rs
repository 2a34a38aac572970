//! A snapshot, compiled for look-ups by the request path.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use shared::crypto::KEY_LEN;
use shared::secret::Secret;
use shared::snapshot::{
    Group, GroupPolicy, ProxyKey, Snapshot, UnsupportedParameters, UpstreamKey, UpstreamStream, is_reserved_field,
    is_reserved_header, validate_destination,
};
use tracing::warn;
use translation::facts::{Facts, ModelFacts};

use super::breaker::Breaker;
use super::client::Client;
use super::health::KeyHealth;
use super::kept::{Kept, KeptGroup, KeptKey};
use super::load::Load;
use super::models::{ModelState, Models};
use super::order;
use super::patterns::Patterns;
use super::refusals::Refusals;
use super::rest::Rest;
use super::retries::RetryBudget;
use super::turns::Turns;
use crate::metrics::series::SeriesTable;
use crate::provider::Endpoint;
use crate::provider::credential::Credential;
use crate::provider::redact::{GroupSecrets, Leak};
use crate::upstream::Exit;

/// The most slashes of a name that are taken for the end of a prefix.
const MOST_SLASHES: usize = 4;

/// What the request path reads. It does not change but for what is kept of keys and groups, and is swapped whole when a
/// new snapshot is applied.
#[derive(Debug)]
pub struct RouteTable {
    /// What it was compiled from.
    pub snapshot: Arc<Snapshot>,
    /// What is remembered of the keys and groups in it.
    pub kept: Kept,
    /// The series of metrics of the groups in it.
    pub series: Arc<SeriesTable>,
    /// The clients, by the digest of their proxy key.
    clients: HashMap<[u8; KEY_LEN], Client>,
    /// The groups that serve a model, by the name that clients have for it, in the order in which they are tried.
    /// Groups that serve the name by a pattern are among them.
    routes: HashMap<Arc<str>, Vec<Route>>,
    /// The groups that serve names by patterns, in the order in which they are tried.
    patterned: Vec<PatternedGroup>,
    /// All groups that are enabled, in the order in which they are tried.
    groups: Vec<Arc<RoutedGroup>>,
}

/// A group that serves a model.
#[derive(Clone, Debug)]
pub struct Route {
    /// The group.
    pub group: Arc<RoutedGroup>,
    /// The vendor's name of the model.
    pub upstream_model: Arc<str>,
    /// What is known of the model.
    pub facts: Arc<ModelFacts>,
    /// What is remembered of the model at this group.
    pub state: Arc<ModelState>,
}

/// A group that serves names by patterns.
#[derive(Debug)]
struct PatternedGroup {
    group: Arc<RoutedGroup>,
    patterns: Patterns,
    facts: Cow<'static, Facts>,
}

/// A group as the request path needs it.
#[derive(Debug)]
pub struct RoutedGroup {
    /// Its config.
    pub group: Arc<Group>,
    /// The vendor's endpoint; none for a vendor that this build does not serve.
    pub endpoint: Option<Endpoint>,
    /// Its usable keys, in the operator's order.
    pub keys: Vec<Arc<RoutedKey>>,
    /// Request fields set where the client left them out, as JSON text.
    pub defaults: Vec<(String, String)>,
    /// Request fields that replace the client's, as JSON text.
    pub overrides: Vec<(String, String)>,
    /// Headers that go with each upstream request.
    pub headers: HeaderMap,
    /// The way by which its requests leave.
    pub exit: Arc<Exit>,
    /// What its provider has refused of what the gateway adds to requests.
    pub refusals: Arc<Refusals>,
    /// What is known of its models.
    pub models: Arc<Models>,
    /// How busy and fast it is.
    pub load: Arc<Load>,
    /// Whose turn it is of its keys.
    pub turns: Arc<Turns>,
    /// How much its requests may be tried again.
    pub retries: Arc<RetryBudget>,
    /// Whether it rests, because its keys fail alike.
    pub rest: Arc<Rest>,
}

/// An upstream key as the request path needs it.
#[derive(Debug)]
pub struct RoutedKey {
    /// Its config.
    pub key: Arc<UpstreamKey>,
    /// How a request shows it.
    pub credential: Credential,
    /// What was learnt about it while serving.
    pub health: Arc<KeyHealth>,
    /// Finds the secrets of the group in an answer.
    pub leak: Leak,
    /// How busy and fast it is.
    pub load: Arc<Load>,
    /// Whether requests with it fail.
    pub breaker: Arc<Breaker>,
}

impl RouteTable {
    /// Compiles `snapshot`. What was `kept` of groups and keys that are still there is taken over.
    pub fn compile(snapshot: Arc<Snapshot>, kept: Option<&Kept>) -> Self {
        let series = kept.map(|kept| kept.series.clone()).unwrap_or_default();
        let clock = kept.map(|kept| Arc::clone(kept.clock())).unwrap_or_default();
        let mut keeps = Kept::new(clock, series);
        let mut routes: HashMap<Arc<str>, Vec<Route>> = HashMap::new();
        let usable = |group: &&Arc<Group>| group.enabled && is_usable(group);
        let mut groups: Vec<_> = snapshot.groups.values().filter(usable).collect();
        groups.sort_by(|left, right| order::listed(left, right));
        let mut ordered = Vec::with_capacity(groups.len());
        let mut patterned = Vec::new();
        // Needed only where a group serves names by patterns.
        let exact: HashSet<&Arc<str>> = if groups.iter().any(|group| Patterns::has_any(group)) {
            groups.iter().flat_map(|group| names(group)).map(|(name, _)| name).collect()
        } else {
            HashSet::new()
        };
        for group in groups {
            let compiled = Arc::new(RoutedGroup::compile(group, kept, &mut keeps));
            ordered.push(Arc::clone(&compiled));
            let facts = facts_of(group);
            let patterns = Patterns::of(group);
            // An alias that is also the name of a model of the group: the alias is what the operator meant.
            let names: BTreeMap<_, _> = names(group).collect();
            compiled.models.configure(names.values().copied());
            for (&name, &upstream_model) in &names {
                let route = Route::new(&compiled, Arc::clone(upstream_model), &facts);
                routes.entry(Arc::clone(name)).or_default().push(route);
            }
            if !patterns.is_empty() {
                for name in exact.iter().filter(|name| !names.contains_key(**name)) {
                    if let Some(upstream_model) = patterns.find(name) {
                        let route = Route::new(&compiled, upstream_model, &facts);
                        routes.entry(Arc::clone(name)).or_default().push(route);
                    }
                }
                patterned.push(PatternedGroup { group: compiled, patterns, facts });
            }
        }
        let mut client = |key: &Arc<ProxyKey>| {
            let turns = (key.group_policy == GroupPolicy::RoundRobin)
                .then(|| kept.and_then(|kept| kept.turns(&key.id)).cloned().unwrap_or_default());
            if let Some(turns) = &turns {
                keeps.keep_turns(&key.id, Arc::clone(turns));
            }
            (key.digest, Client::compile(key, turns))
        };
        let clients = snapshot.proxy_keys.values().map(&mut client).collect();
        let series = Arc::new(keeps.series.table(snapshot.groups.values().filter(|group| group.enabled)));
        Self { snapshot, kept: keeps, series, clients, routes, patterned, groups: ordered }
    }

    /// The client whose proxy key has this digest.
    pub fn client(&self, digest: &[u8; KEY_LEN]) -> Option<&Client> {
        self.clients.get(digest)
    }

    /// The groups that serve what a client asks for as `asked`, and the name that they serve it by. The exact name
    /// counts first. Then what stands behind the name of a group, or of a vendor (`openai-primary/gpt-4o`,
    /// `anthropic/claude-…`), if it is one that the client `may` use. Then patterns.
    pub fn asked<'t, 'm>(&'t self, asked: &'m str, may: impl Fn(&Group) -> bool) -> (Cow<'t, [Route]>, &'m str) {
        if !self.routes.contains_key(asked) {
            // Names of groups and of models may hold slashes, too.
            for (slash, _) in asked.match_indices('/').take(MOST_SLASHES) {
                let (prefix, model) = (asked.get(..slash), asked.get(slash + 1..).unwrap_or_default());
                let routes = self.routes(model);
                let of = |name: fn(&Group) -> &str| -> Vec<Route> {
                    let named = |route: &&Route| Some(name(&route.group.group)) == prefix && may(&route.group.group);
                    routes.iter().filter(named).cloned().collect()
                };
                let of_group = of(|group| &group.name);
                let named = if of_group.is_empty() { of(|group| &group.provider_type) } else { of_group };
                if !named.is_empty() {
                    return (Cow::Owned(named), model);
                }
            }
        }
        (self.routes(asked), asked)
    }

    /// The groups that serve `model`, in the order in which they are tried.
    pub fn routes(&self, model: &str) -> Cow<'_, [Route]> {
        if let Some(routes) = self.routes.get(model) {
            return Cow::Borrowed(routes);
        }
        let route = |group: &PatternedGroup| Some(Route::new(&group.group, group.patterns.find(model)?, &group.facts));
        self.patterned.iter().filter_map(route).collect()
    }

    /// The groups that are enabled, in the order in which they are tried.
    pub fn groups(&self) -> &[Arc<RoutedGroup>] {
        &self.groups
    }

    /// All names that stand in the config, with the groups that serve them. Names that only a pattern fits are as many
    /// as there are texts, and are not listed.
    pub fn models(&self) -> impl Iterator<Item = (&Arc<str>, &[Route])> {
        self.routes.iter().map(|(name, routes)| (name, routes.as_slice()))
    }
}

impl Route {
    /// Whether the group rests at `now`, or the model there.
    pub fn is_resting(&self, now: i64) -> bool {
        self.group.rest.is_on(now) || self.state.rest.is_on(now)
    }

    /// The end of the newest rest of the group, or of the model there.
    pub fn rests_until(&self) -> i64 {
        self.group.rest.until().max(self.state.rest.until())
    }

    fn new(group: &Arc<RoutedGroup>, upstream_model: Arc<str>, facts: &Facts) -> Self {
        let facts = Arc::new(facts.of(&upstream_model).clone());
        let state = group.models.of(&upstream_model);
        Self { group: Arc::clone(group), upstream_model, facts, state }
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

    /// Compiles `group` with what was `kept` of it, and notes in `keeps` what is to be kept on.
    fn compile(group: &Arc<Group>, kept: Option<&Kept>, keeps: &mut Kept) -> Self {
        let endpoint = Endpoint::of(group);
        let known_group = kept.and_then(|kept| kept.group(&group.id));
        // What depends on nothing but the group's own config is made anew where that has changed.
        let same = known_group.filter(|known| known.config == *group);
        let secrets = same.map_or_else(|| GroupSecrets::of(group), |known| known.secrets.clone());
        let refusals = same.map(|known| Arc::clone(&known.refusals)).unwrap_or_default();
        let keys = group.upstream_keys.iter().filter(|key| key.enabled).filter_map(|key| {
            let auth = endpoint.as_ref()?.vendor.auth;
            let known = kept.and_then(|kept| kept.key(&key.id));
            let tokens = known.and_then(|known| known.tokens.as_ref());
            let credential = match Credential::of(auth, key.secret.expose(), &group.base_url, tokens) {
                Ok(credential) => credential,
                Err(problem) => {
                    // The control plane has refused such keys; one that is here nevertheless is left out.
                    warn!(group = &*group.name, upstream_key = &*key.masked, problem, "upstream key is of no use");
                    return None;
                }
            };
            let fresh = || Arc::new(KeyHealth::new(Arc::clone(keeps.clock())));
            let health = known.map_or_else(fresh, |known| Arc::clone(&known.health));
            let (group_id, tokens) = (Arc::clone(&group.id), credential.tokens().cloned());
            let (load, breaker) =
                known.map(|known| (Arc::clone(&known.load), Arc::clone(&known.breaker))).unwrap_or_default();
            let kept = KeptKey {
                group_id,
                health: Arc::clone(&health),
                tokens,
                load: Arc::clone(&load),
                breaker: Arc::clone(&breaker),
            };
            keeps.keep_key(&key.id, kept);
            let leak = secrets.with_key(&key.secret, credential.tokens());
            Some(Arc::new(RoutedKey { key: Arc::clone(key), credential, health, leak, load, breaker }))
        });
        let keys = keys.collect();
        // Connections outlive a change of config that does not change the way out.
        let exit = Exit::of(group);
        let known = known_group.map(|known| &known.exit);
        let exit = known.filter(|known| ***known == exit).cloned().unwrap_or_else(|| Arc::new(exit));
        // What is known of another address says nothing of this one.
        let there = known_group.filter(|known| known.config.base_url == group.base_url);
        let models = there.map(|known| Arc::clone(&known.models)).unwrap_or_default();
        let load = there.map(|known| Arc::clone(&known.load)).unwrap_or_default();
        let rest = there.map(|known| Arc::clone(&known.rest)).unwrap_or_default();
        let turns = known_group.map(|known| Arc::clone(&known.turns)).unwrap_or_default();
        let retries = known_group.map(|known| Arc::clone(&known.retries)).unwrap_or_default();
        let kept_group = KeptGroup {
            exit: Arc::clone(&exit),
            config: Arc::clone(group),
            secrets,
            refusals: Arc::clone(&refusals),
            models: Arc::clone(&models),
            load: Arc::clone(&load),
            turns: Arc::clone(&turns),
            retries: Arc::clone(&retries),
            rest: Arc::clone(&rest),
        };
        keeps.keep_group(&group.id, kept_group);
        let headers = headers(group, endpoint.as_ref());
        Self {
            endpoint,
            keys,
            defaults: fields(&group.parameter_defaults),
            overrides: fields(&group.parameter_overrides),
            headers,
            exit,
            refusals,
            models,
            load,
            turns,
            retries,
            rest,
            group: Arc::clone(group),
        }
    }
}

/// Whether requests may be sent for `group`. The control plane has refused what they may not be sent for; a group that
/// is here nevertheless is left out, and does not stop the others.
fn is_usable(group: &Group) -> bool {
    validate_destination(group)
        .inspect_err(|problem| warn!(group = &*group.name, %problem, "the group is refused, and the others serve"))
        .is_ok()
}

/// The names that clients have for the models of `group`, without patterns: models first, each with the vendor's name.
fn names(group: &Group) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
    let all = group.models.iter().map(|model| (model, model)).chain(&group.model_aliases);
    all.filter(|(name, _)| !name.ends_with('*'))
}

/// What is known of models, with the group's own changes. The control plane has refused changes that cannot be read;
/// one that is here nevertheless is left out.
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

/// Fields of requests as JSON text, without those that config may not set.
fn fields(object: &Map<String, Value>) -> Vec<(String, String)> {
    let settable = object.iter().filter(|(name, _)| !is_reserved_field(name));
    settable.map(|(name, value)| (name.clone(), value.to_string())).collect()
}

/// The group's own headers. The control plane has refused what no group may set; what is here nevertheless is left out.
fn headers(group: &Group, endpoint: Option<&Endpoint>) -> HeaderMap {
    let header = |(name, value): (&String, &Secret)| {
        let foreign = |endpoint: &Endpoint| endpoint.vendor.auth.is_foreign_credential(name);
        if is_reserved_header(name) || endpoint.is_some_and(foreign) {
            warn!(group = &*group.name, header = &**name, "no group may set this header, and it is left out");
            return None;
        }
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    };
    group.headers.iter().filter_map(header).collect()
}

#[cfg(test)]
mod tests;
