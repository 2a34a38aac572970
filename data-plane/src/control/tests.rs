//! What the tests of both streams share.

pub(crate) mod server;
