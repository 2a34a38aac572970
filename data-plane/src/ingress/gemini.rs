//! Gemini's API (<https://ai.google.dev/api/generate-content>): the method stands behind the model's name in the path.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use translation::Format;

use super::endpoints::serve::{Wanted, serve};
use super::gateway::Gateway;
use super::{chat, query, unserved};
use crate::metrics::Api;
use crate::request::Spoken;
use crate::request::json::JsonEndpoint;

/// `POST /v1beta/models/{model}:{method}`, and the same below `/v1`.
pub(super) async fn call(
    State(gateway): State<Arc<Gateway>>,
    Path(resource): Path<String>,
    request: Request,
) -> Response {
    // The router has undone percent-encoding, so `%3A` is a colon here.
    let (model, method) = resource.rsplit_once(':').unwrap_or((&resource, ""));
    let model = model.to_owned();
    let spoken = |stream| Spoken { model: Some(model.clone()), stream: Some(stream), ..Spoken::default() };
    match method {
        "generateContent" => {
            chat::create(&gateway, request, Api::GeminiGenerate, Format::GeminiGenerate, spoken(false)).await
        }
        "streamGenerateContent" => {
            chat::create(&gateway, request, Api::GeminiGenerate, Format::GeminiGenerate, spoken(true)).await
        }
        "countTokens" => {
            let wanted = Wanted::Count(gemini_method(model, ":countTokens", request.uri().query()));
            serve(&gateway, request, Api::CountTokens, Format::GeminiGenerate, wanted).await
        }
        "embedContent" | "batchEmbedContents" => {
            let path = if method == "embedContent" { ":embedContent" } else { ":batchEmbedContents" };
            let wanted = Wanted::Embeddings(gemini_method(model, path, request.uri().query()));
            serve(&gateway, request, Api::Embeddings, Format::GeminiGenerate, wanted).await
        }
        _ => {
            let (parts, body) = request.into_parts();
            unserved::no_route(&gateway, &parts, body, Format::GeminiGenerate).await
        }
    }
}

/// The endpoint of a method of a model that is no chat.
fn gemini_method(model: String, path: &'static str, sent: Option<&str>) -> JsonEndpoint<'static> {
    JsonEndpoint {
        format: Format::GeminiGenerate,
        path: path.into(),
        query: query::without_key(sent),
        model: Some(model),
        default_model: None,
    }
}
