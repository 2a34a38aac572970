//! How signatures of thoughts travel in this format: in the `encrypted_content` of reasoning items.
//!
//! OpenAI's own signature is bound to the id of its item, so the two travel as one [`Signature`]: `id:encrypted
//! content`. A signature of another family is wrapped for the client behind a prefix that no provider uses, and is
//! found again when the client sends the item back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::format::Family;
use crate::ir::Signature;

/// Begins every `encrypted_content` that the gateway made. A provider would refuse it.
pub(super) const PREFIX: &str = "orchestration:";

/// What a signature signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signs {
    /// A thought with words.
    Thought,
    /// A thought that only the family can read.
    Redacted,
    /// The tool call that follows (Gemini).
    Call,
}

/// The signature that stands for an OpenAI reasoning item.
pub(super) fn native(id: Option<&str>, encrypted: &str) -> Signature {
    // The first colon divides the two, so an id with a colon would not come back.
    let id = id.filter(|id| !id.contains(':')).unwrap_or_default();
    Signature { family: Family::OpenAi, data: format!("{id}:{encrypted}") }
}

/// The id and the encrypted content of an OpenAI reasoning item; either may be empty.
pub(super) fn native_parts(signature: &Signature) -> Option<(&str, &str)> {
    (signature.family == Family::OpenAi).then(|| signature.data.split_once(':').unwrap_or(("", &signature.data)))
}

/// `signature` as an `encrypted_content`.
pub(super) fn wrap(signature: &Signature, signs: Signs) -> String {
    let family = match signature.family {
        Family::OpenAi => "openai",
        Family::Anthropic => "anthropic",
        Family::Gemini => "gemini",
    };
    let signs = match signs {
        Signs::Thought => "thought",
        Signs::Redacted => "redacted",
        Signs::Call => "call",
    };
    format!("{PREFIX}{family}:{signs}:{}", URL_SAFE_NO_PAD.encode(&signature.data))
}

/// The signature in an `encrypted_content` that the gateway made.
pub(super) fn unwrap(encrypted: &str) -> Option<(Signature, Signs)> {
    let mut words = encrypted.strip_prefix(PREFIX)?.splitn(3, ':');
    let family = match words.next()? {
        "openai" => Family::OpenAi,
        "anthropic" => Family::Anthropic,
        "gemini" => Family::Gemini,
        _ => return None,
    };
    let signs = match words.next()? {
        "thought" => Signs::Thought,
        "redacted" => Signs::Redacted,
        "call" => Signs::Call,
        _ => return None,
    };
    let data = String::from_utf8(URL_SAFE_NO_PAD.decode(words.next()?).ok()?).ok()?;
    Some((Signature { family, data }, signs))
}
