//! Anthropic's APIs (docs.claude.com/en/api), with the checks that they make of a request.

mod check;
pub(crate) mod count;
mod history;
mod message;
pub(crate) mod messages;
mod model;
pub(crate) mod models;
mod stream;
