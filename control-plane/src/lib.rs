//! Owns the database, the admin REST API, login, and the gRPC server that nodes connect to.

pub mod secrets;
pub mod store;
