//! The data plane.

pub mod app;
pub mod config;
pub mod control;
pub mod data_dir;
pub mod ingress;
pub mod limits;
pub mod node;
pub mod route;
pub mod usage;
