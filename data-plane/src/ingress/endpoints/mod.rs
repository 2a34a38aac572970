//! The endpoints beside chat: older completions, embeddings, moderations, images, sound, reranking, counting tokens,
//! and what providers keep: files, batches, responses.
//!
//! - [`mod@serve`]: what they have in common, from the front that every request passes to the answer; `reply` is what
//!   the client gets.
//! - `json`: passes on a JSON body that names a model.
//! - `count`: counts tokens, and estimates them where no provider of the client's format serves the model.
//! - `embeddings`: translates between OpenAI's embeddings and Gemini's.
//! - `upload`: passes on a multipart body without holding it.
//! - `objects`: files, batches and responses, passed to the account that has them.

mod count;
mod embeddings;
mod json;
mod objects;
mod reply;
pub(super) mod serve;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use translation::Format;

use super::gateway::Gateway;
use super::query::without_key;
use super::sticky;
use super::unserved::{no_route, only_get, only_post, wrong_method};
use crate::metrics::Api;
use crate::request::json::JsonEndpoint;
use crate::request::upload::Destination;
use serve::{Wanted, serve};

/// The model that OpenAI moderates with where the request names none (API reference, "Create moderation").
const MODERATION: &str = "omni-moderation-latest";

/// The model that OpenAI draws with where the request names none (API reference, "Create image").
const IMAGES: &str = "dall-e-2";

type Routes = Router<Arc<Gateway>>;

/// The routes of all endpoints but Gemini's, whose methods stand behind the model's name.
pub(super) fn routes() -> Routes {
    Router::new()
        .route("/v1/completions", json(Api::Completions, "/completions", None))
        .route("/v1/embeddings", post(openai_embeddings).fallback(only_post))
        .route("/v1/moderations", json(Api::Moderations, "/moderations", Some(MODERATION)))
        .route("/v1/rerank", json(Api::Rerank, "/rerank", None))
        .route("/v1/images/generations", json(Api::Images, "/images/generations", Some(IMAGES)))
        .route("/v1/images/edits", multipart(Api::Images, "/images/edits", Some(IMAGES)))
        .route("/v1/images/variations", multipart(Api::Images, "/images/variations", Some(IMAGES)))
        .route("/v1/audio/speech", json(Api::Audio, "/audio/speech", None))
        .route("/v1/audio/transcriptions", multipart(Api::Audio, "/audio/transcriptions", None))
        .route("/v1/audio/translations", multipart(Api::Audio, "/audio/translations", None))
        .route("/v1/files", get(list_files).post(create_file).fallback(only_get_or_post))
        .route("/v1/files/{id}", get(file).delete(file).fallback(only_get_or_delete))
        .route("/v1/files/{id}/content", get(file).fallback(only_get))
        .route("/v1/batches", get(list_batches).post(create_batch).fallback(only_get_or_post))
        .route("/v1/batches/{id}", get(batch).fallback(only_get))
        .route("/v1/batches/{id}/cancel", post(batch).fallback(only_post))
        .route("/v1/responses/{*rest}", get(response).post(response).delete(response).fallback(only_get_post_or_delete))
        .route("/v1/messages/count_tokens", post(anthropic_count).fallback(only_post))
        .route("/claude/v1/messages/count_tokens", post(anthropic_count).fallback(only_post))
}

/// Serves a JSON endpoint of OpenAI's API.
fn json(api: Api, path: &'static str, default_model: Option<&'static str>) -> MethodRouter<Arc<Gateway>> {
    post(async move |State(gateway): State<Arc<Gateway>>, request: Request| {
        let wanted = Wanted::Json(asked(Format::OpenAiChat, path, &request, default_model));
        serve(&gateway, request, api, Format::OpenAiChat, wanted).await
    })
    .fallback(only_post)
}

/// Serves a multipart endpoint of OpenAI's API.
fn multipart(api: Api, path: &'static str, default_model: Option<&'static str>) -> MethodRouter<Arc<Gateway>> {
    post(async move |State(gateway): State<Arc<Gateway>>, request: Request| {
        let query = without_key(request.uri().query());
        let wanted = Wanted::Upload(Destination { path, query, has_model: true, default_model });
        serve(&gateway, request, api, Format::OpenAiChat, wanted).await
    })
    .fallback(only_post)
}

fn asked(
    format: Format,
    path: &'static str,
    request: &Request,
    default_model: Option<&'static str>,
) -> JsonEndpoint<'static> {
    JsonEndpoint { format, path: path.into(), query: without_key(request.uri().query()), model: None, default_model }
}

async fn openai_embeddings(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let wanted = Wanted::Embeddings(asked(Format::OpenAiChat, "/embeddings", &request, None));
    serve(&gateway, request, Api::Embeddings, Format::OpenAiChat, wanted).await
}

async fn anthropic_count(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let wanted = Wanted::Count(asked(Format::AnthropicMessages, "/messages/count_tokens", &request, None));
    serve(&gateway, request, Api::CountTokens, Format::AnthropicMessages, wanted).await
}

async fn list_files(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, request, Api::Files, Format::OpenAiChat, Wanted::Collection).await
}

async fn create_file(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let query = without_key(request.uri().query());
    let wanted = Wanted::Upload(Destination { path: "/files", query, has_model: false, default_model: None });
    serve(&gateway, request, Api::Files, Format::OpenAiChat, wanted).await
}

async fn file(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, request, Api::Files, Format::OpenAiChat, Wanted::Object).await
}

async fn list_batches(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, request, Api::Batches, Format::OpenAiChat, Wanted::Collection).await
}

async fn create_batch(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, request, Api::Batches, Format::OpenAiChat, Wanted::NewBatch).await
}

async fn batch(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    serve(&gateway, request, Api::Batches, Format::OpenAiChat, Wanted::Object).await
}

/// Serves what stands below `/v1/responses`: the responses that a provider keeps, and what can be done with a request
/// beside answering it (`compact`, `input_tokens`), which names a model.
async fn response(State(gateway): State<Arc<Gateway>>, Path(rest): Path<String>, request: Request) -> Response {
    let format = Format::OpenAiResponses;
    let wanted = match (request.method(), rest.as_str()) {
        (&http::Method::POST, "input_tokens") => {
            Wanted::Count(asked(format, "/responses/input_tokens", &request, None))
        }
        (&http::Method::POST, _) if !rest.contains('/') => {
            let path = request.uri().path().strip_prefix("/v1").unwrap_or_default().to_owned();
            if !sticky::is_id(rest.as_str()) {
                let (parts, body) = request.into_parts();
                return no_route(&gateway, &parts, body, format).await;
            }
            let query = without_key(request.uri().query());
            Wanted::Json(JsonEndpoint { format, path: path.into(), query, model: None, default_model: None })
        }
        _ => Wanted::Object,
    };
    serve(&gateway, request, Api::OpenAiResponses, format, wanted).await
}

async fn only_get_or_post(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    wrong_method(&gateway, request, "GET, HEAD, POST").await
}

async fn only_get_or_delete(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    wrong_method(&gateway, request, "GET, HEAD, DELETE").await
}

async fn only_get_post_or_delete(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    wrong_method(&gateway, request, "GET, HEAD, POST, DELETE").await
}

#[cfg(test)]
mod tests;
