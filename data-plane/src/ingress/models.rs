//! `GET /v1/models` and `GET /v1/models/{id}`: what the proxy key may ask for, in the shape of the client's API:
//! OpenAI's ("Models"), Anthropic's ("List Models"), Gemini's (`models.list`).

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Serialize;
use translation::Format;

use super::admit::Arrival;
use super::gateway::Gateway;
use super::unserved::format_of;
use crate::error::GatewayError;
use crate::metrics::Api;
use crate::respond::{error, own};
use crate::route::client::Client;
use crate::route::table::{Route, RouteTable};

/// The list in the shape of OpenAI's API.
#[derive(Serialize)]
struct OpenAiList<'t> {
    object: &'static str,
    data: Vec<OpenAiModel<'t>>,
}

#[derive(Serialize)]
struct OpenAiModel<'t> {
    id: &'t str,
    object: &'static str,
    /// When the vendor made the model. Config does not say.
    created: i64,
    owned_by: &'t str,
}

/// The list in the shape of Anthropic's API.
#[derive(Serialize)]
struct AnthropicList<'t> {
    data: Vec<AnthropicModel<'t>>,
    has_more: bool,
    first_id: Option<&'t str>,
    last_id: Option<&'t str>,
}

#[derive(Serialize)]
struct AnthropicModel<'t> {
    r#type: &'static str,
    id: &'t str,
    display_name: &'t str,
    created_at: &'static str,
}

/// The list in the shape of Gemini's API.
#[derive(Serialize)]
struct GeminiList<'t> {
    models: Vec<GeminiModel<'t>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'t> {
    name: String,
    display_name: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u64>,
    supported_generation_methods: [&'static str; 3],
}

/// A model that the proxy key may ask for.
struct Model<'t> {
    id: &'t str,
    owner: &'t str,
    output_limit: Option<u64>,
}

impl<'t> Model<'t> {
    fn openai(&self) -> OpenAiModel<'t> {
        OpenAiModel { id: self.id, object: "model", created: 0, owned_by: self.owner }
    }

    fn anthropic(&self) -> AnthropicModel<'t> {
        AnthropicModel { r#type: "model", id: self.id, display_name: self.id, created_at: "1970-01-01T00:00:00Z" }
    }

    fn gemini(&self) -> GeminiModel<'t> {
        GeminiModel {
            name: format!("models/{}", self.id),
            display_name: self.id,
            output_token_limit: self.output_limit,
            supported_generation_methods: ["generateContent", "streamGenerateContent", "countTokens"],
        }
    }
}

pub(super) async fn list(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    answer(&gateway, request, |format, table, client| {
        let mut models: Vec<_> = table.models().filter_map(|(name, routes)| model(client, name, routes)).collect();
        models.sort_by(|left, right| left.id.cmp(right.id));
        let (first_id, last_id) = (models.first().map(|model| model.id), models.last().map(|model| model.id));
        Ok(match format {
            Format::AnthropicMessages => {
                let data = models.iter().map(Model::anthropic).collect();
                serde_json::to_vec(&AnthropicList { data, has_more: false, first_id, last_id })
            }
            Format::GeminiGenerate => {
                serde_json::to_vec(&GeminiList { models: models.iter().map(Model::gemini).collect() })
            }
            _ => serde_json::to_vec(&OpenAiList { object: "list", data: models.iter().map(Model::openai).collect() }),
        })
    })
}

pub(super) async fn retrieve(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    answer(&gateway, request, |format, table, client| {
        let found = model(client, &id, table.routes(&id));
        let found = found.ok_or_else(|| GatewayError::ModelNotFound { model: id.clone() })?;
        Ok(match format {
            Format::AnthropicMessages => serde_json::to_vec(&found.anthropic()),
            Format::GeminiGenerate => serde_json::to_vec(&found.gemini()),
            _ => serde_json::to_vec(&found.openai()),
        })
    })
}

/// The model of that name, if `client` may ask for it.
fn model<'t>(client: &Client, name: &'t str, routes: &'t [Route]) -> Option<Model<'t>> {
    if !client.may_use_model(name) {
        return None;
    }
    let usable = |route: &&Route| {
        let group = &route.group;
        client.may_use_group(&group.group.id) && group.endpoint.is_some() && !group.keys.is_empty()
    };
    let route = routes.iter().find(usable)?;
    Some(Model { id: name, owner: &route.group.group.provider_type, output_limit: route.facts.max_output })
}

fn answer(
    gateway: &Gateway,
    request: Request,
    write: impl FnOnce(Format, &RouteTable, &Client) -> Result<serde_json::Result<Vec<u8>>, GatewayError>,
) -> Response {
    let (parts, _body) = request.into_parts();
    let format = format_of(&parts);
    let (arrival, mut meter) = Arrival::new(gateway, parts, Api::Models, format);
    let written = arrival.admit(&mut meter).and_then(|admitted| {
        write(format, admitted.table, admitted.client)?
            .map_err(|_| GatewayError::Internal("the list of models could not be written"))
    });
    let response = match written {
        Ok(body) => own::answered(body.into(), meter),
        Err(error) => error::refused(&error, format, meter),
    };
    arrival.identify(response)
}
