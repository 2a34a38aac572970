//! Who calls: from the `Authorization` header, else from the cookie.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Uri, header};

use super::COOKIE;
use crate::app::AppState;
use crate::error::ApiError;
use crate::store::Actor;
use crate::store::users::Role;

/// A user with a valid session.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Id of the user.
    pub user_id: String,
    /// Name at login.
    pub username: String,
    /// Present role.
    pub role: Role,
    /// The session that the token stands for.
    pub session_id: String,
    /// When the session ends, epoch milliseconds.
    pub expires_at: i64,
    /// Address of the connection.
    pub client_ip: String,
}

impl Principal {
    /// As whom the store records a change.
    pub fn actor(&self) -> Actor {
        Actor {
            user_id: Some(self.user_id.clone()),
            username: self.username.clone(),
            client_ip: self.client_ip.clone(),
        }
    }
}

/// Whoever is logged in.
#[derive(Clone, Debug)]
pub struct Reader(pub Principal);

/// Whoever may change things: admins and operators.
#[derive(Clone, Debug)]
pub struct Writer(pub Principal);

impl FromRequestParts<AppState> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        principal(parts, state).await.map(Self)
    }
}

impl FromRequestParts<AppState> for Writer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let principal = principal(parts, state).await?;
        match principal.role {
            Role::Admin | Role::Operator => Ok(Self(principal)),
            Role::Viewer => Err(ApiError::Forbidden("a viewer may not change anything")),
        }
    }
}

async fn principal(parts: &mut Parts, state: &AppState) -> Result<Principal, ApiError> {
    let token = if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        bearer(value.to_str().unwrap_or_default())
            .ok_or(ApiError::Unauthenticated("the header authorization must be \"Bearer <token>\""))?
    } else {
        let token = cookie(&parts.headers).ok_or(ApiError::Unauthenticated(
            "send the token of POST /auth/login as \"authorization: Bearer <token>\"",
        ))?;
        if !parts.method.is_safe() && !same_origin(&parts.headers, &parts.uri) {
            return Err(ApiError::Forbidden("a change with the cookie must come from this site's own pages"));
        }
        token
    };
    let mut principal = state.sessions().check(state.store(), token).await?;
    principal.client_ip = client_address(&parts.extensions).map(|address| address.to_string()).unwrap_or_default();
    tracing::Span::current().record("user", principal.username.as_str());
    Ok(principal)
}

/// Address of the connection. What a client says of itself in headers is not believed.
pub(crate) fn client_address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| !token.is_empty())
}

pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && !value.is_empty())
        .map(|(_, value)| value)
}

/// Whether a browser sent this from a page of ours. A browser sets both headers itself; a page cannot.
pub(crate) fn same_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(http::uri::Authority::as_str));
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok())
        .and_then(|origin| origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")));
    matches!((origin, host), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}
