//! How a request proves who sends it.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use translation::vendor::Auth;

use crate::error::GatewayError;

/// What an upstream key becomes on a request.
#[derive(Debug)]
pub enum Credential {
    /// A header, always the same.
    Header(HeaderName, HeaderValue),
}

impl Credential {
    /// The credential of the key `secret`, shown as `auth` says. None where the key has no such form.
    pub fn of(auth: Auth, secret: &str) -> Option<Self> {
        let header = |name, text: &str| {
            let mut value = HeaderValue::from_str(text).ok()?;
            value.set_sensitive(true);
            Some(Self::Header(name, value))
        };
        match auth {
            Auth::Bearer => header(AUTHORIZATION, &format!("Bearer {secret}")),
            Auth::XApiKey => header(HeaderName::from_static("x-api-key"), secret),
            // Never in the query: URLs are logged.
            Auth::GoogApiKey => header(HeaderName::from_static("x-goog-api-key"), secret),
            Auth::AzureApiKey => header(HeaderName::from_static("api-key"), secret),
            Auth::AwsSigV4 | Auth::GoogleServiceAccount => None,
        }
    }

    /// Puts it on `request`, which is whole but for it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn put(&self, request: &mut Request<Full<Bytes>>) -> Result<(), GatewayError> {
        match self {
            Self::Header(name, value) => {
                request.headers_mut().insert(name.clone(), value.clone());
                Ok(())
            }
        }
    }
}
