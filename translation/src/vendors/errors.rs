//! What an error answer says beside the document in its body, which its format reads.

/// How the error answers of a vendor are read.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRules {
    /// The header that holds a pause in milliseconds, which counts before `Retry-After`.
    pub pause_ms: &'static str,
    /// The beginning of the headers that end in `-reset` and hold the time (RFC 3339) at which a window is open again.
    /// The last of these times counts where no pause is given.
    pub resets: &'static str,
    /// Statuses below 500 by which a provider says that what stands behind it has failed.
    pub failures: &'static [u16],
    /// Words in the refusal of a key which is good, and may not do what was asked.
    pub rights: &'static [&'static str],
}

impl ErrorRules {
    /// The rules of every vendor so far. Many stand in front of others and pass on what those say, so what one vendor
    /// has is looked for at all.
    pub const USUAL: Self = Self {
        // OpenAI and Azure.
        pause_ms: "retry-after-ms",
        // Anthropic.
        resets: "anthropic-ratelimit-",
        // Bedrock, of the model.
        failures: &[424],
        // OpenAI, of a key that is limited to some endpoints: "insufficient permissions", "missing scopes".
        rights: &["permission", "scope"],
    };
}
