//! Finds the API and the vendor of a path.
//!
//! The end of a path decides, because OpenAI-compatible vendors put their paths under bases of their own.

use hyper::Method;
use hyper::http::request::Parts;

use crate::anthropic::{count, messages, models as anthropic_models};
use crate::call::{Api, Reads};
use crate::gemini::{embed, generate, models as gemini_models};
use crate::openai::{
    audio, batches, chat, completions, embeddings, files, images, models, moderations, rerank, responses,
};
use crate::vendor::{Vendor, decoded, query_value};

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) vendor: Vendor,
    /// The API, or nothing if there is no such path.
    pub(crate) api: Option<Api>,
    pub(crate) reads: Reads,
    /// The id of the thing that the path names.
    pub(crate) id: String,
    /// The model, if the path names it.
    pub(crate) model: Option<String>,
}

/// Finds the API of a request.
pub(crate) fn find(parts: &Parts) -> Route {
    let path = parts.uri.path();
    let vendor = vendor(parts);
    let mut route = Route { vendor, api: None, reads: Reads::Nothing, id: String::new(), model: None };
    if let Some((_, deployment)) = path.split_once("/openai/deployments/") {
        // Azure requires an api-version. Without it the gateway in front of the models knows no such resource.
        if query_value(parts.uri.query().unwrap_or_default(), "api-version").is_none() {
            return route;
        }
        route.model = deployment.split('/').next().map(decoded);
    }
    let known = if vendor == Vendor::Gemini {
        gemini(&parts.method, path, &mut route)
    } else if let Some((_, id)) = path.rsplit_once("/models/").filter(|_| parts.method == Method::GET) {
        // Ids may contain slashes.
        route.id = decoded(id);
        Some((if vendor == Vendor::Anthropic { anthropic_models::get as Api } else { models::get }, Reads::Nothing))
    } else {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        by_segments(&parts.method, &segments, &mut route)
    };
    if let Some((api, reads)) = known {
        route.api = Some(api);
        route.reads = reads;
    }
    route
}

fn vendor(parts: &Parts) -> Vendor {
    let path = parts.uri.path();
    let has = |name: &str| parts.headers.contains_key(name);
    let verb = path.rsplit_once("/models/").is_some_and(|(_, rest)| rest.contains(':') || rest.contains("%3A"));
    let gemini_key = || has("x-goog-api-key") || query_value(parts.uri.query().unwrap_or_default(), "key").is_some();
    if path.contains("/openai/deployments/") || (path.starts_with("/openai/") && has("api-key")) {
        Vendor::Azure
    } else if path.ends_with("/messages") || path.ends_with("/messages/count_tokens") || has("anthropic-version") {
        Vendor::Anthropic
    } else if path.starts_with("/v1beta/") && !path.contains("/openai/")
        || (verb && parts.method == Method::POST)
        || (path.starts_with("/v1/models") && gemini_key())
    {
        Vendor::Gemini
    } else {
        Vendor::OpenAi
    }
}

fn gemini(method: &Method, path: &str, route: &mut Route) -> Option<(Api, Reads)> {
    if *method == Method::GET && path.ends_with("/models") {
        return Some((gemini_models::list, Reads::Nothing));
    }
    let (_, rest) = path.rsplit_once("/models/")?;
    let rest = decoded(rest);
    if *method == Method::GET {
        route.id = rest;
        return Some((gemini_models::get, Reads::Nothing));
    }
    let (model, verb) = rest.split_once(':')?;
    route.model = Some(model.to_owned());
    let api: Api = match verb {
        "generateContent" => generate::whole,
        "streamGenerateContent" => generate::streamed,
        "countTokens" => generate::count,
        "embedContent" => embed::one,
        "batchEmbedContents" => embed::batch,
        _ => return None,
    };
    (*method == Method::POST).then_some((api, Reads::Json))
}

fn by_segments(method: &Method, segments: &[&str], route: &mut Route) -> Option<(Api, Reads)> {
    let mut named = |id: &str, api: Api| {
        route.id = decoded(id);
        Some((api, Reads::Nothing))
    };
    match (method.as_str(), segments) {
        ("POST", [.., "chat", "completions"]) => Some((chat::complete, Reads::Chat)),
        ("POST", [.., "completions"]) => Some((completions::complete, Reads::Json)),
        ("POST", [.., "messages"]) => Some((messages::create, Reads::Json)),
        ("POST", [.., "messages", "count_tokens"]) => Some((count::tokens, Reads::Json)),
        ("POST", [.., "responses"]) => Some((responses::create, Reads::Json)),
        ("POST", [.., "responses", "compact"]) => Some((responses::compact, Reads::Json)),
        ("POST", [.., "responses", "input_tokens"]) => Some((responses::input_tokens, Reads::Json)),
        ("POST", [.., "responses", id, "cancel"]) => named(id, responses::cancel),
        ("GET", [.., "responses", id, "input_items"]) => named(id, responses::input_items),
        ("GET", [.., "responses", id]) => named(id, responses::get),
        ("DELETE", [.., "responses", id]) => named(id, responses::delete),
        ("POST", [.., "embeddings"]) => Some((embeddings::create, Reads::Json)),
        ("POST", [.., "moderations"]) => Some((moderations::create, Reads::Json)),
        ("POST", [.., "rerank"]) => Some((rerank::create, Reads::Json)),
        ("POST", [.., "images", "generations"]) => Some((images::generate, Reads::Json)),
        ("POST", [.., "images", "edits" | "variations"]) => Some((images::edit, Reads::Form)),
        ("POST", [.., "audio", "speech"]) => Some((audio::speech, Reads::Json)),
        ("POST", [.., "audio", "transcriptions"]) => Some((audio::transcribe, Reads::Form)),
        ("POST", [.., "audio", "translations"]) => Some((audio::translate, Reads::Form)),
        ("POST", [.., "files"]) => Some((files::upload, Reads::Form)),
        ("GET", [.., "files"]) => Some((files::list, Reads::Nothing)),
        ("GET", [.., "files", id, "content"]) => named(id, files::content),
        ("GET", [.., "files", id]) => named(id, files::get),
        ("DELETE", [.., "files", id]) => named(id, files::delete),
        ("POST", [.., "batches"]) => Some((batches::create, Reads::Json)),
        ("GET", [.., "batches"]) => Some((batches::list, Reads::Nothing)),
        ("POST", [.., "batches", id, "cancel"]) => named(id, batches::cancel),
        ("GET", [.., "batches", id]) => named(id, batches::get),
        ("GET", [.., "models"]) if route.vendor == Vendor::Anthropic => Some((anthropic_models::list, Reads::Nothing)),
        ("GET", [.., "models"]) => Some((models::list, Reads::Nothing)),
        _ => None,
    }
}
