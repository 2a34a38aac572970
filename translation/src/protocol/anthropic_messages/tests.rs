//! Behaviour of the whole format.
