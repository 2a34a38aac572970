//! What signs a model's thoughts.

use crate::format::Family;
use crate::ir::Signature;

/// How the reasoning of OpenAI's models begins in base64 (`rsn_`). It carries an id of Bedrock's own, which is of no
/// use elsewhere.
const OPENAIS: &str = "cnNuX";

/// The signature that stands for a thought that cannot be read. Only a thought of Claude's is of use to a client.
pub(super) fn redacted(content: String) -> Option<Signature> {
    (!content.is_empty() && !content.starts_with(OPENAIS)).then(|| signature(content))
}

/// A signature of a thought. Only Claude signs its thoughts.
pub(super) fn signature(data: String) -> Signature {
    Signature { family: Family::Anthropic, data }
}
