//! `POST /auth/change-password`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use shared::secret::Secret;
use tracing::{info, warn};
use utoipa::ToSchema;

use super::bootstrap::password_problem;
use super::logins::Logins;
use super::place::Place;
use super::principal::Principal;
use super::routes::LONGEST;
use crate::error::ApiError;
use crate::store::users::{self, NewPassword};
use crate::web::extract::{JsonBody, client_address};
use crate::web::fields::{Fields, Known};
use crate::web::problem::Problem;

const FIELDS: &[Known] = &[Known::new("currentPassword"), Known::new("newPassword")];

/// What a change of the password sends.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct PasswordChange {
    /// The password that the caller has now.
    #[schema(format = Password, example = "the password of now")]
    pub current_password: String,
    /// The password that the caller wants: at least 8 characters, and none that is well known.
    #[schema(format = Password, example = "a longer password for tomorrow")]
    pub new_password: String,
}

/// Change the password
///
/// Changes the caller's own password. All other logins of the caller end; the one that asks goes on. A wrong current
/// password is answered with 400, and five of them within a minute with 429. Whoever has lost the password resets it on
/// the machine, with the subcommand `reset-password`.
#[utoipa::path(
    post,
    path = "/auth/change-password",
    operation_id = "changePassword",
    tag = "auth",
    request_body = PasswordChange,
    responses(
        (status = 204, description = "The password is changed"),
        (status = 400, description = "The current password is wrong, or the new one is too short or well known", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The password was changed by someone else meanwhile", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not sent as application/json", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong passwords; `Retry-After` says how long to wait", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The server is busy; `Retry-After` says how long to wait", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_password(
    State(logins): State<Logins>,
    principal: Principal,
    parts: Parts,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    let mut fields = Fields::of(body, FIELDS)?;
    let current = Secret::new(fields.required_text("currentPassword", LONGEST));
    let new = Secret::new(fields.required_text("newPassword", LONGEST));
    if let Some(problem) = password_problem(new.expose(), &principal.username).filter(|_| !new.is_empty()) {
        fields.error("newPassword", problem);
    }
    fields.finish()?;

    let admission = match logins.admit_again(&principal.user_id, Place::of(client_address(&parts.extensions))) {
        Ok(admission) => admission,
        Err(refused) => {
            logins.hold_back().await;
            return Err(refused);
        }
    };
    let user = match users::get(logins.store(), &principal.user_id).await {
        Ok(user) => user.ok_or(ApiError::Unauthenticated("the user does not exist any more"))?,
        Err(error) => {
            logins.unchecked(&admission);
            return Err(error.into());
        }
    };
    if !logins.verify(&admission, &user.username, current, Some(&user.password_hash), &parts).await? {
        warn!(username = %user.username, client_ip = principal.client_ip, "wrong current password at a change of it");
        return Err(ApiError::field("currentPassword", "is not the password of this user"));
    }
    logins.succeeded(&admission);
    let new = NewPassword {
        hash: logins.passwords().hash(new).await?,
        kept_session: Some(principal.session_id.clone()),
        action: "change_password",
    };
    users::set_password(logins.store(), &user, new, &principal.actor()).await?;
    info!(username = %user.username, "the password was changed");
    Ok(StatusCode::NO_CONTENT)
}
