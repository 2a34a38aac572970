//! Tests of the format as a whole, by what they are about.

mod answers;
mod errors;
mod fixtures;
mod replay;
mod requests_in;
mod requests_out;
mod requests_out_config;
mod requests_out_tools;
mod scenes;
mod streams_in;
mod streams_out;
mod watching;
