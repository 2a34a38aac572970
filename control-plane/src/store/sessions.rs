//! stub
use super::*;
#[derive(Clone, Debug)]
pub struct Session {
    pub id: String,
    pub user_id: String,
    pub expires_at: i64,
    pub revoked: bool,
}
pub async fn create(s: &Store, x: &Session, _c: &str, _u: &str) -> Result<(), StoreError> {
    s.with(|m| m.sessions.push(x.clone()))
}
pub async fn get(s: &Store, n: &str) -> Result<Option<Session>, StoreError> {
    s.with(|m| m.sessions.iter().find(|u| u.id == n).cloned())
}
pub async fn revoke(s: &Store, n: &str) -> Result<(), StoreError> {
    s.with(|m| {
        if let Some(x) = m.sessions.iter_mut().find(|u| u.id == n) {
            x.revoked = true
        }
    })
}
pub async fn purge_expired(_s: &Store) -> Result<(), StoreError> {
    Ok(())
}
