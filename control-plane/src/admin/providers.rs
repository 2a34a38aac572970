//! `GET /admin/providers`: the vendors that a group can name in `providerType`.

use axum::Json;
use serde::Serialize;
use translation::Format;
use translation::vendors::{self, Vendor};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{Permitted, ReadProviders};
use crate::state::AppState;
use crate::web::responses::ReadProblems;

/// All vendors, on one page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderList {
    /// The vendors.
    pub items: Vec<ProviderView>,
    /// Always null: there is one page.
    pub next_cursor: Option<String>,
}

/// A vendor, as a group names it in `providerType`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderView {
    /// What a group names in `providerType`.
    #[schema(example = "openai")]
    pub name: &'static str,
    /// The vendor's name for people.
    #[schema(example = "OpenAI")]
    pub title: &'static str,
    /// What a group's `baseUrl` defaults to; null where it must be given.
    #[schema(example = "https://api.openai.com/v1")]
    pub default_base_url: Option<&'static str>,
    /// An example of a base URL, for vendors whose base URL must be given and has a known form.
    pub base_url_example: Option<&'static str>,
    /// Chat formats that the vendor serves itself, the preferred one first: `openai_chat`, `openai_responses`,
    /// `anthropic_messages`, `gemini_generate` or `bedrock_converse`. Requests in other formats are translated.
    #[schema(example = json!(["openai_chat", "openai_responses"]))]
    pub formats: Vec<&'static str>,
    /// Whether a group of this vendor may set `apiVersion`.
    pub takes_api_version: bool,
    /// URL of the vendor's API reference.
    pub docs: &'static str,
}

impl ProviderView {
    fn of(vendor: &Vendor) -> Self {
        let special = vendor.model_formats.iter().flat_map(|(_, formats)| formats.iter());
        let mut formats: Vec<_> = vendor.formats.iter().chain(special).copied().map(Format::name).collect();
        // A format of special models may be in the list already.
        let mut seen = std::collections::HashSet::new();
        formats.retain(|name| seen.insert(*name));
        Self {
            name: vendor.name,
            title: vendor.title,
            default_base_url: vendor.base_url,
            base_url_example: vendor.base_url_example,
            formats,
            takes_api_version: vendor.takes_api_version(),
            docs: vendor.docs,
        }
    }
}

/// The route of vendors.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List vendors
///
/// The vendors that this build knows, each as a group's `providerType` names it.
#[utoipa::path(
    get,
    path = "/admin/providers",
    operation_id = "listProviders",
    tag = "groups",
    responses(
        (status = 200, description = "All vendors", body = ProviderList),
        ReadProblems,
    )
)]
async fn list(_permit: Permitted<ReadProviders>) -> Json<ProviderList> {
    Json(ProviderList { items: vendors::all().iter().map(ProviderView::of).collect(), next_cursor: None })
}
