//! Fetches one medium.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::ResponseFuture;
use thiserror::Error;
use translation::ir::media::{kind_of, mime_of_name, normal_mime};

use super::guard::{Connector, Guard};
use crate::body::budget::Held;
use crate::body::unpack::is_packed;
use crate::upstream::{Exit, Pool, RequestBody, Upstream};

/// How many redirects are followed. Each is checked like the first URL.
const REDIRECTS: usize = 3;

/// Longest URL that is fetched, in bytes.
const LONGEST_URL: usize = 8 * 1024;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("orchestration-api/", env!("CARGO_PKG_VERSION")));

/// A medium that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The media type, in lower case and without parameters.
    pub mime: String,
    /// The content in base64, in the standard alphabet.
    pub base64: String,
}

/// Why a medium was not fetched. The text is for the client, who chose the URL. It tells nothing that the client could
/// not find out by itself, such as which names and addresses the operator's network has.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FetchError {
    /// The URL is none that could be fetched at all.
    #[error("is not a valid http or https URL of a public host")]
    Url,
    /// The host does not exist, is not public, or cannot be reached.
    #[error("cannot be reached: its host must be a public one that answers")]
    Unreachable,
    /// There are too many redirects.
    #[error("redirects more than {REDIRECTS} times")]
    Redirects,
    /// The host answered with another status than 200.
    #[error("answered with HTTP status {0}")]
    Status(u16),
    /// What the host sent is no medium.
    #[error("is of type '{0}', which is no image, sound, film, PDF or text")]
    Type(String),
    /// The answer broke off.
    #[error("broke off")]
    Broken,
    /// The media are larger than one request may fetch.
    #[error("is too large: a request may refer to 20 MB of media in all")]
    TooLarge,
    /// The host took too long.
    #[error("did not arrive in time")]
    Late,
    /// The node has no room for it.
    #[error("leads to something for which this gateway node has no room now")]
    NoRoom,
}

/// What fetched bytes are taken from.
#[derive(Clone, Copy, Debug)]
pub struct Purse<'p> {
    /// What the request may still fetch, in bytes.
    pub left: &'p AtomicUsize,
    /// What the node holds, where that is counted.
    pub held: Option<&'p Held>,
}

impl Purse<'_> {
    fn take(self, bytes: usize) -> Result<(), FetchError> {
        let take = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_err(|_| FetchError::TooLarge)?;
        self.hold(bytes)
    }

    fn hold(self, bytes: usize) -> Result<(), FetchError> {
        self.held.map_or(Ok(()), |held| held.grow(bytes as u64)).map_err(|_busy| FetchError::NoRoom)
    }
}

/// The way on which media are fetched.
#[derive(Clone, Copy, Debug)]
pub enum Way<'w> {
    /// A direct connection. Each address is checked when it is connected to.
    Direct(&'w Pool<HttpsConnector<Connector>>),
    /// A group's proxy, which resolves names by itself.
    Proxy(&'w Upstream, &'w Exit),
}

impl Way<'_> {
    fn send(self, request: Request<Full<Bytes>>) -> ResponseFuture {
        let request = request.map(RequestBody::Whole);
        match self {
            Self::Direct(pool) => pool.request(request),
            Self::Proxy(upstream, exit) => upstream.send(exit, request),
        }
    }
}

/// Fetches `url`. The client says that it is of type `given`. The bytes that come are taken from `purse`.
///
/// # Errors
/// [`FetchError`].
pub async fn fetch(
    url: &str,
    given: Option<&str>,
    guard: Guard,
    way: Way<'_>,
    purse: Purse<'_>,
) -> Result<Fetched, FetchError> {
    let mut uri = read(url).ok_or(FetchError::Url)?;
    for _ in 0..=REDIRECTS {
        if !guard.allows_uri(&uri, matches!(way, Way::Proxy(..))) {
            return Err(FetchError::Url);
        }
        let response = way.send(request(uri.clone())).await.map_err(|_| FetchError::Unreachable)?;
        let status = response.status().as_u16();
        let headers = response.headers();
        if matches!(status, 301 | 302 | 303 | 307 | 308) {
            let location = headers.get(LOCATION).ok_or(FetchError::Status(status))?;
            uri = location.to_str().ok().and_then(|location| redirected(&uri, location)).ok_or(FetchError::Url)?;
            continue;
        }
        if status != 200 || is_packed(headers) {
            return Err(FetchError::Status(status));
        }
        let mime = mime(headers, &uri, given)?;
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > purse.left.load(Ordering::Relaxed)) {
            return Err(FetchError::TooLarge);
        }
        let body = body(response.into_body(), purse).await?;
        // The text is kept, and a third longer than the bytes.
        purse.hold(body.len().div_ceil(3))?;
        return Ok(Fetched { mime, base64: STANDARD.encode(body) });
    }
    Err(FetchError::Redirects)
}

/// Reads a URL as clients write it, with spaces and letters of any script in its path.
fn read(url: &str) -> Option<Uri> {
    let url = url.trim();
    if url.len() > LONGEST_URL {
        return None;
    }
    if url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return url.parse().ok();
    }
    let mut escaped = String::with_capacity(url.len() + 32);
    for byte in url.bytes() {
        if byte.is_ascii_graphic() {
            escaped.push(char::from(byte));
        } else if byte.is_ascii_control() {
            return None;
        } else {
            escaped.push('%');
            escaped.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    escaped.parse().ok()
}

/// Where `location` leads from `uri` (RFC 3986, 5.2), without what stands behind `#`.
fn redirected(uri: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let path = uri.path();
    let absolute = location.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    });
    let text = if absolute {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.is_empty() || location.starts_with('?') {
        format!("{scheme}://{authority}{path}{location}")
    } else {
        let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
        format!("{scheme}://{authority}{folder}{location}")
    };
    read(&text)
}

fn request(uri: Uri) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, AGENT);
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("image/*, audio/*, video/*, application/pdf, text/*;q=0.8, */*;q=0.5"),
    );
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    request
}

/// The type of a medium: what the server says, or else what the client says, or else what the name tells.
fn mime(headers: &HeaderMap, uri: &Uri, given: Option<&str>) -> Result<String, FetchError> {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = normal_mime(said.split(';').next().unwrap_or_default());
    let says_nothing = matches!(said.as_str(), "" | "application/octet-stream" | "binary/octet-stream");
    let mime = if says_nothing {
        given.map(normal_mime).or_else(|| mime_of_name(uri.path()).map(str::to_owned)).unwrap_or_default()
    } else {
        said
    };
    if kind_of(&mime).is_some() || mime == "application/json" { Ok(mime) } else { Err(FetchError::Type(shown(&mime))) }
}

/// A type, shortened and cleaned for an error text.
fn shown(mime: &str) -> String {
    mime.chars().filter(char::is_ascii_graphic).take(64).collect()
}

async fn body(mut body: Incoming, purse: Purse<'_>) -> Result<Vec<u8>, FetchError> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| FetchError::Broken)?.into_data() else { continue };
        purse.take(data.len())?;
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests;
