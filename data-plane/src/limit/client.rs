//! The limits of a proxy key: with all models, and with one.

use std::collections::HashMap;
use std::sync::Arc;

use shared::ids::Id;
use shared::snapshot::ProxyKey;
use tokio::time::Instant;

use super::reservation::Reservation;
use super::standing::{ExplainedLimit, Standing};
use super::subject::LimitedSubject;
use crate::error::{LimitReached, LimitSubject};

/// What is kept of a subject over changes of config.
pub type KeptLimits = HashMap<Id, Arc<LimitedSubject>>;

/// The limits of a proxy key.
#[derive(Debug)]
pub struct ClientLimits {
    key: Option<Arc<LimitedSubject>>,
    /// By the name of the model, which may end in `*`; the longer names before the shorter.
    models: Box<[(Arc<str>, Arc<LimitedSubject>)]>,
}

/// What one request has taken of the limits of its proxy key.
#[derive(Debug, Default)]
pub struct ClientPass {
    key: Option<Reservation>,
    model: Option<Reservation>,
    /// The tokens that the request was estimated to have, without its answer.
    asked: u64,
}

impl ClientLimits {
    /// The limits of `key`, where it has any. What it has taken before is in `kept`, and goes to `keeps`.
    pub fn compile(key: &ProxyKey, kept: Option<&KeptLimits>, keeps: &mut KeptLimits) -> Option<Box<Self>> {
        let limits = key.routing.limits.as_deref();
        let mut compile = |subject, id: Id, windows, concurrency| {
            let known = kept.and_then(|kept| kept.get(&id));
            let compiled = LimitedSubject::compile(subject, windows, concurrency, limits, known)?;
            keeps.insert(id, Arc::clone(&compiled));
            Some(compiled)
        };
        let whole = compile(LimitSubject::ProxyKey, Arc::clone(&key.id), key.limit_windows(), key.concurrency_limit);
        let of_models = limits.into_iter().flat_map(|limits| &limits.models);
        let mut models: Vec<_> = of_models
            .filter_map(|(model, of)| {
                // No id holds a line break.
                let id = format!("{}\n{model}", key.id).into();
                let compiled = compile(LimitSubject::Model, id, of.windows.clone(), of.concurrency)?;
                Some((Arc::clone(model), compiled))
            })
            .collect();
        models.sort_by_key(|(model, _)| std::cmp::Reverse(model.len()));
        let any = whole.is_some() || !models.is_empty();
        any.then(|| Box::new(Self { key: whole, models: models.into() }))
    }

    /// The limits with `model`: those of its name, or of the longest pattern that fits it.
    fn of_model(&self, model: &str) -> Option<&Arc<LimitedSubject>> {
        let exact = self.models.iter().find(|(name, _)| **name == *model);
        let fits = |(name, _): &&(Arc<str>, _)| name.strip_suffix('*').is_some_and(|start| model.starts_with(start));
        exact.or_else(|| self.models.iter().find(fits)).map(|(_, limits)| limits)
    }

    /// Takes one request with its seat, for which it waits `until` then at the latest.
    ///
    /// # Errors
    /// [`LimitReached`].
    pub async fn begin(&self, until: Instant) -> Result<ClientPass, LimitReached> {
        let key = match &self.key {
            Some(key) => Some(key.begin_waiting(until).await?),
            None => None,
        };
        Ok(ClientPass { key, ..ClientPass::default() })
    }

    /// Takes the request for `model`, too, and so many tokens `asked` and to be `answered`, by an estimate. For a seat
    /// with the model it waits `until` then at the latest.
    ///
    /// # Errors
    /// [`LimitReached`].
    pub async fn go_on(
        &self,
        pass: &mut ClientPass,
        model: &str,
        [asked, answered]: [u64; 2],
        until: Instant,
    ) -> Result<(), LimitReached> {
        pass.asked = asked;
        if let Some(key) = &mut pass.key {
            key.estimate(asked + answered)?;
        }
        if let Some(limits) = self.of_model(model) {
            let of_model = pass.model.insert(limits.begin_waiting(until).await?);
            of_model.estimate(asked + answered)?;
        }
        Ok(())
    }

    /// How much is left for requests for `model`.
    pub fn standing(&self, model: Option<&str>) -> Standing {
        let of_model = model.and_then(|model| self.of_model(model));
        let all = self.key.iter().chain(of_model);
        all.fold(Standing::default(), |all, limits| all.and(limits.standing()))
    }

    /// All limits for requests for `model`, and how much of them is taken.
    pub fn explain(&self, model: &str) -> Vec<ExplainedLimit> {
        self.key.iter().chain(self.of_model(model)).flat_map(|limits| ExplainedLimit::all(limits)).collect()
    }
}

impl ClientPass {
    fn all(&self) -> impl Iterator<Item = &Reservation> {
        self.key.iter().chain(&self.model)
    }

    /// Whether nothing is taken, because there is no limit.
    pub fn is_none(&self) -> bool {
        self.key.is_none() && self.model.is_none()
    }

    /// The limits that would have refused the request if they did more than count.
    pub fn over(&self) -> impl Iterator<Item = LimitReached> {
        self.all().filter_map(Reservation::over)
    }

    /// The answer has so many tokens so far.
    pub fn answered(&self, tokens: u64) {
        self.all().for_each(|reservation| reservation.grow(self.asked + tokens));
    }

    /// Settles with what was used: see [`Reservation::settle`].
    pub fn settle(&self, usage: [u64; 4]) {
        self.all().for_each(|reservation| reservation.settle(usage));
    }

    /// The request does not count.
    pub fn uncount(&self) {
        self.all().for_each(Reservation::uncount);
    }

    /// The answer has ended.
    pub fn leave(&self) {
        self.all().for_each(Reservation::leave);
    }
}
