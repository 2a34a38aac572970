//! The list of models (API reference, "Models").

use serde::Serialize;

use crate::protocol::contract::ListedModel;

#[derive(Serialize)]
struct List<'m> {
    data: Vec<Model<'m>>,
    has_more: bool,
    first_id: Option<&'m str>,
    last_id: Option<&'m str>,
}

#[derive(Serialize)]
struct Model<'m> {
    r#type: &'static str,
    id: &'m str,
    display_name: &'m str,
    /// When the model was released, which config does not say.
    created_at: &'static str,
}

fn written<'m>(model: &ListedModel<'m>) -> Model<'m> {
    Model { r#type: "model", id: model.id, display_name: model.id, created_at: "1970-01-01T00:00:00Z" }
}

/// Writes a list of models, all on one page.
pub(super) fn list(models: &[ListedModel<'_>]) -> Vec<u8> {
    let (first_id, last_id) = (models.first().map(|model| model.id), models.last().map(|model| model.id));
    let data = models.iter().map(written).collect();
    // Texts always serialise.
    serde_json::to_vec(&List { data, has_more: false, first_id, last_id }).unwrap_or_default()
}

/// Writes one model.
pub(super) fn one(model: &ListedModel<'_>) -> Vec<u8> {
    // Texts always serialise.
    serde_json::to_vec(&written(model)).unwrap_or_default()
}
