//! Walks a plan: sends the request to one candidate after the other until one answers, and learns about upstream keys
//! on the way. Nothing of an answer has gone to the client while a walk goes on.
//!
//! - `walk`: which candidate is tried next; `course`: whether another may be; `telling`: which failure the client gets.
//! - `queue`: requests that wait because all that could answer them is out.
//! - `send`: one attempt, with a record of its own.
//! - `ended`: how an attempt ended that brought no answer.
//! - `reasons`: why an attempt brought no answer, in words.
//! - `effect`: what an attempt says of its upstream key.
//! - `tell`: what other nodes hear of that.
//! - `headers`: which headers of a client go upstream.

mod course;
mod effect;
mod ended;
mod headers;
mod queue;
mod reasons;
mod send;
mod tell;
mod telling;
mod walk;

pub use headers::{ClientHeaders, HOPS};
pub use walk::Walker;
