//! Signatures of thoughts: made of what was thought, so that the provider knows its own again and sees when they were
//! changed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::vector::hash;

/// Signs `thoughts`.
pub(crate) fn of(thoughts: &str) -> String {
    // As long as the short ones that were recorded, so that nobody takes them for names.
    STANDARD.encode(format!("fake-signature:{:016x}:{}", hash(thoughts.as_bytes()), "=".repeat(96)))
}

/// Whether `signature` is that of `thoughts`.
pub(crate) fn fits(signature: &str, thoughts: &str) -> bool {
    signature == of(thoughts)
}

/// Whether `signature` was made here, of whatever thoughts.
pub(crate) fn is_ours(signature: &str) -> bool {
    STANDARD.decode(signature).is_ok_and(|plain| plain.starts_with(b"fake-signature:"))
}
