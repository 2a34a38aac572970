//! What signs a model's thoughts.

use crate::format::Family;
use crate::ir::Signature;

/// Reasoning of OpenAI's models begins so, in base64 (`rsn_`). It carries an id of Bedrock's own that opens it nowhere
/// else.
const OPENAIS: &str = "cnNuX";

/// A thought that cannot be read, in the manner in which it has to be given back. Only that of Claude is of use to
/// anybody.
pub(super) fn redacted(content: String) -> Option<Signature> {
    (!content.is_empty() && !content.starts_with(OPENAIS)).then(|| signature(content))
}

/// A signature. Only Claude signs its thoughts.
pub(super) fn signature(data: String) -> Signature {
    Signature { family: Family::Anthropic, data }
}
