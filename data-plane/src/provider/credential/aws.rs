//! Signatures of AWS (AWS Identity and Access Management User Guide, "AWS Signature Version 4 for API requests").

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use shared::time::now_ms;
use translation::vendors::key::AwsKey;

use crate::error::GatewayError;

/// The name of the service in a signature. The runtime of Bedrock has the same as Bedrock.
const SERVICE: &str = "bedrock";

/// Signs requests with an access key.
#[derive(Debug)]
pub struct Signer {
    credentials: Credentials,
    region: String,
}

impl Signer {
    /// A signer with the access key `key`.
    pub(super) fn new(key: &AwsKey<'_>) -> Self {
        let token = key.session_token.map(str::to_owned);
        let credentials = Credentials::new(key.access_key_id, key.secret_access_key, token, None, "orchestration-api");
        Self { credentials, region: key.region.to_owned() }
    }

    /// Signs `request`, which has the body `body`. Signed are the address, the body, its type, and the headers that
    /// come with the signature; other headers may change on the way.
    ///
    /// # Errors
    /// When the address cannot be signed.
    pub(super) fn sign(&self, request: &mut Request<Full<Bytes>>, body: &Bytes) -> Result<(), GatewayError> {
        let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms()).unwrap_or_default());
        let signed = self.signed(request, body, SERVICE, now);
        for (name, value) in signed.ok_or(GatewayError::Internal("the request cannot be signed for AWS"))? {
            request.headers_mut().insert(name, value);
        }
        Ok(())
    }

    /// The headers that sign `request` for `service` at `time`.
    pub(super) fn signed(
        &self,
        request: &Request<Full<Bytes>>,
        body: &Bytes,
        service: &str,
        time: SystemTime,
    ) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let headers = content_type.into_iter().map(|value| ("content-type", value));
        let method = request.method().as_str();
        let body = SignableBody::Bytes(body);
        let signable = SignableRequest::new(method, request.uri().to_string(), headers, body).ok()?;
        let (instructions, _signature) = sign(signable, &parameters).ok()?.into_parts();
        let header = |(name, value): (&str, &str)| {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        };
        instructions.headers().map(header).collect()
    }
}
