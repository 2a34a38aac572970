//! Client key → principal.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use shared::crypto::sha256;
use shared::time::now_ms;

use crate::error::GatewayError;
use crate::route::table::{Principal, RouteTable};

/// Finds whose key the request carries as `Authorization: Bearer`. The key is digested whole before it is looked up, so how
/// long that takes says nothing of which keys there are.
///
/// # Errors
/// [`GatewayError::MissingKey`], and [`GatewayError::InvalidKey`] for one that is unknown, disabled or expired alike.
pub fn principal<'t>(table: &'t RouteTable, headers: &HeaderMap) -> Result<&'t Principal, GatewayError> {
    let value = bearer(headers).ok_or(GatewayError::MissingKey)?;
    let principal = table.principal(&sha256(value)).ok_or(GatewayError::InvalidKey)?;
    let expired = principal.key.expires_at_ms.is_some_and(|at| at <= now_ms());
    if !principal.key.enabled || expired { Err(GatewayError::InvalidKey) } else { Ok(principal) }
}

/// The credential that a request carries. The scheme's name is not case-sensitive (RFC 9110, section 11.1).
pub fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests;
