//! Gemini's APIs (ai.google.dev/api), with the checks that they make of a request.

mod check;
pub(crate) mod embed;
mod fields;
pub(crate) mod generate;
mod history;
pub(crate) mod models;
mod render;
