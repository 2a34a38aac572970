//! Which resources a reader or writer of the store may reach.

/// The resources that a right reaches. Each function of the store that reads or writes resources for someone takes it,
/// and says by `let Scope::Everything = scope;` that it serves this scope alone: a further scope does not compile before
/// all of these functions serve it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All resources.
    Everything,
}
