//! Lists go page by page: `?limit=` and `?cursor=` come in, `{"items":[…],"nextCursor":…}` goes out.

use axum::Json;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::extract::query_integer;
use super::fields::{Fields, Known};
use crate::store::{Listed, Page};

/// Number of items on a page where the client does not say.
const DEFAULT_LIMIT: i64 = 50;

/// The most items on a page.
pub(crate) const MOST: i64 = 200;

/// Longest cursor that is accepted, in bytes.
const CURSOR_BYTES: usize = 512;

pub(crate) const LIMIT: Known = Known::new("limit");
pub(crate) const CURSOR: Known = Known::new("cursor");

/// Which page of a list is asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Number of items on a page.
    #[param(minimum = 1, maximum = 200, default = 50, required = false)]
    pub limit: i64,
    /// The `nextCursor` of the page before.
    #[param(required = false)]
    pub cursor: String,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageOf<T> {
    /// The items on the page.
    pub items: Vec<T>,
    /// To be sent as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> PageOf<T> {
    /// The page of what the store listed, each item as `show` has it.
    pub(crate) fn of<S>(listed: Listed<S>, show: impl FnMut(S) -> T) -> Json<Self> {
        Json(Self { items: listed.items.into_iter().map(show).collect(), next_cursor: listed.next_cursor })
    }
}

/// The page that a query asks for.
pub(crate) fn page(query: &mut Fields) -> Page {
    let limit = query_integer(query, LIMIT.name, 1, MOST).unwrap_or(DEFAULT_LIMIT);
    let cursor = query.text(CURSOR.name, CURSOR_BYTES).filter(|cursor| !cursor.is_empty());
    Page { limit, cursor }
}
