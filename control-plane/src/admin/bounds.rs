//! How long names and ids in requests may be, in bytes.

/// Longest name of a group, a proxy key or a vendor.
pub(super) const NAME_BYTES: usize = 128;

/// Longest name of a model.
pub(super) const MODEL_BYTES: usize = 256;

/// Longest id.
pub(super) const ID_BYTES: usize = 64;
