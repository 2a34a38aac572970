//! Principal and model → plan.

pub mod table;
