//! `GET /v1/models` and `GET /v1/models/{id}` (OpenAI API reference, "Models"): what the proxy key may ask for.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::{StatusCode, request};
use serde::Serialize;

use super::{Gateway, failed, identified, request_id};
use crate::auth;
use crate::error::{GatewayError, json_response};
use crate::metrics::Api;
use crate::route::table::{Principal, Route, RouteTable};
use crate::usage::meter::Meter;

#[derive(Serialize)]
struct List<'t> {
    object: &'static str,
    data: Vec<Model<'t>>,
}

#[derive(Serialize)]
struct Model<'t> {
    id: &'t str,
    object: &'static str,
    /// When the vendor made it, which config does not say.
    created: i64,
    owned_by: &'t str,
}

pub(super) async fn list(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    answer(&gateway, request, |table, principal| {
        let mut data: Vec<_> = table.models().filter_map(|(name, routes)| model(principal, name, routes)).collect();
        data.sort_by(|left, right| left.id.cmp(right.id));
        Ok(serde_json::to_vec(&List { object: "list", data }))
    })
}

pub(super) async fn retrieve(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    answer(&gateway, request, |table, principal| {
        let found = model(principal, &id, table.routes(&id));
        found.map(|model| serde_json::to_vec(&model)).ok_or_else(|| GatewayError::ModelNotFound { model: id.clone() })
    })
}

/// The model, if `principal` may ask for it.
fn model<'t>(principal: &Principal, name: &'t str, routes: &'t [Route]) -> Option<Model<'t>> {
    if !principal.may_use_model(name) {
        return None;
    }
    let usable = |route: &&Route| {
        let group = &route.group;
        principal.may_use_group(&group.group.id) && group.endpoint.is_some() && !group.keys.is_empty()
    };
    let route = routes.iter().find(usable)?;
    Some(Model { id: name, object: "model", created: 0, owned_by: &route.group.group.provider_type })
}

fn answer(
    gateway: &Gateway,
    request: Request,
    write: impl FnOnce(&RouteTable, &Principal) -> Result<serde_json::Result<Vec<u8>>, GatewayError>,
) -> Response {
    let (parts, _body) = request.into_parts();
    let mut meter = Meter::start(&gateway.recorder, Api::Models, &parts);
    let id = request_id(&meter);
    let response = match read(gateway, &parts, &mut meter, write) {
        Ok(body) => {
            meter.first_byte();
            meter.answering(StatusCode::OK);
            meter.response_bytes = body.len() as u64;
            meter.succeeded();
            json_response(StatusCode::OK, body.into())
        }
        Err(error) => failed(&error, meter),
    };
    identified(response, &id)
}

fn read(
    gateway: &Gateway,
    parts: &request::Parts,
    meter: &mut Meter,
    write: impl FnOnce(&RouteTable, &Principal) -> Result<serde_json::Result<Vec<u8>>, GatewayError>,
) -> Result<Vec<u8>, GatewayError> {
    let table = gateway.config.table().ok_or(GatewayError::NotReady)?;
    meter.snapshot_version = table.snapshot.version;
    let principal = auth::principal(&table, &parts.headers)?;
    meter.proxy_key = Some(Arc::clone(&principal.key));
    write(&table, principal)?.map_err(|_| GatewayError::Internal("the list of models could not be written"))
}
