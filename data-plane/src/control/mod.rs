//! The node's end of the config stream.

pub mod state;
