//! Finds the client that a request's key belongs to.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use shared::crypto::sha256;
use shared::time::now_ms;
use translation::Format;
use translation::format::CredentialPlace;

use crate::error::GatewayError;
use crate::route::client::Client;
use crate::route::table::RouteTable;

/// Finds whose key the request carries. The key is digested whole before it is looked up, so that the time it takes
/// tells nothing about the keys that exist.
///
/// # Errors
/// [`GatewayError::MissingKey`], and [`GatewayError::InvalidKey`] for a key that is unknown, disabled or expired.
pub fn client<'t>(table: &'t RouteTable, parts: &Parts, format: Format) -> Result<&'t Client, GatewayError> {
    let value = credential(parts, format).ok_or_else(|| missing(parts, format))?;
    let client = table.client(&sha256(&value)).ok_or(GatewayError::InvalidKey)?;
    let expired = client.key.expires_at_ms.is_some_and(|at| at <= now_ms());
    if !client.key.enabled || expired { Err(GatewayError::InvalidKey) } else { Ok(client) }
}

fn missing(parts: &Parts, format: Format) -> GatewayError {
    let wanted = format.facts().credentials.first().map_or("", |place| place.example());
    let others = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];
    let found = others.into_iter().find(|name| header(&parts.headers, name).is_some());
    GatewayError::MissingKey { wanted, found }
}

/// The credential that a request of a client of `format` carries.
pub fn credential(parts: &Parts, format: Format) -> Option<Cow<'_, [u8]>> {
    format.facts().credentials.iter().find_map(|place| match place {
        CredentialPlace::Bearer => bearer(&parts.headers).map(Cow::Borrowed),
        CredentialPlace::XApiKey => header(&parts.headers, "x-api-key"),
        CredentialPlace::GoogApiKey => header(&parts.headers, "x-goog-api-key"),
        CredentialPlace::Query => in_query(parts),
    })
}

/// Whether a request shows itself as one of Gemini's by the place of its credential (`docs/TRANSLATION.md` section 12).
pub fn is_geminis(parts: &Parts) -> bool {
    header(&parts.headers, "x-goog-api-key").is_some() || in_query(parts).is_some()
}

fn header<'p>(headers: &'p HeaderMap, name: &str) -> Option<Cow<'p, [u8]>> {
    let value = headers.get(name)?.as_bytes().trim_ascii();
    (!value.is_empty()).then_some(Cow::Borrowed(value))
}

/// The credential in `?key=` (<https://ai.google.dev/gemini-api/docs/api-key>).
fn in_query(parts: &Parts) -> Option<Cow<'_, [u8]>> {
    let (_, value) = form_urlencoded::parse(parts.uri.query()?.as_bytes()).find(|(name, _)| name == "key")?;
    (!value.is_empty()).then(|| Cow::Owned(value.into_owned().into_bytes()))
}

/// The credential behind `Authorization: Bearer`. The scheme's name is not case-sensitive (RFC 9110, section 11.1).
pub fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests;
