//! stub
use super::*;
use serde_json::Value;
#[derive(Clone, Debug)]
pub struct StoredAudit {
    pub id: String,
    pub at: i64,
    pub user_id: Option<String>,
    pub username: String,
    pub action: String,
    pub resource: String,
    pub resource_id: Option<String>,
    pub detail: Value,
    pub client_ip: String,
}
pub async fn record(
    s: &Store,
    a: &Actor,
    action: &str,
    resource: &str,
    resource_id: Option<&str>,
    detail: &Value,
) -> Result<(), StoreError> {
    s.with(|m| {
        m.audit.push(StoredAudit {
            id: shared::ids::new_id(),
            at: 1,
            user_id: a.user_id.clone(),
            username: a.username.clone(),
            action: action.into(),
            resource: resource.into(),
            resource_id: resource_id.map(Into::into),
            detail: detail.clone(),
            client_ip: a.client_ip.clone(),
        })
    })
}
pub async fn list(s: &Store, p: &Page) -> Result<Listed<StoredAudit>, StoreError> {
    s.with(|m| paged(m.audit.clone(), p, |g| g.id.clone()))
}
