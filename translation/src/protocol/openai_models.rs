//! The list of models of OpenAI's APIs (API reference, "Models").

use serde::Serialize;

use super::contract::ListedModel;

#[derive(Serialize)]
struct List<'m> {
    object: &'static str,
    data: Vec<Model<'m>>,
}

#[derive(Serialize)]
struct Model<'m> {
    id: &'m str,
    object: &'static str,
    /// When the vendor made it, which config does not say.
    created: i64,
    owned_by: &'m str,
}

fn written<'m>(model: &ListedModel<'m>) -> Model<'m> {
    Model { id: model.id, object: "model", created: 0, owned_by: model.owner }
}

/// Writes a list of models.
pub(super) fn list(models: &[ListedModel<'_>]) -> Vec<u8> {
    // Texts always serialise.
    serde_json::to_vec(&List { object: "list", data: models.iter().map(written).collect() }).unwrap_or_default()
}

/// Writes one model.
pub(super) fn one(model: &ListedModel<'_>) -> Vec<u8> {
    // Texts always serialise.
    serde_json::to_vec(&written(model)).unwrap_or_default()
}
