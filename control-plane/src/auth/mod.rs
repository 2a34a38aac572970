//! Users, sessions and tokens: who calls the admin API, and what they may do.

mod bootstrap;
mod extract;
mod jwt;
pub(crate) mod passwords;
mod routes;
mod sessions;
pub(crate) mod throttle;

pub use bootstrap::{InitialAdmin, check_settings};
pub use extract::{Principal, Reader, Writer};
pub use routes::{LoggedIn, LoginBody, LoginUser, Verified};
pub use sessions::Sessions;

pub(crate) use bootstrap::first_admin;
pub(crate) use extract::client_address;
pub(crate) use routes::router;

/// Name of the cookie that carries the token of a browser.
pub(crate) const COOKIE: &str = "authToken";

#[cfg(test)]
mod tests;
