//! The list of models (<https://ai.google.dev/api/models>).

use serde::Serialize;

use crate::protocol::contract::ListedModel;

#[derive(Serialize)]
struct List<'m> {
    models: Vec<Model<'m>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Model<'m> {
    name: String,
    display_name: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u64>,
    supported_generation_methods: [&'static str; 3],
}

fn written<'m>(model: &ListedModel<'m>) -> Model<'m> {
    Model {
        name: format!("models/{}", model.id),
        display_name: model.id,
        output_token_limit: model.output_limit,
        supported_generation_methods: ["generateContent", "streamGenerateContent", "countTokens"],
    }
}

/// Writes a list of models.
pub(super) fn list(models: &[ListedModel<'_>]) -> Vec<u8> {
    // Texts and numbers always serialise.
    serde_json::to_vec(&List { models: models.iter().map(written).collect() }).unwrap_or_default()
}

/// Writes one model.
pub(super) fn one(model: &ListedModel<'_>) -> Vec<u8> {
    // Texts and numbers always serialise.
    serde_json::to_vec(&written(model)).unwrap_or_default()
}
