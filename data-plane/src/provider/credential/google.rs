//! Access tokens of Google, got with the key of a service account (Google Identity, "Using OAuth 2.0 for Server to
//! Server Applications"; RFC 7523).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use serde::Deserialize;
use serde_json::json;
use shared::crypto::{KEY_LEN, sha256};
use shared::secret::Secret;
use shared::time::now_ms;
use tokio::time::{Instant, timeout_at};
use tracing::warn;
use translation::vendors::key::ServiceAccount;

use super::errand::Errand;
use crate::error::GatewayError;
use crate::upstream::RequestBody;

/// How long getting a token may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long before its end a token is renewed.
const MARGIN: Duration = Duration::from_mins(5);

/// The least time that a token has left when it is sent: it could run out on the way.
const LAST_USE: Duration = Duration::from_secs(10);

/// How long nothing is asked for after a failure. Requests that wait for the same token fail at once meanwhile, and the
/// service is not pressed.
const PAUSE: Duration = Duration::from_secs(5);

/// How long an assertion holds, and at most the token that is got with it, in seconds.
const ASSERTED_FOR: i64 = 3600;

/// How many tokens are remembered as long as answers may repeat them.
const MOST_SHOWN: usize = 3;

/// The scope of a token: what it opens.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The largest answer of a token service, in bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Access tokens of one service account.
pub struct Tokens {
    email: String,
    key_id: Option<String>,
    pair: RsaKeyPair,
    uri: Uri,
    /// The address of the token service, as the key file has it.
    audience: String,
    /// The digest of the upstream key.
    digest: [u8; KEY_LEN],
    state: Mutex<State>,
    /// The last tokens, which answers must not repeat.
    shown: Mutex<Vec<Secret>>,
    /// How many tokens have been got.
    got: AtomicU64,
    /// Held by the request that asks for a token; the others wait for it.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// Why the last request for a token failed, and until when no other is made.
    failure: Option<(&'static str, Instant)>,
}

struct Token {
    header: HeaderValue,
    renew_at: Instant,
    /// From then on the token is not sent any more.
    ends_at: Instant,
}

/// What the token service answers.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

/// What the token service answers where it refuses (RFC 6749, section 5.2).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refused {
    error: String,
    error_description: String,
}

// Written by hand, so that no secret is printed.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("email", &self.email).finish_non_exhaustive()
    }
}

impl Tokens {
    /// The tokens of `account`, whose key file is `secret`.
    ///
    /// # Errors
    /// What is wrong with the private key.
    pub(super) fn new(account: &ServiceAccount, secret: &str) -> Result<Self, &'static str> {
        let der = account.private_key_der().unwrap_or_default();
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| "has a private_key that is no RSA key in PKCS #8")?;
        Ok(Self {
            email: account.client_email.clone(),
            key_id: account.private_key_id.clone(),
            pair,
            uri: account.token_uri.parse().map_err(|_| "has a token_uri that is no URL")?,
            audience: account.token_uri.clone(),
            digest: sha256(secret.as_bytes()),
            state: Mutex::default(),
            shown: Mutex::default(),
            got: AtomicU64::new(0),
            asking: tokio::sync::Mutex::default(),
        })
    }

    /// Whether these are the tokens of the key `secret`.
    pub(super) fn are_of(&self, secret: &str) -> bool {
        self.digest == sha256(secret.as_bytes())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token, where it need not be renewed yet.
    pub(super) fn at_hand(&self) -> Option<HeaderValue> {
        let state = self.state();
        state.token.as_ref().filter(|token| Instant::now() < token.renew_at).map(|token| token.header.clone())
    }

    /// The token, where it can still be sent.
    fn usable(&self) -> Option<HeaderValue> {
        let state = self.state();
        state.token.as_ref().filter(|token| Instant::now() < token.ends_at).map(|token| token.header.clone())
    }

    /// What the last try failed with, until another may be made.
    fn failed(&self) -> Option<GatewayError> {
        let state = self.state();
        state.failure.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(why, _)| GatewayError::Token(why))
    }

    /// A token. One request at a time asks for a new one. Others use the old one while it holds, and wait where there
    /// is none.
    ///
    /// # Errors
    /// When there is no token, and none is given in ten seconds.
    pub(super) async fn get(&self, errand: Errand<'_>) -> Result<HeaderValue, GatewayError> {
        let usable = self.usable();
        if let (Some(token), true) = (&usable, self.failed().is_some()) {
            return Ok(token.clone());
        }
        let turn = match (self.asking.try_lock(), usable) {
            (Ok(turn), _) => turn,
            (Err(_), Some(token)) => return Ok(token),
            (Err(_), None) => {
                let until = errand.deadline.min(Instant::now() + TIMEOUT);
                timeout_at(until, self.asking.lock()).await.map_err(|_elapsed| GatewayError::Token(SLOW))?
            }
        };
        // Another request may have got one while this one waited for its turn.
        if let Some(token) = self.at_hand() {
            return Ok(token);
        }
        if let Some(error) = self.failed() {
            return Err(error);
        }
        let asked = self.ask(errand).await;
        drop(turn);
        match asked {
            Ok(token) => Ok(token),
            Err(error) => self.usable().ok_or(error),
        }
    }

    async fn ask(&self, errand: Errand<'_>) -> Result<HeaderValue, GatewayError> {
        let whole = Instant::now() + TIMEOUT;
        let until = errand.deadline.min(whole);
        let (why, asked_long_enough) = match timeout_at(until, self.request(errand)).await {
            Ok(Ok(granted)) => match self.keep(&granted) {
                Some(token) => return Ok(token),
                None => (UNREADABLE, true),
            },
            Ok(Err(why)) => (why, true),
            // A request with little time left says nothing of the service.
            Err(_elapsed) => (SLOW, until == whole),
        };
        warn!(account = self.email, why, "no access token");
        if asked_long_enough {
            self.state().failure = Some((why, Instant::now() + PAUSE));
        }
        Err(GatewayError::Token(why))
    }

    fn keep(&self, granted: &Granted) -> Option<HeaderValue> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", granted.access_token)).ok()?;
        header.set_sensitive(true);
        self.note(&granted.access_token);
        let lasts = Duration::from_secs(granted.expires_in);
        let margin = if lasts > 2 * MARGIN { MARGIN } else { lasts / 2 };
        let now = Instant::now();
        let (renew_at, ends_at) = (now + lasts.saturating_sub(margin), now + lasts.saturating_sub(LAST_USE));
        *self.state() = State { token: Some(Token { header: header.clone(), renew_at, ends_at }), failure: None };
        Some(header)
    }

    /// Notes a token that requests will show from now on.
    fn note(&self, token: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let old = shown.len().saturating_sub(MOST_SHOWN - 1);
        shown.drain(..old);
        shown.push(Secret::from(token));
        self.got.fetch_add(1, Ordering::Release);
    }

    /// How many tokens have been got so far.
    pub fn got(&self) -> u64 {
        self.got.load(Ordering::Acquire)
    }

    /// The last tokens, which requests may still show.
    pub fn shown(&self) -> Vec<Secret> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn request(&self, errand: Errand<'_>) -> Result<Granted, &'static str> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &self.assertion()?)
            .finish();
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        let answer = errand.upstream.send(errand.exit, request.map(RequestBody::Whole)).await;
        let (head, body) = answer.map_err(|_| UNREACHABLE)?.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await;
        let body = body.map_err(|_| UNREADABLE)?.to_bytes();
        if head.status != StatusCode::OK {
            let refused: Refused = serde_json::from_slice(&body).unwrap_or_default();
            let (error, description) = (refused.error, refused.error_description);
            warn!(account = self.email, status = head.status.as_u16(), error, description, "access token refused");
            return Err(REFUSED);
        }
        serde_json::from_slice(&body).map_err(|_| UNREADABLE)
    }

    /// A JSON Web Token (RFC 7515, compact) that says who asks.
    fn assertion(&self) -> Result<String, &'static str> {
        let now = now_ms() / 1000;
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.key_id {
            header["kid"] = id.as_str().into();
        }
        let claims = json!({
            "iss": self.email, "scope": SCOPE, "aud": self.audience, "iat": now, "exp": now + ASSERTED_FOR,
        });
        let encoded = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encoded(&header), encoded(&claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .map_err(|_| "the gateway cannot sign with the key")?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// As if the token had been got at another time.
    #[cfg(test)]
    pub(super) fn age(&self, renew_at: Instant, ends_at: Instant) {
        if let Some(token) = &mut self.state().token {
            (token.renew_at, token.ends_at) = (renew_at, ends_at);
        }
    }

    /// Forgets the token that was sent as `sent`, and says whether there is another, or one can be asked for.
    pub(super) fn forget(&self, sent: &HeaderValue) -> bool {
        let mut state = self.state();
        if state.token.as_ref().is_some_and(|token| token.header == *sent) {
            state.token = None;
        }
        state.token.is_some() || state.failure.as_ref().is_none_or(|(_, until)| Instant::now() >= *until)
    }
}

const SLOW: &str = "its token service did not answer in time";
const UNREACHABLE: &str = "its token service could not be reached";
const UNREADABLE: &str = "the answer of its token service cannot be read";
const REFUSED: &str = "its token service refused the key";
