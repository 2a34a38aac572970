//! The data plane.

pub mod control;
pub mod route;
pub mod usage;
