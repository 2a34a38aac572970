//! Walks a plan: sends the request to one candidate after the other until one answers, and learns about upstream keys
//! on the way. Nothing of an answer has gone to the client while a walk goes on.
//!
//! - `walk`: which candidate is tried next; `course`: whether another may be; `telling`: which failure the client gets.
//! - `queue`: requests that wait because all that could answer them is out.
//! - `send`: one attempt, with a record of its own; `behalf`: on whose behalf.
//! - `hedge`: a second attempt beside a late one; `lane`: which of the two an attempt is.
//! - `probe`: asks one candidate what the gateway itself wants to know.
//! - `ended`: how an attempt ended that brought no answer.
//! - `reasons`: why an attempt brought no answer, in words.
//! - `effect`: what an attempt says of its upstream key.
//! - `tell`: what other nodes hear of that.
//! - `headers`: which headers of a client go upstream.

mod behalf;
mod course;
mod effect;
mod ended;
mod headers;
mod hedge;
mod lane;
mod probe;
mod queue;
mod reasons;
mod send;
#[cfg(test)]
#[expect(clippy::similar_names, clippy::type_complexity, reason = "those that stand for each other are named alike")]
mod simulation;
mod tell;
mod telling;
mod walk;

pub use headers::{ClientHeaders, HOPS};
pub use probe::{Probed, Prober};
pub use walk::Walker;
