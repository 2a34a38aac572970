//! Fetches media that a client names by URL, for providers that want them as data (`docs/TRANSLATION.md` sections 2.1.6
//! and 6.1.6).
//!
//! - [`guard`]: keeps such URLs from leading into the operator's network.
//! - [`mod@fetch`]: fetches one.

pub mod fetch;
pub mod guard;

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use hyper_rustls::HttpsConnector;
use shared::ids::Id;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use translation::Format;
use translation::ir::media::kind_of;
use translation::ir::{Media, MediaKind, MediaSource, Part, Request, TranslateError};
use translation::protocol::contract::Quirks;

use crate::body::budget::Held;
use crate::error::GatewayError;
use crate::limits::MediaPolicy;
use crate::upstream::{Exit, Pool, Upstream};
use fetch::{FetchError, Fetched, Purse, Way, fetch};
use guard::{Connector, Guard};

/// How much one request may fetch, in bytes.
const BUDGET: usize = 20 * 1024 * 1024;

/// How long fetching all media of a request may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many media one request fetches at a time.
const AT_ONCE: usize = 8;

/// How many media one proxy key's requests fetch at a time. Further ones wait, and take no other key's place.
const AT_ONCE_FOR_A_KEY: usize = 16;

/// How many media this node fetches at a time. Further ones wait.
const AT_ONCE_IN_ALL: usize = 128;

/// Which URLs a provider does not fetch by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    format: Format,
    fetches: bool,
}

impl Wanted {
    /// Which URLs a provider that is asked in `format` does not fetch.
    pub fn by(format: Format, quirks: &Quirks) -> Self {
        Self { format, fetches: quirks.media_urls }
    }

    /// Whether the provider wants what is at `url` as data.
    fn as_data(self, url: &str) -> bool {
        let begins = |with: &str| url.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
        let urls = &self.format.facts().media_urls;
        let fetched = |by_format: bool| by_format && self.fetches;
        let wanted = (begins("https://") && !fetched(urls.https)) || (begins("http://") && !fetched(urls.http));
        wanted && !urls.at_hand.iter().any(|own| begins(own))
    }
}

/// Fetches media.
#[derive(Debug)]
pub struct MediaFetcher {
    policy: MediaPolicy,
    /// Connections, made when the first medium is fetched.
    direct: OnceLock<Pool<HttpsConnector<Connector>>>,
    permits: Semaphore,
    /// The permits of the proxy keys whose requests fetch something now.
    of_keys: Mutex<HashMap<Id, Weak<Semaphore>>>,
}

/// Media that have been fetched for a request, by URL, so that a second candidate needs no second fetch.
#[derive(Debug, Default)]
pub struct FetchedMedia {
    known: Mutex<HashMap<String, Result<Arc<Fetched>, FetchError>>>,
    held: Option<Held>,
}

impl FetchedMedia {
    /// Has the node hold what is fetched along with the body that is `held`.
    pub fn hold_with(&mut self, held: &Held) {
        self.held = Some(held.another());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Result<Arc<Fetched>, FetchError>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The URLs that have to be fetched for `request` and are not at hand, with the types that the client gives.
    fn missing(&self, request: &Request, wanted: Wanted) -> Vec<(String, Option<String>)> {
        let mut missing: Vec<(String, Option<String>)> = Vec::new();
        let known = self.lock();
        for (_, url, media) in urls(request).filter(|(_, url, _)| wanted.as_data(url)) {
            if !known.contains_key(url) && missing.iter().all(|(other, _)| other != url) {
                missing.push((url.to_owned(), media.mime.clone()));
            }
        }
        missing
    }

    /// `request` with the media that were fetched in the place of those URLs that are `wanted`. A request without such
    /// URLs is not copied.
    pub fn put_into(&self, request: &Arc<Request>, wanted: Wanted) -> Arc<Request> {
        let known = self.lock();
        if known.is_empty() || !urls(request).any(|(_, url, _)| wanted.as_data(url)) {
            return Arc::clone(request);
        }
        let mut request = Request::clone(request);
        let place = |media: &mut Media| {
            let MediaSource::Url(url) = &media.source else { return };
            if wanted.as_data(url)
                && let Some(Ok(fetched)) = known.get(url)
            {
                media.kind = kind_of(&fetched.mime).unwrap_or(media.kind);
                media.mime = Some(fetched.mime.clone());
                media.source = MediaSource::Base64(fetched.base64.clone());
            }
        };
        for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
            match part {
                Part::Media(media) => place(media),
                Part::ToolResult(result) => result.content.iter_mut().for_each(|part| {
                    if let Part::Media(media) = part {
                        place(media);
                    }
                }),
                _ => {}
            }
        }
        Arc::new(request)
    }
}

/// The media of `request` that stand at a URL, each with its path in the client's request.
fn urls(request: &Request) -> impl Iterator<Item = (impl Fn() -> String, &str, &Media)> {
    request.messages.iter().flat_map(move |message| {
        message.parts.iter().enumerate().flat_map(move |(at, part)| {
            let parts = match part {
                Part::ToolResult(result) => result.content.as_slice(),
                other => std::slice::from_ref(other),
            };
            parts.iter().filter_map(move |part| match part {
                Part::Media(media @ Media { source: MediaSource::Url(url), .. }) => {
                    Some((move || request.path(message, Some(at)), url.as_str(), media))
                }
                _ => None,
            })
        })
    })
}

impl MediaFetcher {
    /// Fetches as `policy` says.
    pub fn new(policy: MediaPolicy) -> Self {
        let (direct, permits) = (OnceLock::new(), Semaphore::new(AT_ONCE_IN_ALL));
        Self { policy, direct, permits, of_keys: Mutex::default() }
    }

    /// The permits of a proxy key.
    fn permits_of(&self, proxy_key: &Id) -> Arc<Semaphore> {
        let mut of_keys = self.of_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permits) = of_keys.get(proxy_key).and_then(Weak::upgrade) {
            return permits;
        }
        of_keys.retain(|_, permits| permits.strong_count() > 0);
        let permits = Arc::new(Semaphore::new(AT_ONCE_FOR_A_KEY));
        of_keys.insert(Arc::clone(proxy_key), Arc::downgrade(&permits));
        permits
    }

    /// Whether `request` names something that has to be fetched and is not among `fetched`.
    pub fn is_needed(&self, request: &Request, wanted: Wanted, fetched: &FetchedMedia) -> bool {
        self.policy.fetch
            && urls(request).any(|(_, url, _)| wanted.as_data(url) && !matches!(fetched.lock().get(url), Some(Ok(_))))
    }

    /// Fetches those media of `request` that are `wanted` into `fetched`, by the way `exit` and until `until` at the
    /// latest. The request was sent with `proxy_key`.
    ///
    /// # Errors
    /// [`GatewayError`] with the client's field, which says what was not fetched, and why, or that there is no room.
    pub async fn fetch(
        &self,
        proxy_key: &Id,
        request: &Request,
        wanted: Wanted,
        fetched: &FetchedMedia,
        (upstream, exit): (&Upstream, &Exit),
        until: Instant,
    ) -> Result<(), GatewayError> {
        // A medium that could not be fetched for another candidate is not tried again.
        check(request, wanted, fetched)?;
        let until = until.min(Instant::now() + DEADLINE);
        let guard = Guard { private_networks: self.policy.private_networks };
        let way = if exit.is_direct() {
            Way::Direct(self.direct.get_or_init(|| upstream.over(Connector(guard))))
        } else {
            Way::Proxy(upstream, exit)
        };
        let budget = AtomicUsize::new(BUDGET.saturating_sub(fetched.bytes()));
        let missing = fetched.missing(request, wanted);
        let permits = self.permits_of(proxy_key);
        let under_way = missing.into_iter().map(|(url, given)| {
            let purse = Purse { left: &budget, held: fetched.held.as_ref() };
            let permits = &permits;
            async move {
                let one = async {
                    let _of_key = permits.acquire().await;
                    let _permit = self.permits.acquire().await;
                    fetch(&url, given.as_deref(), guard, way, purse).await
                };
                let came = timeout_at(until, one).await.unwrap_or(Err(FetchError::Late));
                (url, came.map(Arc::new))
            }
        });
        let mut under_way = futures_util::stream::iter(under_way).buffer_unordered(AT_ONCE);
        while let Some((url, came)) = under_way.next().await {
            let failed = came.is_err();
            fetched.lock().insert(url, came);
            if failed {
                break;
            }
        }
        check(request, wanted, fetched)
    }
}

/// Refuses `request` where a medium was not fetched, or is not what the client says.
fn check(request: &Request, wanted: Wanted, fetched: &FetchedMedia) -> Result<(), GatewayError> {
    let known = fetched.lock();
    for (path, url, media) in urls(request).filter(|(_, url, _)| wanted.as_data(url)) {
        match known.get(url) {
            Some(Ok(came)) if fits(media.kind, &came.mime) => {}
            Some(Ok(came)) => {
                let words = format!("The URL of this medium leads to something else, of type '{}'.", came.mime);
                return Err(GatewayError::Translate(TranslateError::invalid(path(), words)));
            }
            Some(Err(FetchError::NoRoom)) => {
                return Err(GatewayError::Busy("it has no room for the media that the request refers to"));
            }
            Some(Err(error)) => {
                let words = format!(
                    "The provider wants this medium as data, and its URL {error}. Send the content as a data URL instead."
                );
                return Err(GatewayError::Translate(TranslateError::invalid(path(), words)));
            }
            // This medium was not fetched yet, or no longer, because another one failed.
            None => {}
        }
    }
    Ok(())
}

/// Whether something of type `mime` may stand in the place of a medium of `kind`. PDF files may stand in the place of
/// pictures; web pages, which tell of an error, may not.
fn fits(kind: MediaKind, mime: &str) -> bool {
    match kind {
        MediaKind::Document => true,
        _ => kind_of(mime) == Some(kind) || mime == "application/pdf",
    }
}

impl FetchedMedia {
    /// How many bytes were fetched.
    pub fn bytes(&self) -> usize {
        self.lock().values().flatten().map(|fetched| fetched.base64.len() / 4 * 3).sum()
    }
}

#[cfg(test)]
pub(crate) mod tests;
