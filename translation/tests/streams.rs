//! What holds of every stream, whatever a provider sends: any split of the bytes gives the same events, no bytes panic
//! or hang a decoder, the events keep to their contract (`ir/event.rs`), and what a client is told of them is
//! well-formed in its format.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

#[path = "streams/anthropic.rs"]
mod anthropic;
#[path = "streams/chat.rs"]
mod chat;
#[path = "streams/clients.rs"]
mod clients;
#[path = "streams/contract.rs"]
mod contract;
#[path = "streams/fixtures.rs"]
mod fixtures;
#[path = "streams/gemini.rs"]
mod gemini;
#[path = "streams/long.rs"]
mod long;
#[path = "streams/mutations.rs"]
mod mutations;
#[path = "streams/responses.rs"]
mod responses;
#[path = "streams/splits.rs"]
mod splits;
