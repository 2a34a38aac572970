//! Wire formats of AI APIs, and the one neutral form between them. The crate is pure: it does no I/O, reads no clock
//! that a caller does not hand in, and keeps no state that outlives a request.
//!
//! - [`format`](mod@format): the formats, and the constant facts of each.
//! - [`protocol`]: one folder for each wire format. Each reads its requests, answers, streams and errors into the
//!   neutral form, and writes them from it: N formats in, M formats out, never pairwise converters.
//! - [`ir`]: the neutral form.
//! - [`facts`]: what is known of models (limits, thinking, sampling …): data, not code.
//! - [`vendors`]: what is known of vendors (addresses, formats, quirks): data, one file for each.
//! - [`json`]: JSON texts that pass through unparsed.
//! - [`object`]: a JSON object as bytes, and edits to it that leave every other byte as it is.
//! - [`names`]: names and ids that one side allows and the other does not.
//! - [`optional`]: fields that a request can go without, where a provider refuses them.
//! - [`back`]: undoes on an answer what was done to its request.
//!
//! What a target cannot express is either left out and named ([`ir::Dropped`]), or refused ([`ir::TranslateError`])
//! where leaving it out would change what the request means.

pub mod back;
pub mod facts;
pub mod format;
pub mod ir;
pub mod json;
pub mod names;
pub mod object;
pub mod optional;
pub mod protocol;
pub mod vendors;

pub use format::Format;
