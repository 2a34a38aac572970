//! stub
use super::*;
use shared::snapshot::Group;
#[derive(Clone, Debug)]
pub struct StoredGroup {
    pub group: Group,
    pub proxy_enabled: bool,
    pub created_at: i64,
    pub updated_at: i64,
}
pub async fn list(s: &Store, p: &Page) -> Result<Listed<StoredGroup>, StoreError> {
    s.with(|m| paged(m.groups.clone(), p, |g| g.group.id.to_string()))
}
pub async fn get(s: &Store, id: &str) -> Result<Option<StoredGroup>, StoreError> {
    s.with(|m| m.groups.iter().find(|g| *g.group.id == *id).cloned())
}
pub async fn create(s: &Store, g: &StoredGroup, _a: &Actor) -> Result<StoredGroup, StoreError> {
    s.with(|m| {
        if m.groups.iter().any(|x| x.group.name == g.group.name) {
            return Err(StoreError::Taken { field: "group_name", value: g.group.name.to_string() });
        }
        let mut g = g.clone();
        g.created_at = m.t;
        g.updated_at = m.t;
        m.groups.push(g.clone());
        Ok(g)
    })?
}
pub async fn replace(s: &Store, g: &StoredGroup, _a: &Actor) -> Result<StoredGroup, StoreError> {
    s.with(|m| {
        let t = m.t;
        let x = m.groups.iter_mut().find(|x| x.group.id == g.group.id).ok_or(StoreError::NotFound)?;
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
        let n = m.groups.len();
        m.groups.retain(|g| *g.group.id != *id);
        n != m.groups.len()
    })
}
