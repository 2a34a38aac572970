//! The OpenAPI 3.1 document, made from the handlers, and Swagger UI to read it with. `examples` fills in what its error
//! answers look like.

mod examples;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document, SecurityRequirement};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, Url};

use crate::auth::COOKIE;
use crate::error::ApiError;
use crate::state::AppState;
use crate::web::problem::Problem;

/// The path of the document.
pub const DOCUMENT: &str = "/openapi.json";

/// The path of the document of the APIs that clients speak, which data planes serve too.
const CLIENT_DOCUMENT: &str = "/openapi-client.json";

const CLIENT_DOCUMENT_TEXT: &str = include_str!("../../../data-plane/openapi-client.json");

/// The content security policy of Swagger UI. It allows what the page needs and no more: its own scripts and styles,
/// the inline styles that it sets, and the images in them.
const SWAGGER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                              font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Orchestration API",
        description = "Admin API of the gateway.\n\nNames are camelCase in answers; snake_case is taken too. Times are epoch \
                       milliseconds. Secrets go in and never come out: a read shows a mask, and a write with the mask keeps \
                       the secret. Errors are problem documents (RFC 9457) that name every bad field at once. What applications call is in \
                       a document of its own: [`/openapi-client.json`](/openapi-client.json).",
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "auth", description = "Log in and out"),
        (name = "groups", description = "Provider accounts and pools"),
        (name = "proxy keys", description = "What clients authenticate with"),
        (name = "logs", description = "Usage records"),
        (name = "health checks", description = "What checks of providers, keys and models came to"),
        (name = "nodes", description = "Data planes"),
        (name = "audit", description = "Who changed what"),
        (name = "status", description = "The control plane itself"),
    ),
    components(schemas(Problem)),
    modifiers(&Credentials),
)]
struct Base;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut Document) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE)));
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("cookie", cookie);
        let none: [&str; 0] = [];
        document.security =
            Some(vec![SecurityRequirement::new("bearer", none), SecurityRequirement::new("cookie", none)]);
    }
}

/// All documented routes, and the document.
pub(crate) fn documented() -> (Router<AppState>, Document) {
    let router = OpenApiRouter::with_openapi(Base::openapi()).merge(crate::auth::router()).merge(super::router());
    let (router, mut document) = router.split_for_parts();
    examples::fill(&mut document);
    (router, document)
}

/// `/openapi.json`, `/openapi-client.json` and `/swagger`, which shows both.
pub(crate) fn router(document: &Document) -> Router<AppState> {
    let json: Arc<str> = document.to_json().unwrap_or_default().into();
    let documents = [Url::with_primary("admin", DOCUMENT, true), Url::new("clients", CLIENT_DOCUMENT)];
    let config = Arc::new(Config::new(documents));
    let page = move |path: String| {
        let config = Arc::clone(&config);
        async move { file(&path, config) }
    };
    let index = page.clone();
    Router::new()
        .route(DOCUMENT, get(move || async move { ([(header::CONTENT_TYPE, "application/json")], json.to_string()) }))
        .route(CLIENT_DOCUMENT, get(|| async { ([(header::CONTENT_TYPE, "application/json")], CLIENT_DOCUMENT_TEXT) }))
        .route("/swagger", get(|| async { Redirect::permanent("/swagger/") }))
        .route("/swagger/", get(move || index("index.html".to_owned())))
        .route("/swagger/{*path}", get(move |Path(path): Path<String>| page(path)))
}

fn file(path: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(path, config) {
        Ok(Some(file)) => {
            let mut response =
                ([(header::CONTENT_TYPE, file.content_type.as_str())], file.bytes.into_owned()).into_response();
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SWAGGER_POLICY));
            if file.gzpipped {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        }
        Ok(None) => ApiError::NotFound("the page was").into_response(),
        Err(error) => ApiError::Internal(format!("Swagger UI: {error}")).into_response(),
    }
}

#[cfg(test)]
mod tests;
