use super::Purpose;

#[test]
fn names_tell_what_models_are_for_and_what_is_unheard_of_chats() {
    for (purpose, names) in [
        (
            Purpose::Embeddings,
            &[
                "text-embedding-3-small",
                "models/gemini-embedding-001",
                "amazon.titan-embed-text-v2:0",
                "cohere.embed-english-v3",
                "BAAI/bge-m3",
                "intfloat/multilingual-e5-large",
                "voyage-3-large",
                "mistral-embed",
            ][..],
        ),
        (Purpose::Reranking, &["rerank-v3.5", "BAAI/bge-reranker-v2-m3", "cohere.rerank-v3-5:0"]),
        (
            Purpose::Other,
            &[
                "dall-e-3",
                "gpt-image-1",
                "gemini-2.5-flash-image",
                "imagen-4.0-generate-001",
                "veo-3.0-generate-001",
                "sora-2",
                "whisper-1",
                "gpt-4o-transcribe",
                "gpt-4o-mini-tts",
                "tts-1-hd",
                "gpt-4o-audio-preview",
                "gpt-realtime",
                "omni-moderation-latest",
                "black-forest-labs/flux-1.1-pro",
                "amazon.nova-canvas-v1:0",
            ],
        ),
        (
            Purpose::Chat,
            &[
                "gpt-4o",
                "o3",
                "claude-opus-4-1",
                "gemini-2.5-pro",
                "amazon.nova-pro-v1:0",
                "deepseek-chat",
                "llama-3.3-70b-versatile",
                "grok-4",
                "qwen3-235b",
                "my-model",
                "",
            ],
        ),
    ] {
        for name in names {
            assert_eq!(Purpose::of(name), purpose, "{name}");
        }
    }
}
