//! The scope in which somebody may read or write.

/// The resources that a right reaches. Each function of the store that reads or writes resources for somebody takes the
/// scope. By `let Scope::Everything = scope;` it says that it knows this one scope, so a further one does not compile
/// before each of these functions deals with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All resources.
    Everything,
}
