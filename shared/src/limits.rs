//! The arithmetic of limits: pure, without a clock of its own.
//!
//! - [`window`]: how much has been taken within the last minute, hour or day.

pub mod window;
