//! What models are for, as far as their names tell.

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It chats, or nothing is known of it.
    Chat,
    /// It makes embeddings.
    Embeddings,
    /// It ranks documents.
    Reranking,
    /// It makes or reads images, sound or video, or judges texts.
    Other,
}

/// What stands anywhere in a name, or at the beginning of a part of it, and what the model is for. The first that fits
/// counts. Names are those of the vendors' model pages.
const NAMES: &[(Purpose, &[&str], &[&str])] = &[
    (Purpose::Reranking, &["rerank"], &[]),
    (Purpose::Embeddings, &["embed"], &["bge-", "e5-", "gte-", "voyage-"]),
    (
        Purpose::Other,
        &[
            "dall-e",
            "gpt-image",
            "imagen",
            "moderation",
            "realtime",
            "speech",
            "stable-diffusion",
            "transcri",
            "whisper",
        ],
        &["audio", "flux", "image", "lyria", "nova-canvas", "nova-reel", "ocr", "sora", "tts", "veo-"],
    ),
];

impl Purpose {
    /// What the model that its vendor calls `name` is for.
    pub fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let part_begins = |word: &str| {
            let mut found = name.match_indices(word).map(|(at, _)| at);
            found.any(|at| name[..at].chars().next_back().is_none_or(|before| "/.:-".contains(before)))
        };
        let fits = |(_, anywhere, beginning): &&(Self, &[&str], &[&str])| {
            anywhere.iter().any(|word| name.contains(word)) || beginning.iter().any(|word| part_begins(word))
        };
        NAMES.iter().find(fits).map_or(Self::Chat, |(purpose, ..)| *purpose)
    }
}

#[cfg(test)]
mod tests;
