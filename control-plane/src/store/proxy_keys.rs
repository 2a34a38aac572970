//! stub
use super::*;
use shared::snapshot::ProxyKey;
#[derive(Clone, Debug)]
pub struct StoredProxyKey {
    pub key: ProxyKey,
    pub masked: String,
    pub description: Option<String>,
    pub usage_count: i64,
    pub last_used_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
}
pub async fn list(s: &Store, p: &Page) -> Result<Listed<StoredProxyKey>, StoreError> {
    s.with(|m| paged(m.keys.clone(), p, |g| g.key.id.to_string()))
}
pub async fn get(s: &Store, id: &str) -> Result<Option<StoredProxyKey>, StoreError> {
    s.with(|m| m.keys.iter().find(|g| *g.key.id == *id).cloned())
}
pub async fn create(s: &Store, g: &StoredProxyKey, _a: &Actor) -> Result<StoredProxyKey, StoreError> {
    s.with(|m| {
        if m.keys.iter().any(|x| x.key.name == g.key.name) {
            return Err(StoreError::Taken { field: "key_name", value: g.key.name.to_string() });
        }
        let mut g = g.clone();
        g.created_at = m.t;
        g.updated_at = m.t;
        m.keys.push(g.clone());
        Ok(g)
    })?
}
pub async fn replace(s: &Store, g: &StoredProxyKey, _a: &Actor) -> Result<StoredProxyKey, StoreError> {
    s.with(|m| {
        let t = m.t;
        let x = m.keys.iter_mut().find(|x| x.key.id == g.key.id).ok_or(StoreError::NotFound)?;
        if x.updated_at != g.updated_at {
            return Err(StoreError::Stale);
        }
        *x = g.clone();
        x.updated_at = t;
        Ok(x.clone())
    })?
}
pub async fn delete(s: &Store, id: &str, _a: &Actor) -> Result<bool, StoreError> {
    s.with(|m| {
        let n = m.keys.len();
        m.keys.retain(|g| *g.key.id != *id);
        n != m.keys.len()
    })
}
