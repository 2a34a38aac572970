//! `GET /v1/models` and `GET /v1/models/{id}`: what the proxy key may ask for, in the shape of the client's API:
//! OpenAI's ("Models"), Anthropic's ("List Models"), Gemini's (`models.list`).

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use translation::Format;
use translation::protocol::contract::ListedModel;

use super::admit::Arrival;
use super::gateway::Gateway;
use super::near::format_of;
use crate::error::GatewayError;
use crate::metrics::Api;
use crate::respond::{error, own};
use crate::route::client::Client;
use crate::route::table::{Route, RouteTable};

pub(super) async fn list(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    answer(&gateway, request, |format, table, client| {
        // A name that the key is bound to can be listed, though only a pattern of a group fits it.
        let bound = client.key.allowed_models.iter().filter(|name| !name.ends_with('*'));
        let bound: Vec<_> = bound.map(|name| (name, table.routes(name))).collect();
        let named = table.models().filter_map(|(name, routes)| model(client, name, routes));
        let mut models: Vec<_> =
            named.chain(bound.iter().filter_map(|(name, routes)| model(client, name, routes))).collect();
        models.sort_by(|left, right| left.id.cmp(right.id));
        models.dedup_by(|left, right| left.id == right.id);
        Ok(format.protocol().encode_models(&models))
    })
}

pub(super) async fn retrieve(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    answer(&gateway, request, |format, table, client| {
        let routes = table.routes(&id);
        let found = model(client, &id, &routes);
        let found = found.ok_or_else(|| GatewayError::ModelNotFound { model: id.clone() })?;
        Ok(format.protocol().encode_model(&found))
    })
}

/// The model of that name, if `client` may ask for it.
fn model<'t>(client: &Client, name: &'t str, routes: &'t [Route]) -> Option<ListedModel<'t>> {
    if !client.may_use_model(name) {
        return None;
    }
    let usable = |route: &&Route| {
        let group = &route.group;
        client.may_use_group(route.place) && group.endpoint.is_some() && !group.keys.is_empty()
    };
    let route = routes.iter().find(usable)?;
    Some(ListedModel { id: name, owner: &route.group.group.provider_type, output_limit: route.facts.max_output })
}

fn answer(
    gateway: &Gateway,
    request: Request,
    write: impl FnOnce(Format, &RouteTable, &Client) -> Result<Vec<u8>, GatewayError>,
) -> Response {
    let (parts, _body) = request.into_parts();
    let format = format_of(&parts);
    let (arrival, mut meter) = Arrival::new(gateway, parts, Api::Models, format);
    let written = arrival.admit(&mut meter).and_then(|admitted| write(format, admitted.table, admitted.client));
    let response = match written {
        Ok(body) => own::answered(body.into(), meter),
        Err(error) => error::refused(&error, format, meter),
    };
    arrival.identify(response)
}
