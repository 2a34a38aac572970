//! Looks whether the answer to a request is in memory (`docs/ROUTING.md` section "Response cache"). This stands behind
//! all that may refuse the request, and before all that sends it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shared::time::steady_ms;
use tokio::time::Instant;
use translation::Format;

use super::admit::Admitted;
use super::query;
use crate::cache::flight::Lead;
use crate::cache::inquiry::{CacheKey, Inquiry};
use crate::cache::kept::{KeptAnswer, Maker};
use crate::cache::note::CacheNote;
use crate::cache::recording::Recording;
use crate::cache::wishes::Wishes;
use crate::cache::{CacheResult, LookedUp};
use crate::route::caching::Caching;
use crate::route::candidate::Candidate;
use crate::usage::meter::Meter;

/// How long a request for a stream waits for the stream of an identical one. Its client hears nothing meanwhile, so it
/// is less than a client's connection has to live without a sign.
const STREAM_WAIT: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The format, where it is a chat.
    pub(super) chat: Option<Format>,
    /// The endpoint beside chat; empty for chat.
    pub(super) endpoint: &'a str,
    /// The body.
    pub(super) body: &'a Bytes,
    /// The model, as the client names it.
    pub(super) model: &'a str,
    /// The models that the client names beside it.
    pub(super) further: &'a [Arc<str>],
    /// Whether the answer is to be a stream.
    pub(super) stream: bool,
}

/// What a look into the memory has led to.
#[derive(Debug)]
pub(super) enum Memory<'r> {
    /// The answer is there.
    Hit(Arc<KeptAnswer>),
    /// It is not, and is to be kept when it comes.
    Miss(Missing<'r>),
    /// It is not looked for.
    Off,
}

/// An answer that is to be kept when it comes.
#[derive(Debug)]
pub(super) struct Missing<'r> {
    caching: Caching<'r>,
    key: CacheKey,
    lead: Option<Lead>,
    chat: Option<Format>,
}

/// Looks for the answer to what is `asked`. Where an identical request asks for it at this moment, it waits for that.
pub(super) async fn look_up<'r>(admitted: &Admitted<'r>, asked: Asked<'_>, meter: &mut Meter) -> Memory<'r> {
    if !admitted.table.caches {
        return Memory::Off;
    }
    let (table, client, cache) = (admitted.table, admitted.client, &admitted.gateway.cache);
    let hints = admitted.hints();
    let Some(caching) = Caching::of(table, client, asked.model, &hints) else { return Memory::Off };
    let headers = &admitted.parts.headers;
    let wishes = Wishes::of(headers);
    let query = query::without_key(admitted.parts.uri.query()).unwrap_or_default();
    let inquiry = Inquiry {
        format: admitted.format,
        endpoint: asked.endpoint,
        query: &query,
        headers,
        body: asked.body,
        model: asked.model,
        stream: asked.stream,
    };
    // What one of these models has answered is no answer to a client that does not name it.
    let narrowed = if asked.further.is_empty() { hints.to_string() } else { format!("{hints}\n{:?}", asked.further) };
    let key = || inquiry.key(&client.key.id, caching.config, &narrowed).ok();
    let Some(key) = wishes.stores().then(key).flatten() else {
        cache.count(CacheResult::Bypass);
        return Memory::Off;
    };
    let now = Instant::now();
    let patience = if asked.stream { STREAM_WAIT } else { admitted.deadline.saturating_duration_since(now) / 2 };
    let until = admitted.deadline.min(now + patience);
    let holds = |kept: &KeptAnswer| {
        let Maker { group, config, model } = &kept.maker;
        caching.holds(group, *config, model.as_deref())
    };
    match cache.find(key, wishes, until, holds).await {
        LookedUp::Hit(kept) => {
            meter.cache = CacheResult::Hit.name();
            meter.served_model.clone_from(&kept.maker.model);
            admitted.note_way(meter);
            admitted.note_cache(CacheNote::Hit(kept.age_ms(steady_ms())));
            Memory::Hit(kept)
        }
        LookedUp::Miss(lead) => {
            meter.cache = CacheResult::Miss.name();
            admitted.note_cache(CacheNote::Miss(None));
            Memory::Miss(Missing { caching, key, lead, chat: asked.chat })
        }
    }
}

impl Missing<'_> {
    /// Has the answer of `candidate` written down, if answers of its group are kept.
    pub(super) fn record(self, admitted: &Admitted<'_>, candidate: &Candidate, meter: &mut Meter) {
        let group = &candidate.group;
        let time = self.caching.time(&group.group);
        if time.is_zero() {
            self.lead.into_iter().for_each(Lead::release);
            return;
        }
        let maker =
            Maker { group: Arc::clone(&group.group.id), config: group.identity(), model: meter.served_model.clone() };
        let (recording, succeeded) =
            Recording::begin(&admitted.gateway.cache, (self.key, self.lead), time, self.chat, maker);
        meter.succeeds = Some(succeeded);
        admitted.note_cache(CacheNote::Miss(Some(Box::new(recording))));
    }
}
