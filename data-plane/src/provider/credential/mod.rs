//! How a request proves who sends it.
//!
//! - `aws`: signatures of AWS.
//! - `errand`: how a credential is got that is not at hand.
//! - `google`: access tokens of Google.

mod aws;
mod errand;
mod google;

use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use translation::vendors::Auth;
use translation::vendors::key::Key;

use crate::error::GatewayError;

pub use errand::Errand;
pub use google::Tokens;

/// The form in which a request shows an upstream key.
#[derive(Debug)]
pub enum Credential {
    /// A header that is always the same.
    Header(HeaderName, HeaderValue),
    /// A signature over each request.
    Aws(Box<aws::Signer>),
    /// An access token, which is got with the key and lasts an hour or so.
    Google(Arc<Tokens>),
}

impl Credential {
    /// The credential of the key `secret` of a group with this base URL, shown as `auth` says. `known` are the tokens
    /// that an earlier config has got with the key.
    ///
    /// # Errors
    /// Why the key cannot be shown so.
    pub fn of(auth: Auth, secret: &str, base_url: &str, known: Option<&Arc<Tokens>>) -> Result<Self, &'static str> {
        let header = |name, text: String| {
            let mut value = HeaderValue::try_from(text).map_err(|_| "holds characters that no header can carry")?;
            value.set_sensitive(true);
            Ok(Self::Header(name, value))
        };
        match (auth.key(secret, base_url)?, auth) {
            (Key::Aws(key), _) => Ok(Self::Aws(Box::new(aws::Signer::new(&key)))),
            (Key::ServiceAccount(account), _) => {
                let known = known.filter(|tokens| tokens.are_of(secret)).cloned();
                known.map_or_else(|| Tokens::new(&account, secret).map(Arc::new), Ok).map(Self::Google)
            }
            (Key::Plain(key), Auth::XApiKey) => header(HeaderName::from_static("x-api-key"), key.to_owned()),
            // Never in the query: URLs are logged.
            (Key::Plain(key), Auth::GoogApiKey) => header(HeaderName::from_static("x-goog-api-key"), key.to_owned()),
            (Key::Plain(key), Auth::AzureApiKey) => header(HeaderName::from_static("api-key"), key.to_owned()),
            (Key::Plain(key) | Key::BedrockApiKey(key), _) => header(AUTHORIZATION, ["Bearer ", key].concat()),
        }
    }

    /// Puts the credential on `request`, which is whole apart from it and has the body `body`. A header of the same
    /// name that is there already is the operator's and stays.
    ///
    /// # Errors
    /// When the credential cannot be made, or got.
    pub async fn put(
        &self,
        request: &mut Request<Full<Bytes>>,
        body: &Bytes,
        errand: Errand<'_>,
    ) -> Result<(), GatewayError> {
        match self {
            Self::Header(name, value) => {
                request.headers_mut().entry(name).or_insert_with(|| value.clone());
            }
            Self::Aws(signer) if !request.headers().contains_key(AUTHORIZATION) => signer.sign(request, body)?,
            Self::Google(tokens) if !request.headers().contains_key(AUTHORIZATION) => {
                let token = match tokens.at_hand() {
                    Some(token) => token,
                    // This happens once an hour, so its future is kept out of that of every request.
                    None => Box::pin(tokens.get(errand)).await?,
                };
                request.headers_mut().insert(AUTHORIZATION, token);
            }
            Self::Aws(_) | Self::Google(_) => {}
        }
        Ok(())
    }

    /// Whether [`Self::put`] reads the body of the request.
    pub fn reads_body(&self) -> bool {
        matches!(self, Self::Aws(_))
    }

    /// Whether an answer of `status` may be due to an access token that was withdrawn before its time, which says
    /// nothing of the key. The token, which was `sent`, is forgotten then, and another can be got.
    pub fn renew(&self, status: StatusCode, sent: Option<&HeaderValue>) -> bool {
        match (self, sent) {
            (Self::Google(tokens), Some(sent)) if status == StatusCode::UNAUTHORIZED => tokens.forget(sent),
            _ => false,
        }
    }

    /// The access tokens that are got with the key.
    pub fn tokens(&self) -> Option<&Arc<Tokens>> {
        match self {
            Self::Google(tokens) => Some(tokens),
            Self::Header(..) | Self::Aws(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
