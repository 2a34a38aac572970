//! stub
use super::*;
use serde_json::Value;
pub struct StoredUsage {
    pub id: String,
    pub request_id: String,
    pub node_id: String,
    pub snapshot_version: i64,
    pub proxy_key_id: Option<String>,
    pub proxy_key_name: Option<String>,
    pub group_id: Option<String>,
    pub group_name: Option<String>,
    pub provider_type: Option<String>,
    pub upstream_key_id: Option<String>,
    pub upstream_key_masked: Option<String>,
    pub api: String,
    pub method: String,
    pub path: String,
    pub requested_model: Option<String>,
    pub upstream_model: Option<String>,
    pub streamed: bool,
    pub has_tools: bool,
    pub status: i32,
    pub outcome: String,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub input_tokens: i64,
    pub cached_tokens: i64,
    pub cache_write_tokens: i64,
    pub output_tokens: i64,
    pub reasoning_tokens: i64,
    pub usage_source: String,
    pub cost_micros: i64,
    pub attempts: Value,
    pub started_at: i64,
    pub queue_us: i64,
    pub first_byte_us: i64,
    pub total_us: i64,
    pub client_ip: String,
    pub user_agent: String,
    pub request_bytes: i64,
    pub response_bytes: i64,
    pub recorded_at: i64,
}
#[derive(Default)]
pub struct UsageFilter {
    pub proxy_key_id: Option<String>,
    pub group_id: Option<String>,
    pub model: Option<String>,
    pub request_id: Option<String>,
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
    pub status: Option<i32>,
}
pub async fn list(s: &Store, p: &Page, _f: &UsageFilter) -> Result<Listed<StoredUsage>, StoreError> {
    s.with(|_| paged(vec![], p, |g: &StoredUsage| g.id.clone()))
}
pub async fn count(s: &Store) -> Result<i64, StoreError> {
    s.with(|_| 0)
}
pub async fn insert(_s: &Store, r: &[shared::pb::UsageRecord]) -> Result<u64, StoreError> {
    Ok(r.len() as u64)
}
