//! A snapshot, compiled for look-ups by the request path.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use shared::crypto::KEY_LEN;
use shared::ids::Id;
use shared::prices::{PriceText, Tariff};
use shared::snapshot::{ErrorRule, Group, GroupPolicy, ProxyKey, Snapshot, UpstreamKey, validate_destination};
use tracing::warn;
use translation::facts::ModelFacts;

use super::affinity::seed;
use super::breaker::Breaker;
use super::client::Client;
use super::extras::Extras;
use super::health::KeyHealth;
use super::kept::{Kept, KeptGroup, KeptKey};
use super::load::Load;
use super::models::{ModelState, Models};
use super::needs::{Bounds, GroupFacts};
use super::order::{self, Lot};
use super::patterns::Patterns;
use super::refusals::Refusals;
use super::rest::Rest;
use super::retries::RetryBudget;
use super::shared_limits::{limits_of_group, limits_of_key};
use super::turns::Turns;
use crate::limit::client::ClientLimits;
use crate::limit::subject::LimitedSubject;
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
    /// Whether a proxy key or a group has answers kept in memory.
    pub caches: bool,
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
    /// What the model certainly has.
    pub bounds: Bounds,
    /// What is remembered of the model at this group.
    pub state: Arc<ModelState>,
    /// What the model costs at this group, where that is known.
    pub price: Option<Tariff>,
    /// Where the group stands in [`RouteTable::groups`].
    pub(crate) place: usize,
    /// What decides at random between groups.
    pub(super) lot: Lot,
    /// The group's priority.
    pub(super) priority: i32,
    /// Whether the group keeps conversations at one key.
    pub(super) keeps: bool,
}

/// A group that serves names by patterns.
#[derive(Debug)]
struct PatternedGroup {
    group: Arc<RoutedGroup>,
    place: usize,
    patterns: Patterns,
    facts: GroupFacts,
}

/// A group as the request path needs it.
#[derive(Clone, Debug)]
pub struct RoutedGroup {
    /// Its config.
    pub group: Arc<Group>,
    /// The vendor's endpoint; none for a vendor that this build does not serve.
    pub endpoint: Option<Endpoint>,
    /// Its usable keys, in the operator's order.
    pub keys: Vec<Arc<RoutedKey>>,
    /// What decides at random between its keys, in the same order.
    pub(super) lots: Vec<Lot>,
    /// What goes with each request, unless its key has more.
    pub extras: Extras,
    /// The way by which its requests leave, unless their key has one of its own.
    pub exit: Arc<Exit>,
    /// What its provider has refused of what the gateway adds to requests.
    pub refusals: Arc<Refusals>,
    /// What is known of its models.
    pub models: Arc<Models>,
    /// What decides at random between it and other groups.
    pub(super) lot: Lot,
    /// How busy and fast it is.
    pub load: Arc<Load>,
    /// Whose turn it is of its keys.
    pub turns: Arc<Turns>,
    /// How much its requests may be tried again.
    pub retries: Arc<RetryBudget>,
    /// How much may be sent to it, where that is limited.
    pub limits: Option<Arc<LimitedSubject>>,
    /// Whether it rests, because its keys fail alike.
    pub rest: Arc<Rest>,
    /// What tells its answers from those under another config, once that is asked for.
    pub(super) identity: OnceLock<u128>,
    /// What the operator says that answers mean: the rules of the group, and behind them those of every group.
    pub error_rules: Arc<[ErrorRule]>,
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
    /// How much may be sent with it, where that is limited.
    pub limits: Option<Arc<LimitedSubject>>,
    /// The way by which requests with it leave.
    pub exit: Arc<Exit>,
    /// What goes with each request, where that is not what its group says.
    pub extras: Option<Box<Extras>>,
}

impl RouteTable {
    /// Compiles `snapshot`. What was `kept` of groups and keys that are still there is taken over.
    pub fn compile(snapshot: Arc<Snapshot>, kept: Option<&Kept>) -> Self {
        let series = kept.map(|kept| kept.series.clone()).unwrap_or_default();
        let clock = kept.map(|kept| Arc::clone(kept.clock())).unwrap_or_default();
        let mut keeps = Kept::new(clock, series);
        keeps.make_room(snapshot.groups.values());
        let mut routes: HashMap<Arc<str>, Vec<Route>> = HashMap::new();
        let usable = |group: &&Arc<Group>| group.enabled && is_usable(group);
        let mut groups: Vec<_> = snapshot.groups.values().filter(usable).collect();
        groups.sort_by(|left, right| order::listed(left, right));
        let mut ordered = Vec::with_capacity(groups.len());
        let mut patterned = Vec::new();
        let places: HashMap<&Id, usize> = groups.iter().enumerate().map(|(place, group)| (&group.id, place)).collect();
        // Needed only where a group serves names by patterns.
        let exact: HashSet<&Arc<str>> = if groups.iter().any(|group| Patterns::has_any(group)) {
            groups.iter().flat_map(|group| names(group)).map(|(name, _)| name).collect()
        } else {
            HashSet::new()
        };
        for (place, group) in groups.into_iter().enumerate() {
            let compiled = keeps
                .take_over(group, &snapshot.error_rules, kept)
                .unwrap_or_else(|| Arc::new(RoutedGroup::compile(group, &snapshot.error_rules, kept, &mut keeps)));
            keeps.keep_compiled(&compiled);
            ordered.push(Arc::clone(&compiled));
            let facts = GroupFacts::of(group, compiled.endpoint.as_ref());
            let patterns = Patterns::of(group);
            // An alias that is also the name of a model of the group: the alias is what the operator meant.
            let names: BTreeMap<_, _> = names(group).collect();
            compiled.models.configure(names.values().copied());
            for (&name, &upstream_model) in &names {
                let route = Route::new(&compiled, (place, &snapshot.prices), upstream_model, &facts);
                routes.entry(Arc::clone(name)).or_default().push(route);
            }
            if !patterns.is_empty() {
                for name in exact.iter().filter(|name| !names.contains_key(**name)) {
                    if let Some(upstream_model) = patterns.find(name) {
                        let route = Route::new(&compiled, (place, &snapshot.prices), &upstream_model, &facts);
                        routes.entry(Arc::clone(name)).or_default().push(route);
                    }
                }
                patterned.push(PatternedGroup { group: compiled, place, patterns, facts });
            }
        }
        keeps.keep_switched_off(snapshot.groups.values(), kept);
        let mut client = |key: &Arc<ProxyKey>| {
            let turns = (key.group_policy == GroupPolicy::RoundRobin)
                .then(|| kept.and_then(|kept| kept.turns(&key.id)).cloned().unwrap_or_default());
            if let Some(turns) = &turns {
                keeps.keep_turns(&key.id, Arc::clone(turns));
            }
            let limits = ClientLimits::compile(key, kept.map(|kept| &kept.limits), &mut keeps.limits);
            (key.digest, Client::compile(key, &places, turns, limits))
        };
        let clients = snapshot.proxy_keys.values().map(&mut client).collect();
        let series = Arc::new(keeps.series.table(snapshot.groups.values().filter(|group| group.enabled)));
        let caches = ordered.iter().any(|group| !group.group.routing.cache.is_zero())
            || snapshot.proxy_keys.values().any(|key| !key.routing.cache.is_zero());
        Self { snapshot, kept: keeps, series, clients, routes, patterned, groups: ordered, caches }
    }

    /// The client whose proxy key has this digest.
    pub fn client(&self, digest: &[u8; KEY_LEN]) -> Option<&Client> {
        self.clients.get(digest)
    }

    /// The groups that serve what a client asks for as `asked`, and the name that they serve it by. The exact name
    /// counts first. Then what stands behind the name of a group, or of a vendor (`openai-primary/gpt-4o`,
    /// `anthropic/claude-…`), if it is one that the `client` may use. Then patterns.
    pub fn asked<'t, 'm>(&'t self, asked: &'m str, client: &Client) -> (Cow<'t, [Route]>, &'m str) {
        if let Some(routes) = self.routes.get(asked) {
            return (Cow::Borrowed(routes), asked);
        }
        // Names of groups and of models may hold slashes, too.
        for (slash, _) in asked.match_indices('/').take(MOST_SLASHES) {
            let (prefix, model) = (asked.get(..slash), asked.get(slash + 1..).unwrap_or_default());
            let routes = self.routes(model);
            let of = |name: fn(&Group) -> &str| -> Vec<Route> {
                let is_named = |route: &&Route| Some(name(&route.group.group)) == prefix;
                let named = routes.iter().filter(is_named).filter(|route| client.may_use_group(route.place));
                named.cloned().collect()
            };
            let of_group = of(|group| &group.name);
            let named = if of_group.is_empty() { of(|group| &group.provider_type) } else { of_group };
            if !named.is_empty() {
                return (Cow::Owned(named), model);
            }
        }
        (self.routes(asked), asked)
    }

    /// The groups that serve `model`, in the order in which they are tried.
    pub fn routes(&self, model: &str) -> Cow<'_, [Route]> {
        if let Some(routes) = self.routes.get(model) {
            return Cow::Borrowed(routes);
        }
        let prices = &self.snapshot.prices;
        let route =
            |of: &PatternedGroup| Some(Route::new(&of.group, (of.place, prices), &of.patterns.find(model)?, &of.facts));
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
    /// The way to `upstream_model` in `group`, as a model of which nothing is certain and that has no price.
    pub(super) fn unpriced(
        group: &Arc<RoutedGroup>,
        place: usize,
        upstream_model: &Arc<str>,
        facts: &Arc<ModelFacts>,
    ) -> Self {
        let config = &group.group;
        Self {
            state: group.models.of(upstream_model),
            upstream_model: Arc::clone(upstream_model),
            facts: Arc::clone(facts),
            bounds: Bounds::UNKNOWN,
            price: None,
            place,
            lot: group.lot,
            priority: config.priority,
            keeps: config.routing.affinity,
            group: Arc::clone(group),
        }
    }

    fn new(group: &Arc<RoutedGroup>, at: (usize, &PriceText), model: &Arc<str>, facts: &GroupFacts) -> Self {
        let (config, (place, prices)) = (&group.group, at);
        let price = Tariff::of(&config.routing.pricing, prices, &config.provider_type, model);
        let (facts, bounds) = facts.of_model(model);
        Self { bounds, price, ..Self::unpriced(group, place, model, facts) }
    }
}

impl RoutedGroup {
    /// Compiles `group` with the rules for errors of `every` group and with what was `kept` of it, and notes in `keeps`
    /// what is to be kept on.
    pub(super) fn compile(group: &Arc<Group>, every: &Arc<[ErrorRule]>, kept: Option<&Kept>, keeps: &mut Kept) -> Self {
        let endpoint = Endpoint::of(group);
        let known_limits = kept.map(|kept| &kept.limits);
        let known_group = kept.and_then(|kept| kept.group(&group.id));
        // What depends on nothing but the group's own config is made anew where that has changed.
        let same = known_group.filter(|known| Arc::ptr_eq(&known.config, group) || known.config == *group);
        let secrets = same.map_or_else(|| GroupSecrets::of(group), |known| known.secrets.clone());
        let refusals = same.map(|known| Arc::clone(&known.refusals)).unwrap_or_default();
        // Connections outlive a change of config that does not change the way out.
        let exit = Exit::of(group);
        let known = known_group.map(|known| &known.exit);
        let exit = known.filter(|known| ***known == exit).cloned().unwrap_or_else(|| Arc::new(exit));
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
            let own_exit = Exit::of_key(group, key).map(|own| {
                let known = known.and_then(|known| known.exit.as_ref());
                known.filter(|known| ***known == own).cloned().unwrap_or_else(|| Arc::new(own))
            });
            let kept = KeptKey {
                group_id,
                health: Arc::clone(&health),
                tokens,
                load: Arc::clone(&load),
                breaker: Arc::clone(&breaker),
                exit: own_exit.clone(),
            };
            keeps.keep_key(&key.id, kept);
            let limits = limits_of_key(key, known_limits, &mut keeps.limits);
            let leak = secrets.with_key(key, credential.tokens());
            let extras = Extras::of_key(group, key, endpoint.as_ref());
            let own = own_exit.unwrap_or_else(|| Arc::clone(&exit));
            Some(Arc::new(RoutedKey {
                key: Arc::clone(key),
                credential,
                health,
                leak,
                load,
                breaker,
                exit: own,
                limits,
                extras,
            }))
        });
        let keys: Vec<Arc<RoutedKey>> = keys.collect();
        let lot_of = |id: &Id, weight| Lot { seed: seed(id), weight };
        let lots = keys.iter().map(|key| lot_of(&key.key.id, key.key.routing.weight)).collect();
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
            compiled: None,
        };
        keeps.keep_group(&group.id, kept_group);
        let limits = limits_of_group(group, known_limits, &mut keeps.limits);
        let extras = Extras::of(group, endpoint.as_ref());
        let own = &group.routing.error_rules;
        let error_rules =
            if own.is_empty() { Arc::clone(every) } else { own.iter().chain(every.iter()).cloned().collect() };
        Self {
            endpoint,
            keys,
            lots,
            lot: lot_of(&group.id, group.routing.weight),
            extras,
            exit,
            refusals,
            models,
            load,
            turns,
            retries,
            limits,
            rest,
            identity: OnceLock::new(),
            error_rules,
            group: Arc::clone(group),
        }
    }
}

/// Whether requests may be sent for `group`. The control plane has refused what they may not be sent for; a group that
/// is here nevertheless is left out, and does not stop the others.
pub(super) fn is_usable(group: &Group) -> bool {
    validate_destination(group)
        .inspect_err(|problem| warn!(group = &*group.name, %problem, "the group is refused, and the others serve"))
        .is_ok()
}

/// The names that clients have for the models of `group`, without patterns: models first, each with the vendor's name.
pub(super) fn names(group: &Group) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
    let all = group.models.iter().map(|model| (model, model)).chain(&group.model_aliases);
    all.filter(|(name, _)| !name.ends_with('*'))
}

#[cfg(test)]
mod tests;
