//! What handlers of HTTP requests share, whatever they are about.
//!
//! - `extract`: what a handler takes from a request, and `fields`: the fields of a JSON object or of a query, with
//!   everything that is wrong with them.
//! - `merge_patch`: how a PATCH changes what is stored.
//! - [`pagination`]: lists go page by page.
//! - [`problem`]: how an error becomes an answer, and `responses`: which problems an operation may answer with.
//! - [`warnings`]: what was accepted and has no effect, or another than was written.

pub(crate) mod extract;
pub(crate) mod fields;
pub(crate) mod merge_patch;
pub mod pagination;
pub mod problem;
pub(crate) mod responses;
pub mod warnings;

#[cfg(test)]
mod tests;
