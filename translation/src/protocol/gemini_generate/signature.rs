//! Thought signatures (Gemini API documentation, "Thought signatures"), and those of other families on their way
//! through a Gemini client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use std::borrow::Cow;

use super::answer::standard_base64;
use crate::format::Family;
use crate::ir::Signature;

/// The signature of a call whose own is not known: base64 of `skip_thought_signature_validator`, which Google documents
/// for calls that come from elsewhere.
pub(super) const UNKNOWN: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";

/// Stands before a signature of another family. Its length is a multiple of three bytes, so that its base64 is the
/// beginning of the base64 of the whole.
const FOREIGN: &[u8; 18] = b"foreign-signature:";
/// [`FOREIGN`] in base64.
const FOREIGN_BASE64: &str = "Zm9yZWlnbi1zaWduYXR1cmU6";

/// What a signature proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A thought, text or call that is shown.
    Shown,
    /// A thought that only its family can read.
    Redacted,
}

/// A signature for a Gemini client, which decodes it as base64 and gives it back.
pub(super) fn write(signature: &Signature, of: Of) -> Cow<'_, str> {
    let letter = match (signature.family, of) {
        (Family::Gemini, _) => return Cow::Borrowed(&signature.data),
        (Family::Anthropic, Of::Shown) => b'a',
        (Family::Anthropic, Of::Redacted) => b'A',
        (Family::OpenAi, Of::Shown) => b'o',
        (Family::OpenAi, Of::Redacted) => b'O',
    };
    let mut bytes = Vec::with_capacity(FOREIGN.len() + 1 + signature.data.len());
    bytes.extend_from_slice(FOREIGN);
    bytes.push(letter);
    bytes.extend_from_slice(signature.data.as_bytes());
    Cow::Owned(STANDARD.encode(bytes))
}

/// A signature that a Gemini client gave back.
pub(super) fn read(data: String) -> (Signature, Of) {
    match foreign(&data) {
        Some(foreign) => foreign,
        None => (Signature { family: Family::Gemini, data }, Of::Shown),
    }
}

/// Whether a body holds a signature of another family.
pub(super) fn holds_foreign(body: &[u8]) -> bool {
    memmem::find(body, FOREIGN_BASE64.as_bytes()).is_some()
}

/// `body` with [`UNKNOWN`] in the place of each signature. None where nothing would change.
pub(super) fn unsigned(body: &[u8]) -> Option<Vec<u8>> {
    // Within a text the quotes would be escaped, so these are names of fields.
    let names: [&[u8]; 2] = [br#""thoughtSignature""#, br#""thought_signature""#];
    let mut places: Vec<(usize, usize)> = Vec::new();
    for name in names {
        places.extend(memmem::find_iter(body, name).filter_map(|at| value(body, at + name.len())));
    }
    places.retain(|&(start, end)| body.get(start..end) != Some(UNKNOWN.as_bytes()));
    if places.is_empty() {
        return None;
    }
    places.sort_unstable();
    let mut unsigned = Vec::with_capacity(body.len());
    let mut from = 0;
    for (start, end) in places {
        unsigned.extend_from_slice(&body[from..start]);
        unsigned.extend_from_slice(UNKNOWN.as_bytes());
        from = end;
    }
    unsigned.extend_from_slice(&body[from..]);
    Some(unsigned)
}

/// Where the value of the name that ends before `at` stands, without its quotes. Signatures are base64, which needs no
/// escapes.
fn value(body: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = body.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let start = body.len() - rest.len();
    Some((start, start + memchr::memchr(b'"', rest)?))
}

fn foreign(data: &str) -> Option<(Signature, Of)> {
    if !data.starts_with(FOREIGN_BASE64) {
        return None;
    }
    let bytes = STANDARD.decode(standard_base64(data.to_owned())).ok()?;
    let (letter, data) = bytes.get(FOREIGN.len()..)?.split_first()?;
    let (family, of) = match letter {
        b'a' => (Family::Anthropic, Of::Shown),
        b'A' => (Family::Anthropic, Of::Redacted),
        b'o' => (Family::OpenAi, Of::Shown),
        b'O' => (Family::OpenAi, Of::Redacted),
        _ => return None,
    };
    Some((Signature { family, data: String::from_utf8(data.to_vec()).ok()? }, of))
}
