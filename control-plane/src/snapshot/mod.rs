//! Config on its way to the nodes.
//!
//! - [`publish`]: follows the database and holds the newest snapshot.
//! - `history`: the changes that led to it, so that a node is sent only what it lacks.

mod history;
pub mod publish;
