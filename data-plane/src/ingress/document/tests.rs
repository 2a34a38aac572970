//! Makes the document from one table, and holds it against the routes that are served.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body as HttpBody;
use http::{Method, Request};
use serde_json::{Map, Value, json};
use shared::telemetry::Metrics;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::ingress::{Gateway, only_router};
use crate::limits::RequestLimits;
use crate::node::Node;
use crate::route::current::ConfigState;
use crate::usage::{UsageMetrics, UsageSink};

/// Set to write the document instead of comparing with it.
const UPDATE: &str = "UPDATE_OPENAPI";

/// What a request carries.
enum Sent {
    Nothing,
    Json(&'static str),
    /// A multipart body with these fields, of which `file` and `image` are files.
    Form(&'static [&'static str]),
}

struct Operation(Method, &'static str, &'static str, &'static str, &'static str, Sent);

const CHAT: &str = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}"#;
const RESPONSE: &str = r#"{"model": "gpt-4o", "input": "Hello"}"#;
const MESSAGE: &str =
    r#"{"model": "claude-sonnet-4-5", "max_tokens": 256, "messages": [{"role": "user", "content": "Hello"}]}"#;
const COUNTED: &str = r#"{"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "Hello"}]}"#;
const CONTENTS: &str = r#"{"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}"#;
const EMBEDDED: &str = r#"{"content": {"parts": [{"text": "Hello"}]}}"#;
const BATCH_EMBEDDED: &str =
    r#"{"requests": [{"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "Hello"}]}}]}"#;

/// All operations: method, path, tag, id, summary, body.
fn operations() -> Vec<Operation> {
    use Sent::{Form, Json, Nothing};
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    let mut all = vec![
        Operation(
            post.clone(),
            "/v1/chat/completions",
            "OpenAI",
            "createChatCompletion",
            "Chat completions",
            Json(CHAT),
        ),
        Operation(post.clone(), "/v1/responses", "OpenAI", "createResponse", "Responses", Json(RESPONSE)),
        Operation(get.clone(), "/v1/responses/{id}", "OpenAI", "readResponse", "A response that is kept", Nothing),
        Operation(delete.clone(), "/v1/responses/{id}", "OpenAI", "deleteResponse", "Forget a response", Nothing),
        Operation(post.clone(), "/v1/responses/{id}/cancel", "OpenAI", "cancelResponse", "Cancel a response", Nothing),
        Operation(
            get.clone(),
            "/v1/responses/{id}/input_items",
            "OpenAI",
            "listInputItems",
            "What a response answers",
            Nothing,
        ),
        Operation(
            post.clone(),
            "/v1/responses/input_tokens",
            "OpenAI",
            "countInputTokens",
            "Count tokens",
            Json(RESPONSE),
        ),
        Operation(
            post.clone(),
            "/v1/responses/compact",
            "OpenAI",
            "compactResponse",
            "Compact a conversation",
            Json(RESPONSE),
        ),
        Operation(
            post.clone(),
            "/v1/completions",
            "OpenAI",
            "createCompletion",
            "Completions of a text",
            Json(r#"{"model": "gpt-3.5-turbo-instruct", "prompt": "Hello"}"#),
        ),
        Operation(
            post.clone(),
            "/v1/embeddings",
            "OpenAI",
            "createEmbedding",
            "Embeddings",
            Json(r#"{"model": "text-embedding-3-small", "input": "Hello"}"#),
        ),
        Operation(
            post.clone(),
            "/v1/moderations",
            "OpenAI",
            "createModeration",
            "Moderations",
            Json(r#"{"input": "Hello"}"#),
        ),
        Operation(
            post.clone(),
            "/v1/rerank",
            "OpenAI",
            "createRerank",
            "Rank documents",
            Json(r#"{"model": "rerank-v3.5", "query": "Hello", "documents": ["Hello", "Goodbye"]}"#),
        ),
        Operation(
            post.clone(),
            "/v1/images/generations",
            "OpenAI",
            "createImage",
            "Make an image",
            Json(r#"{"model": "gpt-image-1", "prompt": "A red square"}"#),
        ),
        Operation(
            post.clone(),
            "/v1/images/edits",
            "OpenAI",
            "editImage",
            "Edit an image",
            Form(&["model", "prompt", "image"]),
        ),
        Operation(
            post.clone(),
            "/v1/images/variations",
            "OpenAI",
            "varyImage",
            "Vary an image",
            Form(&["model", "image"]),
        ),
        Operation(
            post.clone(),
            "/v1/audio/speech",
            "OpenAI",
            "createSpeech",
            "Speak a text",
            Json(r#"{"model": "gpt-4o-mini-tts", "input": "Hello", "voice": "alloy"}"#),
        ),
        Operation(
            post.clone(),
            "/v1/audio/transcriptions",
            "OpenAI",
            "transcribe",
            "Write down speech",
            Form(&["model", "file"]),
        ),
        Operation(
            post.clone(),
            "/v1/audio/translations",
            "OpenAI",
            "translateSpeech",
            "Translate speech",
            Form(&["model", "file"]),
        ),
        Operation(get.clone(), "/v1/files", "OpenAI", "listFiles", "Files of the first group", Nothing),
        Operation(post.clone(), "/v1/files", "OpenAI", "createFile", "Upload a file", Form(&["purpose", "file"])),
        Operation(get.clone(), "/v1/files/{id}", "OpenAI", "readFile", "A file", Nothing),
        Operation(delete, "/v1/files/{id}", "OpenAI", "deleteFile", "Delete a file", Nothing),
        Operation(get.clone(), "/v1/files/{id}/content", "OpenAI", "readFileContent", "What a file holds", Nothing),
        Operation(get.clone(), "/v1/batches", "OpenAI", "listBatches", "Batches of the first group", Nothing),
        Operation(
            post.clone(),
            "/v1/batches",
            "OpenAI",
            "createBatch",
            "Make a batch where its file is",
            Json(r#"{"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}"#),
        ),
        Operation(get.clone(), "/v1/batches/{id}", "OpenAI", "readBatch", "A batch", Nothing),
        Operation(post.clone(), "/v1/batches/{id}/cancel", "OpenAI", "cancelBatch", "Cancel a batch", Nothing),
        Operation(
            get.clone(),
            "/v1/models",
            "models",
            "listModels",
            "Models, in the shape of the client's API",
            Nothing,
        ),
        Operation(
            get.clone(),
            "/v1/models/{id}",
            "models",
            "readModel",
            "A model, in the shape of the client's API",
            Nothing,
        ),
        Operation(get.clone(), "/v1beta/models", "models", "listGeminiModels", "Models, in Gemini's shape", Nothing),
        Operation(
            get.clone(),
            "/v1beta/models/{id}",
            "models",
            "readGeminiModel",
            "A model, in Gemini's shape",
            Nothing,
        ),
        Operation(
            get.clone(),
            "/claude/v1/models",
            "models",
            "listClaudeModels",
            "Models, in Anthropic's shape",
            Nothing,
        ),
        Operation(
            get.clone(),
            "/claude/v1/models/{id}",
            "models",
            "readClaudeModel",
            "A model, in Anthropic's shape",
            Nothing,
        ),
    ];
    for (base, suffix) in [("/v1", ""), ("/claude/v1", "BelowClaude")] {
        let path = |end: &str| -> &'static str { format!("{base}{end}").leak() };
        let id = |name: &str| -> &'static str { format!("{name}{suffix}").leak() };
        let (messages, count) = (path("/messages"), path("/messages/count_tokens"));
        all.push(Operation(post.clone(), messages, "Anthropic", id("createMessage"), "Messages", Json(MESSAGE)));
        all.push(Operation(post.clone(), count, "Anthropic", id("countTokens"), "Count tokens", Json(COUNTED)));
    }
    for (base, suffix) in [("/v1beta", ""), ("/v1", "V1")] {
        for (method, summary, body) in [
            ("generateContent", "Generated content", CONTENTS),
            ("streamGenerateContent", "Generated content, as a stream", CONTENTS),
            ("countTokens", "Count tokens", CONTENTS),
            ("embedContent", "An embedding", EMBEDDED),
            ("batchEmbedContents", "Embeddings", BATCH_EMBEDDED),
        ] {
            let path = format!("{base}/models/{{model}}:{method}").leak();
            let id = format!("{method}{suffix}").leak();
            all.push(Operation(post.clone(), path, "Gemini", id, summary, Json(body)));
        }
    }
    for (path, id, summary) in [
        ("/health", "health", "Whether the process runs"),
        ("/health/live", "liveness", "Whether the process runs"),
        ("/health/ready", "readiness", "Whether the node may get requests, and what it waits for"),
    ] {
        all.push(Operation(get.clone(), path, "health", id, summary, Nothing));
    }
    all
}

fn error(tag: &str) -> Value {
    let message = "no API key was sent: put a proxy key of this gateway into the header 'Authorization: Bearer'";
    match tag {
        "Anthropic" => {
            json!({"type": "error", "error": {"type": "authentication_error", "message": message}, "request_id": "0190"})
        }
        "Gemini" => json!({"error": {"code": 401, "message": message, "status": "UNAUTHENTICATED"}}),
        _ => {
            json!({"error": {"message": message, "type": "authentication_error", "param": null, "code": "invalid_api_key"}})
        }
    }
}

fn described(operation: &Operation) -> Value {
    let Operation(_, path, tag, id, summary, sent) = operation;
    let mut described = json!({"tags": [tag], "operationId": id, "summary": summary});
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let parameters: Vec<_> =
        names.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})).collect();
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    match sent {
        Sent::Nothing => {}
        Sent::Json(example) => {
            let example: Value = serde_json::from_str(example).unwrap();
            described["requestBody"] = json!({"required": true, "content": {"application/json": {
                "schema": {"type": "object", "additionalProperties": true}, "example": example}}});
        }
        Sent::Form(fields) => {
            let property = |name: &&str| {
                let file = matches!(*name, "file" | "image");
                let schema =
                    if file { json!({"type": "string", "format": "binary"}) } else { json!({"type": "string"}) };
                ((*name).to_owned(), schema)
            };
            let properties: Map<_, _> = fields.iter().map(property).collect();
            described["requestBody"] = json!({"required": true, "content": {"multipart/form-data": {
                "schema": {"type": "object", "properties": properties, "required": fields}}}});
        }
    }
    if *tag == "health" {
        described["security"] = json!([]);
        described["responses"] = json!({"200": {"description": "It does"}});
        if *id == "readiness" {
            described["responses"]["503"] = json!({"description": "Not yet, or no more"});
        }
        return described;
    }
    let answers = |description: &str| json!({"description": description, "content": {"application/json": {"schema": {"type": "object"}}}});
    described["responses"] = json!({"200": answers("What the provider answers, in the format of this API")});
    let mut refused = answers("The key is missing, unknown, disabled or expired");
    refused["content"]["application/json"]["example"] = error(tag);
    described["responses"]["401"] = refused;
    described["responses"]["default"] = answers("An error, in the shape of this API");
    described
}

fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations() {
        let item = paths.entry(operation.1).or_insert_with(|| json!({}));
        item[operation.0.as_str().to_ascii_lowercase()] = described(&operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Orchestration API for applications",
            "description": "The APIs of OpenAI, Anthropic and Gemini, as their own SDKs speak them, and the probes. A proxy \
                            key of the gateway stands where the vendor's key would. Bodies are those of the vendors' \
                            references; fields that are not known are passed on.",
            "license": {"name": "MIT", "identifier": "MIT"},
            "version": env!("CARGO_PKG_VERSION"),
        },
        "tags": [
            {"name": "OpenAI", "description": "https://platform.openai.com/docs/api-reference; the base URL ends in /v1"},
            {"name": "Anthropic", "description": "https://docs.claude.com/en/api; the base URL has no version"},
            {"name": "Gemini", "description": "https://ai.google.dev/api; the base URL has no version"},
            {"name": "models", "description": "What the proxy key may ask for"},
            {"name": "health", "description": "Probes"},
        ],
        "paths": paths,
        "components": {"securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "xApiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            "xGoogApiKey": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
            "key": {"type": "apiKey", "in": "query", "name": "key"},
        }},
        "security": [{"bearer": []}, {"xApiKey": []}, {"xGoogApiKey": []}, {"key": []}],
    })
}

/// The document is the one that is served. `UPDATE_OPENAPI=1 cargo test --workspace --lib openapi` writes it anew.
#[test]
fn the_openapi_document_for_clients_is_the_one_that_the_table_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi-client.json");
    let made = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "{} differs: {UPDATE}=1 writes it anew", path.display());
}

/// A path of the document as a client asks for it.
fn sample(path: &str) -> String {
    path.replace("{id}", "x").replace("{model}", "m")
}

/// Every operation is served, and no other method of its path is.
#[tokio::test]
async fn the_openapi_document_for_clients_names_what_is_served() {
    let (sink, _records) = UsageSink::channel(1000, &UsageMetrics::default());
    let (sender, _key_states) = mpsc::channel(10);
    let (node, limits) = (Arc::new(Node::new("n")), RequestLimits::default());
    let gateway = Gateway::new(ConfigState::default(), sink, node, limits, sender, &Metrics::new()).unwrap();
    let router = only_router(gateway, None);
    let operations: Vec<_> = operations().into_iter().filter(|operation| operation.2 != "health").collect();
    for Operation(_, path, ..) in &operations {
        let mut served = Vec::new();
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::PATCH] {
            let request = Request::builder().method(&method).uri(sample(path)).body(HttpBody::empty()).unwrap();
            let status = router.clone().oneshot(request).await.unwrap().status().as_u16();
            if !matches!(status, 404 | 405) {
                served.push(method);
            }
        }
        for Operation(method, ..) in operations.iter().filter(|operation| operation.1 == *path) {
            assert!(served.contains(method), "{method} {path} is documented and not served");
        }
        // Below `/v1/responses` any id may follow; `/v1/models/x:method` shares its route with `/v1/models/x`.
        let shared = path.starts_with("/v1/responses/") || path.contains("/models/");
        let documented = |method: &&Method| operations.iter().any(|other| other.0 == **method && other.1 == *path);
        assert!(shared || served.iter().all(|method| documented(&method)), "{path}: {served:?} are served");
    }
}

/// Every route that stands in the code is documented.
#[test]
fn the_openapi_document_for_clients_leaves_no_route_out() {
    let code = [include_str!("../mod.rs"), include_str!("../endpoints/mod.rs")].concat();
    let documented: Vec<String> = operations().iter().map(|operation| sample(operation.1)).collect();
    let mut routes = 0;
    for route in code.split(".route(\"").skip(1) {
        let (path, handler) = route.split_once("\",").unwrap();
        let handler = handler.split('\n').next().unwrap();
        if handler.contains("any(unknown)") || handler.contains("any(elsewhere)") {
            continue;
        }
        routes += 1;
        let sampled = path.replace("{*id}", "x").replace("{*rest}", "x").replace("{id}", "x");
        assert!(documented.contains(&sampled), "{path} is served and not documented");
    }
    assert!(routes > 20, "{routes}");
}
