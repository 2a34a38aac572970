//! Signatures of other families on their way through a client of Anthropic's.
//!
//! Such a client gives every `thinking` and `redacted_thinking` block back as it came, and nothing else that it does
//! not know. A signature of another family therefore travels in those blocks and is read again in the next request. It
//! stands behind a prefix that no signature of Anthropic's has, since those are bare base64.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;

use crate::format::Family;
use crate::ir::Signature;

/// Stands before a thought's signature, which is the family, a dot, and the signature in base64.
const THOUGHT: &str = "gateway-signature-1:";
/// Stands before the signature of the tool call that follows.
const CALL: &str = "gateway-call-signature-1:";

/// What the `data` of a `redacted_thinking` block stands for.
#[derive(Debug, PartialEq)]
pub(super) enum Redacted {
    /// It is a thought.
    Thought(Signature),
    /// It is not a thought but the signature of the tool call that follows.
    OfCall(Signature),
}

/// A thought's signature as the client gets it.
pub(super) fn thought(signature: &Signature) -> String {
    match signature.family {
        Family::Anthropic => signature.data.clone(),
        _ => carried(THOUGHT, signature),
    }
}

/// A tool call's signature as the client gets it: `data` of a `redacted_thinking` block.
pub(super) fn call(signature: &Signature) -> String {
    carried(CALL, signature)
}

fn carried(prefix: &str, signature: &Signature) -> String {
    let family = match signature.family {
        Family::OpenAi => "openai",
        Family::Anthropic => "anthropic",
        Family::Gemini => "gemini",
    };
    format!("{prefix}{family}.{}", STANDARD.encode(&signature.data))
}

fn uncarried(text: &str) -> Option<Signature> {
    let (family, data) = text.split_once('.')?;
    let family = match family {
        "openai" => Family::OpenAi,
        "anthropic" => Family::Anthropic,
        "gemini" => Family::Gemini,
        _ => return None,
    };
    let data = String::from_utf8(STANDARD.decode(data).ok()?).ok()?;
    Some(Signature { family, data })
}

/// The signature in a `thinking` block that a client gives back. None where it is empty.
pub(super) fn of_thought(text: String) -> Option<Signature> {
    match text.strip_prefix(THOUGHT) {
        Some(carried) => uncarried(carried),
        None => (!text.is_empty()).then_some(Signature { family: Family::Anthropic, data: text }),
    }
}

/// The `data` of a `redacted_thinking` block that a client gives back.
pub(super) fn of_redacted(text: String) -> Option<Redacted> {
    if let Some(carried) = text.strip_prefix(CALL) {
        return uncarried(carried).map(Redacted::OfCall);
    }
    of_thought(text).map(Redacted::Thought)
}

static FOREIGN: LazyLock<[memmem::Finder<'static>; 4]> =
    LazyLock::new(|| [THOUGHT, CALL, r#""signature":"""#, r#""signature": """#].map(memmem::Finder::new));

/// Whether a request may hold thoughts of another family's model, which only this gateway can read. Anthropic answers
/// 400 to those, so such a request has to be read and written anew even where the provider speaks the client's format.
pub(super) fn holds_foreign(body: &[u8]) -> bool {
    FOREIGN.iter().any(|finder| finder.find(body).is_some())
}
