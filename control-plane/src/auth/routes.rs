//! `POST /auth/login`, `GET /auth/verify`, `POST /auth/logout`.

use std::sync::Once;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::forwarded::ThroughProxy;
use shared::secret::Secret;
use tracing::{info, warn};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::change_password::{__path_change_password, change_password};
use super::credentials::COOKIE;
use super::logins::Logins;
use super::place::Place;
use super::principal::Principal;
use crate::error::ApiError;
use crate::store::users::User;
use crate::store::{Actor, sessions, users};
use crate::web::extract::{JsonBody, client_address};
use crate::web::fields::{Fields, Known};
use crate::web::problem::Problem;
use crate::web::responses::ReadProblems;

/// Longest user name and longest password that are accepted, in bytes.
pub(super) const LONGEST: usize = 1024;

const FIELDS: &[Known] = &[Known::new("username"), Known::new("password")];

/// What a login sends.
#[derive(Debug, ToSchema)]
pub struct LoginBody {
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    #[schema(format = Password)]
    pub password: String,
}

/// A login that succeeded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoggedIn {
    /// To be sent as `authorization: Bearer <token>`.
    pub token: String,
    /// When the token expires, in epoch milliseconds.
    pub expires_at: i64,
    /// The user who logged in.
    pub user: LoginUser,
}

/// A token that is valid.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Always true; a token that is not valid is answered with 401.
    pub valid: bool,
    /// When the token expires, in epoch milliseconds.
    pub expires_at: i64,
    /// The user whose token it is.
    pub user: LoginUser,
}

/// A user as the answers to logins show it.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoginUser {
    /// Id of the user.
    pub id: String,
    /// Name of the user.
    pub username: String,
    /// Role of the user: `admin`, `operator` or `viewer`.
    pub role: &'static str,
}

/// The routes under `/auth`, for a router whose state holds the logins.
pub(crate) fn router<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Logins: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(verify))
        .routes(routes!(logout))
        .routes(routes!(change_password))
}

/// Log in
///
/// The answer holds a token, and sets it as the HttpOnly cookie `authToken` for browsers.
///
/// Wrong logins are bounded in three ways: five a minute of an account from an address; 20 at once and then ten a
/// minute from an address, whatever the account; 20 at once and then six a minute of an account, wherever they come
/// from. The last bound does not hold for an address from which the account was logged in to before, nor for whoever
/// sends a valid token of the account. An IPv6 address counts with the whole of its /64. Behind a proxy, set
/// `Server:TrustedProxies`: without it all clients have the address of the proxy.
#[utoipa::path(
    post,
    path = "/auth/login",
    operation_id = "login",
    tag = "auth",
    request_body = LoginBody,
    security(()),
    responses(
        (status = 200, description = "Logged in", body = LoggedIn),
        (status = 400, description = "Fields are missing", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Wrong user name or password", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not sent as application/json", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong logins; `Retry-After` says how long to wait", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many logins wait to be checked; `Retry-After` says how long to wait", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn login(State(logins): State<Logins>, parts: Parts, JsonBody(body): JsonBody) -> Result<Response, ApiError> {
    let mut fields = Fields::of(body, FIELDS)?;
    let username = fields.required_text("username", LONGEST);
    let password = Secret::new(fields.required_text("password", LONGEST));
    fields.finish()?;

    let address = client_address(&parts.extensions);
    let client_ip = address.map(|address| address.to_string()).unwrap_or_default();
    let place = Place::of(address);
    let user = match check(&logins, &username, password, place, &parts).await {
        Ok(Some(user)) => user,
        Ok(None) => {
            // The name is not logged: people type passwords into that field.
            warn!(client_ip, "wrong login");
            return Err(ApiError::Unauthenticated("wrong user name or password"));
        }
        Err(error) => {
            if matches!(error, ApiError::TooManyLogins { .. }) {
                tell_of_proxies(&parts, &client_ip);
            }
            if matches!(error, ApiError::TooManyLogins { .. } | ApiError::Busy) {
                logins.hold_back().await;
            }
            return Err(error);
        }
    };

    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let actor = Actor { user_id: Some(user.id.clone()), username: user.username.clone(), client_ip };
    let opened = logins.sessions().open(logins.store(), &user, user_agent, &actor).await?;
    logins.remember(&user.username, place).await;
    info!(username = %user.username, "logged in");

    let secure = if arrived_by_tls(&parts) { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        opened.token.expose(),
        logins.sessions().lifetime().as_secs()
    );
    let answer = LoggedIn {
        token: opened.token.expose().to_owned(),
        expires_at: opened.expires_at,
        user: LoginUser { id: user.id.clone(), username: user.username.clone(), role: user.role.name() },
    };
    Ok(with_cookie(Json(answer).into_response(), &cookie))
}

/// The user of this name, if the password is right and the user may log in. What is wrong is counted.
async fn check(
    logins: &Logins,
    username: &str,
    password: Secret,
    place: Place,
    parts: &Parts,
) -> Result<Option<User>, ApiError> {
    let admission = logins.admit(username, place, parts).await?;
    let user = match users::by_name(logins.store(), username).await {
        Ok(user) => user,
        Err(error) => {
            logins.unchecked(&admission);
            return Err(error.into());
        }
    };
    let hash = user.as_ref().map(|user| &user.password_hash);
    let right = logins.verify(&admission, username, password, hash, parts).await?;
    let user = user.filter(|user| right && user.enabled);
    if user.is_some() {
        logins.succeeded(&admission);
    }
    Ok(user)
}

/// Says once why all clients may have one address, where a proxy that is not trusted names another one.
fn tell_of_proxies(parts: &Parts, client_ip: &str) {
    static TOLD: Once = Once::new();
    let named = parts.headers.contains_key("x-forwarded-for") || parts.headers.contains_key(header::FORWARDED);
    if named && parts.extensions.get::<ThroughProxy>().is_none() {
        TOLD.call_once(|| {
            warn!(
                client_ip,
                "a refused login names another client in X-Forwarded-For or Forwarded, which is not believed: if this \
                 address is a proxy of yours, name it in Server:TrustedProxies"
            );
        });
    }
}

/// Check a token
#[utoipa::path(
    get,
    path = "/auth/verify",
    operation_id = "verifyToken",
    tag = "auth",
    responses(
        (status = 200, description = "The token is valid", body = Verified),
        ReadProblems,
    )
)]
async fn verify(principal: Principal) -> Json<Verified> {
    let Principal { user_id, username, role, expires_at, .. } = principal;
    Json(Verified { valid: true, expires_at, user: LoginUser { id: user_id, username, role: role.name() } })
}

/// Log out
///
/// The token is refused from now on.
#[utoipa::path(
    post,
    path = "/auth/logout",
    operation_id = "logout",
    tag = "auth",
    responses(
        (status = 204, description = "Logged out"),
        ReadProblems,
    )
)]
async fn logout(State(logins): State<Logins>, principal: Principal) -> Result<Response, ApiError> {
    sessions::revoke(logins.store(), &principal.session_id, &principal.actor()).await?;
    let cookie = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    Ok(with_cookie(StatusCode::NO_CONTENT.into_response(), &cookie))
}

/// Whether the client came by TLS, by what a proxy in front says. A client that lies here harms nobody else: it only
/// keeps its own cookie from plain connections.
fn arrived_by_tls(parts: &Parts) -> bool {
    parts.headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https")
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(mut value) = HeaderValue::from_str(cookie) {
        value.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
