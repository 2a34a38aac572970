//! stub
use super::*;
use shared::secret::Secret;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Admin,
    Operator,
    Viewer,
}
#[derive(Clone, Debug)]
pub struct User {
    pub id: String,
    pub username: String,
    pub password_hash: Secret,
    pub role: Role,
    pub enabled: bool,
}
pub async fn by_name(s: &Store, n: &str) -> Result<Option<User>, StoreError> {
    s.with(|m| m.users.iter().find(|u| u.username == n).cloned())
}
pub async fn get(s: &Store, n: &str) -> Result<Option<User>, StoreError> {
    s.with(|m| m.users.iter().find(|u| u.id == n).cloned())
}
pub async fn create(s: &Store, u: &User) -> Result<(), StoreError> {
    s.with(|m| m.users.push(u.clone()))
}
pub async fn count(s: &Store) -> Result<i64, StoreError> {
    s.with(|m| m.users.len() as i64)
}
pub async fn logged_in(_s: &Store, _i: &str) -> Result<(), StoreError> {
    Ok(())
}
