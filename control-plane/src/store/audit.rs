//! The audit log: who changed what.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use shared::ids::new_id;
use shared::time::now_ms;

use super::change::audited;
use super::schema::audit_log;
use super::{Actor, Listed, Page, Scope, Store, StoreError};

/// One entry of the audit log.
#[derive(Clone, Debug)]
pub struct StoredAudit {
    /// Id of the entry, a UUIDv7.
    pub id: String,
    /// When it was done, in epoch milliseconds.
    pub at: i64,
    /// Id of the user who did it; `None` for the program itself.
    pub user_id: Option<String>,
    /// Name of that user at the time.
    pub username: String,
    /// What was done, such as `create`.
    pub action: String,
    /// The kind of thing it was done to, such as `group`.
    pub resource: String,
    /// Id of that thing.
    pub resource_id: Option<String>,
    /// More about it. It holds no secret.
    pub detail: Value,
    /// Address that the request came from.
    pub client_ip: String,
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = audit_log)]
pub(super) struct Row {
    id: String,
    at: i64,
    user_id: Option<String>,
    username: String,
    action: String,
    resource: String,
    resource_id: Option<String>,
    detail: String,
    client_ip: String,
}

impl Row {
    pub(super) fn new(actor: &Actor, action: &str, resource: &str, resource_id: Option<&str>, detail: &Value) -> Self {
        Self {
            id: new_id(),
            at: now_ms(),
            user_id: actor.user_id.clone(),
            username: actor.username.clone(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            resource_id: resource_id.map(str::to_owned),
            detail: detail.to_string(),
            client_ip: actor.client_ip.clone(),
        }
    }

    fn stored(self) -> StoredAudit {
        StoredAudit {
            id: self.id,
            at: self.at,
            user_id: self.user_id,
            username: self.username,
            action: self.action,
            resource: self.resource,
            resource_id: self.resource_id,
            detail: serde_json::from_str(&self.detail).unwrap_or(Value::Null),
            client_ip: self.client_ip,
        }
    }
}

/// Enters that `actor` did `action` to the thing `resource_id` of the kind `resource`, where that writes nothing else.
///
/// # Errors
/// [`StoreError`].
pub async fn enter(
    store: &Store,
    actor: &Actor,
    action: &str,
    resource: &str,
    resource_id: Option<&str>,
) -> Result<(), StoreError> {
    audited!(store, Row::new(actor, action, resource, resource_id, &json!({})), conn => {})
}

/// One page of the entries in `scope`, the newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn list(store: &Store, scope: &Scope, page: &Page) -> Result<Listed<StoredAudit>, StoreError> {
    let Scope::Everything = scope;
    let (limit, before) = (page.limit, page.cursor.clone());
    let rows = with_conn!(store, conn => {
        let mut query = audit_log::table.select(Row::as_select()).into_boxed();
        // No text stands above all ids in every order of texts, so the first page has no bound.
        if let Some(before) = &before {
            query = query.filter(audit_log::id.lt(before));
        }
        Ok(query.order(audit_log::id.desc()).limit(limit + 1).load::<Row>(conn).await?)
    })?;
    Ok(Listed::of(rows.into_iter().map(Row::stored).collect(), limit, |entry: &StoredAudit| entry.id.clone()))
}
