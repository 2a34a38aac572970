//! The forms of an upstream key: what an operator pastes, by how the vendor wants to see it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Auth;
use crate::ir::media::without_space;

/// An upstream key that has been read.
pub enum Key<'k> {
    /// A key that is sent as it is.
    Plain(&'k str),
    /// An access key of AWS, which signs requests.
    Aws(AwsKey<'k>),
    /// An API key of Amazon Bedrock, which is sent as a bearer token.
    BedrockApiKey(&'k str),
    /// The key file of a Google service account, which gets access tokens.
    ServiceAccount(ServiceAccount),
}

/// An access key of AWS: `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, then `:SESSION_TOKEN` where it is a temporary one, then
/// `@REGION` where the base URL does not tell the region.
pub struct AwsKey<'k> {
    /// The id, which names the key.
    pub access_key_id: &'k str,
    /// The secret, which signs.
    pub secret_access_key: &'k str,
    /// The token of a temporary key.
    pub session_token: Option<&'k str>,
    /// The region of the service.
    pub region: &'k str,
}

/// The fields of a Google service account's key file that count (Google Cloud, "Create and delete service account
/// keys").
#[derive(Deserialize)]
pub struct ServiceAccount {
    r#type: String,
    /// The account's name.
    pub client_email: String,
    /// The private key: PKCS #8, as PEM.
    pub private_key: String,
    /// The id of the key.
    #[serde(default)]
    pub private_key_id: Option<String>,
    /// The URL that gives access tokens: `https`, or `http` on this machine.
    #[serde(default = "google")]
    pub token_uri: String,
}

fn google() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

// Written by hand, so that no secret is printed.
impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Aws(_) => "Aws",
            Self::BedrockApiKey(_) => "BedrockApiKey",
            Self::ServiceAccount(_) => "ServiceAccount",
        })
    }
}

/// Headers in which a credential can stand, here or at another vendor.
const CREDENTIAL_HEADERS: &[&str] = &[
    "api-key",
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-amz-security-token",
    "x-api-key",
    "x-goog-api-key",
    "x-goog-iam-authorization-token",
];

impl Auth {
    /// The header in which requests show the credential.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Bearer | Self::AwsSigV4 | Self::GoogleServiceAccount => "authorization",
            Self::XApiKey => "x-api-key",
            Self::GoogApiKey => "x-goog-api-key",
            Self::AzureApiKey => "api-key",
        }
    }

    /// Whether the header `name`, which is in lower case, is the place of a credential, but not of this vendor's.
    pub fn is_foreign_credential(self, name: &str) -> bool {
        name != self.header() && CREDENTIAL_HEADERS.contains(&name)
    }

    /// Reads the upstream key `text` of a group with this base URL.
    ///
    /// # Errors
    /// When the key has a wrong form. The text tells the operator what is wrong, and nothing of the key itself.
    pub fn key<'k>(self, text: &'k str, base_url: &'k str) -> Result<Key<'k>, &'static str> {
        match self {
            Self::Bearer | Self::XApiKey | Self::GoogApiKey | Self::AzureApiKey => Ok(Key::Plain(text)),
            Self::AwsSigV4 => aws(text, base_url),
            Self::GoogleServiceAccount => service_account(text).map(Key::ServiceAccount),
        }
    }
}

fn aws<'k>(text: &'k str, base_url: &'k str) -> Result<Key<'k>, &'static str> {
    if !text.contains(':') && (text.starts_with("ABSK") || text.starts_with("bedrock-api-key-")) {
        return Ok(Key::BedrockApiKey(text));
    }
    let (key, given) = text.rsplit_once('@').map_or((text, None), |(key, region)| (key, Some(region)));
    let mut parts = key.split(':');
    let (Some(access_key_id), Some(secret_access_key), session_token, None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(AWS_FORM);
    };
    let names = access_key_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let filled = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
    if access_key_id.is_empty() || !names || !filled(secret_access_key) || !session_token.is_none_or(filled) {
        return Err(AWS_FORM);
    }
    let region = match given {
        Some(region) if is_region(region) => region,
        Some(_) => return Err("must end in @ and the name of a region, such as @us-east-1"),
        None => region_of(base_url).ok_or(
            "names no region, and neither does the base URL: add @ and the name of the region, such as @us-east-1",
        )?,
    };
    Ok(Key::Aws(AwsKey { access_key_id, secret_access_key, session_token, region }))
}

const AWS_FORM: &str = "must be ACCESS_KEY_ID:SECRET_ACCESS_KEY, with :SESSION_TOKEN behind it where the key is a temporary one and with @REGION at its end where the base URL names none, or an API key of Amazon Bedrock";

fn is_region(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.contains('-') && text.bytes().all(word) && text.ends_with(|c: char| c.is_ascii_digit())
}

/// The region in the host of an endpoint, such as `bedrock-runtime.us-east-1.amazonaws.com` or one within a private
/// network (AWS General Reference, "Amazon Bedrock endpoints and quotas").
fn region_of(base_url: &str) -> Option<&str> {
    const AWS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"];
    let host = base_url.split_once("://")?.1.split(['/', ':']).next()?;
    if !AWS.iter().any(|end| host.ends_with(end)) {
        return None;
    }
    let mut labels = host.split('.').skip_while(|label| !label.starts_with("bedrock"));
    labels.next()?;
    labels.next().filter(|label| is_region(label))
}

fn service_account(text: &str) -> Result<ServiceAccount, &'static str> {
    let account: ServiceAccount = serde_json::from_str(text).map_err(|_| GOOGLE_FORM)?;
    if account.r#type != "service_account" {
        return Err("is a key file of Google's, but not that of a service account");
    }
    let pem = account.private_key.trim();
    if account.client_email.is_empty() || !pem.starts_with(PEM_BEGIN) || !pem.ends_with(PEM_END) {
        return Err(GOOGLE_FORM);
    }
    if account.private_key_der().is_none() {
        return Err("has a private_key that is not base64");
    }
    if !is_safe(&account.token_uri) {
        return Err("must have an https:// URL as its token_uri");
    }
    Ok(account)
}

const GOOGLE_FORM: &str = "must be the JSON key file of a Google service account, with client_email and private_key";
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

impl ServiceAccount {
    /// The private key: PKCS #8, in DER.
    pub fn private_key_der(&self) -> Option<Vec<u8>> {
        let pem = self.private_key.trim().strip_prefix(PEM_BEGIN)?.strip_suffix(PEM_END)?;
        STANDARD.decode(&*without_space(pem)).ok()
    }
}

/// Whether a signed assertion may be sent to `url`, where nobody on the way may read it.
fn is_safe(url: &str) -> bool {
    let authority = |scheme| {
        let rest: &str = url.strip_prefix(scheme)?;
        rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty() && !authority.contains('@'))
    };
    let host = |authority: &str| authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned();
    authority("https://").is_some()
        || authority("http://").is_some_and(|authority| {
            matches!(&*host(authority), "127.0.0.1" | "localhost" | "[::1]") || authority == "[::1]"
        })
}

#[cfg(test)]
mod tests;
