//! Signatures of thoughts. They are made from the thoughts, so that the provider recognises its own and sees changes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::vector::hash;

/// Signs `thoughts`.
pub(crate) fn of(thoughts: &str) -> String {
    // The text is as long as short recorded signatures, so that nobody takes it for a name.
    STANDARD.encode(format!("fake-signature:{:016x}:{}", hash(thoughts.as_bytes()), "=".repeat(96)))
}

/// Whether `signature` is the signature of `thoughts`.
pub(crate) fn fits(signature: &str, thoughts: &str) -> bool {
    signature == of(thoughts)
}

/// Whether `signature` was made here, for any thoughts.
pub(crate) fn is_ours(signature: &str) -> bool {
    STANDARD.decode(signature).is_ok_and(|plain| plain.starts_with(b"fake-signature:"))
}
