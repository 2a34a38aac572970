//! Takes secrets out of an answer that repeats them: those of the group that was asked, in the forms in which a
//! provider may repeat them.
//!
//! - `secrets`: which secrets a group has. `forms`: in which forms they are looked for.
//! - [`Redactor`]: an answer that comes in pieces. [`TextRedactor`]: a text that comes in deltas.

mod forms;
mod pieces;
mod secrets;

use std::fmt;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use arc_swap::ArcSwap;
use bytes::Bytes;
use shared::secret::Secret;
use shared::snapshot::{Group, UpstreamKey};
use translation::ir::ProviderError;

use crate::provider::credential::Tokens;

pub use pieces::{Redactor, TextRedactor};

const INSTEAD: &[u8] = b"[redacted]";

/// Finds the secrets of a group in what a provider sends, for one of its upstream keys.
#[derive(Clone)]
pub struct Leak {
    /// Finds every secret of the group in every form.
    group: Arc<Needles>,
    /// Finds what a request with the upstream key shows: the key itself, and the secret headers.
    shown: Arc<Needles>,
    /// Finds the access tokens that are got with the upstream key.
    tokens: Option<Arc<Shown>>,
}

/// The access tokens of an upstream key, which change.
struct Shown {
    tokens: Arc<Tokens>,
    /// How many tokens had been got, and what finds the last of them.
    known: ArcSwap<(u64, Needles)>,
}

impl Shown {
    /// What finds the tokens that requests may show now.
    fn needles(&self) -> Arc<(u64, Needles)> {
        let known = self.known.load_full();
        let got = self.tokens.got();
        if known.0 == got {
            return known;
        }
        let newer = Arc::new((got, Needles::of(Source::These(self.tokens.shown()))));
        self.known.store(Arc::clone(&newer));
        newer
    }
}

/// Secrets that are looked for. What they are is found out, and what finds them is made, when it is first needed:
/// config may hold many thousands of keys, and a finder takes some hundred KiB.
#[derive(Default)]
struct Needles {
    source: Source,
    texts: OnceLock<Texts>,
    /// None where there is nothing to look for.
    finder: OnceLock<Option<AhoCorasick>>,
}

/// Where secrets stand that are looked for.
enum Source {
    /// Here.
    These(Vec<Secret>),
    /// In the config of a group: all that is secret in it.
    Group(Arc<Group>),
    /// In an upstream key and the headers of its group: what a request with the key shows.
    Shown(Arc<UpstreamKey>, Arc<Group>),
}

/// Secrets in all their forms.
#[derive(Default)]
struct Texts {
    all: Vec<Vec<u8>>,
    longest: usize,
}

// Written by hand, so that no secret is printed.
impl fmt::Debug for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leak").finish_non_exhaustive()
    }
}

impl fmt::Debug for Needles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Needles").finish_non_exhaustive()
    }
}

/// The secrets of a group, prepared once for all of its upstream keys.
#[derive(Clone, Debug)]
pub struct GroupSecrets {
    needles: Arc<Needles>,
    group: Arc<Group>,
}

impl GroupSecrets {
    /// Those of `group`: of all its keys and what they have of their own, of its headers, and of its proxy.
    pub fn of(group: &Arc<Group>) -> Self {
        Self { needles: Arc::new(Needles::of(Source::Group(Arc::clone(group)))), group: Arc::clone(group) }
    }

    /// Finds them in the answers to requests with the upstream `key`, which gets `tokens`.
    pub fn with_key(&self, key: &Arc<UpstreamKey>, tokens: Option<&Arc<Tokens>>) -> Leak {
        let shown = Source::Shown(Arc::clone(key), Arc::clone(&self.group));
        let tokens = tokens.map(|tokens| {
            let known = ArcSwap::from_pointee((0, Needles::default()));
            Arc::new(Shown { tokens: Arc::clone(tokens), known })
        });
        Leak { group: Arc::clone(&self.needles), shown: Arc::new(Needles::of(shown)), tokens }
    }
}

impl Default for Source {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Source {
    /// The secrets that stand there.
    fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::These(secrets) => secrets.clone(),
            Self::Group(group) => {
                let mut all = secrets::of_headers(&group.headers);
                for key in &group.upstream_keys {
                    all.extend(secrets::of_key(&key.secret));
                    if let Some(own) = &key.routing.own {
                        all.extend(secrets::of_headers(&own.headers));
                        all.extend(own.outbound_proxy.iter().flat_map(secrets::of_proxy));
                    }
                }
                all.extend(group.outbound_proxy.iter().flat_map(secrets::of_proxy));
                all
            }
            Self::Shown(key, group) => {
                let mut shown = secrets::of_key(&key.secret);
                shown.extend(secrets::of_headers(&group.headers));
                shown.extend(key.routing.own.iter().flat_map(|own| secrets::of_headers(&own.headers)));
                shown
            }
        }
    }
}

impl Needles {
    /// Looks for the secrets of `source` in all their forms.
    fn of(source: Source) -> Self {
        Self { source, ..Self::default() }
    }

    fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| {
            let secrets = self.source.secrets();
            let mut all: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| forms::of(secret.expose())).collect();
            all.sort_unstable();
            all.dedup();
            let longest = all.iter().map(Vec::len).max().unwrap_or_default();
            Texts { all, longest }
        })
    }

    fn finder(&self) -> Option<&AhoCorasick> {
        let made = self.finder.get_or_init(|| {
            let texts = &self.texts().all;
            let kind = (texts.len() > 100).then_some(AhoCorasickKind::ContiguousNFA);
            let builder = || AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).kind(kind).build(texts).ok();
            if texts.is_empty() { None } else { builder() }
        });
        made.as_ref()
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.finder().is_some_and(|finder| finder.is_match(bytes))
    }

    fn redact(&self, bytes: Bytes) -> Bytes {
        let Some(finder) = self.finder() else { return bytes };
        let Some(mut found) = finder.find(&bytes) else { return bytes };
        let mut clean = Vec::with_capacity(bytes.len());
        let mut from = 0;
        loop {
            clean.extend_from_slice(&bytes[from..found.start()]);
            clean.extend_from_slice(INSTEAD);
            from = found.end();
            match finder.find(aho_corasick::Input::new(&bytes).range(from..)) {
                Some(next) => found = next,
                None => break,
            }
        }
        clean.extend_from_slice(&bytes[from..]);
        clean.into()
    }

    /// How many bytes at the end of `bytes` may be the beginning of one of the texts: at least `least` of them.
    fn begun(&self, bytes: &[u8], least: usize) -> usize {
        let texts = self.texts();
        let window = &bytes[bytes.len().saturating_sub(texts.longest.saturating_sub(1))..];
        let longest = texts.all.iter().filter_map(|text| {
            let start = &text[..least.min(text.len())];
            // The first place from which all that follows is the beginning of the text.
            memchr::memmem::find_iter(window, start)
                .map(|at| &window[at..])
                .find(|rest| rest.len() < text.len() && text.starts_with(rest))
                .map(<[u8]>::len)
        });
        longest.max().unwrap_or_default()
    }
}

impl Leak {
    /// Looks for `secret` alone.
    #[cfg(test)]
    pub fn of(secret: &Secret) -> Self {
        let needles = Arc::new(Needles::of(Source::These(vec![secret.clone()])));
        Self { group: Arc::clone(&needles), shown: needles, tokens: None }
    }

    /// Whether a secret stands in `bytes`.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.group.is_in(bytes) || self.tokens.as_ref().is_some_and(|shown| shown.needles().1.is_in(bytes))
    }

    /// `bytes` without secrets. Bytes that hold none, as is usual, come back uncopied.
    pub fn redact(&self, bytes: Bytes) -> Bytes {
        let clean = self.group.redact(bytes);
        match &self.tokens {
            Some(shown) => shown.needles().1.redact(clean),
            None => clean,
        }
    }

    /// `text` without secrets.
    pub fn redact_text(&self, text: String) -> String {
        let clean = self.redact(Bytes::from(text));
        String::from_utf8_lossy(&clean).into_owned()
    }

    /// `error` without secrets.
    pub fn redact_error(&self, error: &mut ProviderError) {
        error.message = self.redact_text(std::mem::take(&mut error.message));
        error.code = error.code.take().map(|code| self.redact_text(code.into_owned()).into());
        for text in [&mut error.param, &mut error.provider_type] {
            *text = text.take().map(|text| self.redact_text(text));
        }
    }

    /// How many bytes at the end of `bytes` may be the beginning of a secret that the request has shown: at least
    /// `least` of them.
    fn begun(&self, bytes: &[u8], least: usize) -> usize {
        let token = self.tokens.as_ref().map_or(0, |shown| shown.needles().1.begun(bytes, least));
        self.shown.begun(bytes, least).max(token)
    }
}

#[cfg(test)]
mod tests;
