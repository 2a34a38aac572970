//! Users, sessions and tokens: who calls the admin API, and what they may do.
//!
//! - `bootstrap`: the admin of a first start.
//! - `routes`: login and logout; `change_password`. `passwords`, `throttle` with `place`, `sessions` and `jwt` are what
//!   they need, held together by [`Logins`].
//! - [`reset`]: a new password for somebody who cannot log in, from the command line.
//! - `credentials`: from a request to the [`Principal`] who sent it.
//! - [`permission`]: from a principal to the right that a handler needs.

mod bootstrap;
mod change_password;
mod credentials;
mod jwt;
mod logins;
pub(crate) mod passwords;
pub mod permission;
mod place;
mod principal;
pub mod reset;
mod routes;
mod sessions;
mod throttle;

pub use bootstrap::{InitialAdmin, check_settings};
pub use change_password::PasswordChange;
pub use logins::Logins;
pub use principal::Principal;
pub use routes::{LoggedIn, LoginBody, LoginUser, Verified};

pub(crate) use bootstrap::first_admin;
pub(crate) use credentials::COOKIE;
pub(crate) use routes::router;

#[cfg(test)]
mod tests;
