//! What a record is worth. Where not all can be kept, what cost nothing goes first.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use shared::pb::UsageRecord;
use shared::pb::usage_record::UsageSource;

/// What a record is worth. The names are values of the label `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// Tokens or money were spent, as far as is known.
    Paid,
    /// Nothing was spent: a refusal, a failure without tokens, a list.
    Free,
}

impl Worth {
    pub(super) const ALL: [Self; 2] = [Self::Paid, Self::Free];

    /// What `record` is worth.
    pub fn of(record: &UsageRecord) -> Self {
        let tokens = record.input_tokens > 0 || record.output_tokens > 0;
        let spent = tokens || record.cost_micros != 0 || record.usage_source() != UsageSource::None;
        if spent { Self::Paid } else { Self::Free }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Free => "free",
        }
    }
}

/// A proxy key, in as few bytes as tell it from the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Tenant(u64);

impl Tenant {
    pub(super) fn of(record: &UsageRecord) -> Self {
        let mut hasher = DefaultHasher::new();
        record.proxy_key_id.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// How much of something each proxy key has taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares(HashMap<Tenant, u64>);

impl Shares {
    pub(super) fn of(&self, tenant: Tenant) -> u64 {
        self.0.get(&tenant).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, tenant: Tenant, amount: u64) {
        *self.0.entry(tenant).or_default() += amount;
    }

    pub(super) fn add_all(&mut self, others: &Self) {
        for (tenant, amount) in &others.0 {
            self.add(*tenant, *amount);
        }
    }

    pub(super) fn take(&mut self, tenant: Tenant, amount: u64) {
        if let Some(share) = self.0.get_mut(&tenant) {
            *share = share.saturating_sub(amount);
            if *share == 0 {
                self.0.remove(&tenant);
            }
        }
    }

    pub(super) fn take_all(&mut self, others: &Self) {
        for (tenant, amount) in &others.0 {
            self.take(*tenant, *amount);
        }
    }

    /// The proxy key that has taken most.
    pub(super) fn largest(&self) -> Option<Tenant> {
        self.0.iter().max_by_key(|(_, share)| **share).map(|(tenant, _)| *tenant)
    }
}
