//! stub
#![expect(missing_docs, clippy::pedantic)]
use shared::crypto::SealingKey;
use shared::drain::Tasks;
use std::sync::{Arc, Mutex};
pub mod audit;
pub mod config;
pub mod groups;
pub mod proxy_keys;
pub mod sessions;
pub mod usage;
pub mod users;
#[derive(Default)]
pub struct Mem {
    pub groups: Vec<groups::StoredGroup>,
    pub keys: Vec<proxy_keys::StoredProxyKey>,
    pub users: Vec<users::User>,
    pub sessions: Vec<sessions::Session>,
    pub audit: Vec<audit::StoredAudit>,
    pub down: bool,
    pub t: i64,
}
#[derive(Clone)]
pub struct Store(pub Arc<Mutex<Mem>>, pub tokio::sync::watch::Sender<u64>);
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("S")
    }
}
impl Store {
    pub async fn open(_u: &str, _s: Arc<SealingKey>, _t: &Tasks) -> Result<Self, StoreError> {
        Ok(Self(Arc::default(), tokio::sync::watch::channel(0).0))
    }
    pub fn config_changed(&self) -> tokio::sync::watch::Receiver<u64> {
        self.1.subscribe()
    }
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
    pub fn with<T>(&self, f: impl FnOnce(&mut Mem) -> T) -> Result<T, StoreError> {
        let mut m = self.0.lock().unwrap();
        if m.down {
            return Err(StoreError::Unavailable("x".into()));
        }
        m.t += 1;
        let r = f(&mut m);
        self.1.send_replace(m.t as u64);
        Ok(r)
    }
}
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("u {0}")]
    Unavailable(String),
    #[error("taken")]
    Taken { field: &'static str, value: String },
    #[error("stale")]
    Stale,
    #[error("c")]
    Cursor,
    #[error("d")]
    Corrupt(String),
    #[error("nf")]
    NotFound,
}
pub struct Actor {
    pub user_id: Option<String>,
    pub username: String,
    pub client_ip: String,
}
pub struct Page {
    pub limit: i64,
    pub cursor: Option<String>,
}
pub struct Listed<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}
pub fn paged<T>(all: Vec<T>, p: &Page, id: impl Fn(&T) -> String) -> Listed<T> {
    let mut it: Vec<T> = all.into_iter().filter(|x| p.cursor.as_ref().is_none_or(|c| id(x) > *c)).collect();
    let more = it.len() as i64 > p.limit;
    it.truncate(p.limit as usize);
    Listed { next_cursor: if more { it.last().map(&id) } else { None }, items: it }
}
