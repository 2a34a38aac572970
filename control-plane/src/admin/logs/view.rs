//! Usage records as they are asked for and shown.

use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::store::usage::StoredUsage;

/// Which usage records. All that are given must hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct LogQuery {
    /// Items of a page.
    #[param(minimum = 1, maximum = 200, default = 50, required = false)]
    pub limit: i64,
    /// `nextCursor` of the page before.
    #[param(required = false)]
    pub cursor: String,
    /// Of this proxy key.
    pub proxy_key_id: Option<String>,
    /// Served by this group.
    pub group_id: Option<String>,
    /// Asked for this model, as the client named it.
    pub model: Option<String>,
    /// With this `x-request-id`.
    pub request_id: Option<String>,
    /// Started then or later: epoch milliseconds or RFC 3339.
    pub from: Option<String>,
    /// Started before then: epoch milliseconds or RFC 3339.
    pub to: Option<String>,
    /// Answered with this HTTP status.
    pub status: Option<u16>,
}

/// A usage record.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogView {
    /// Its id.
    pub id: String,
    /// What the answer carried as `x-request-id`.
    pub request_id: String,
    /// The node that served it.
    pub node_id: String,
    /// The config version it was served under.
    pub snapshot_version: i64,
    /// The proxy key; null where the client was not known.
    pub proxy_key_id: Option<String>,
    /// Its name at the time.
    pub proxy_key_name: Option<String>,
    /// The group of the last attempt; null where none was tried.
    pub group_id: Option<String>,
    /// Its name at the time.
    pub group_name: Option<String>,
    /// Its vendor.
    pub provider_type: Option<String>,
    /// The upstream key of the last attempt.
    pub upstream_key_id: Option<String>,
    /// Its mask.
    pub upstream_key_masked: Option<String>,
    /// The client API, such as `openai_chat`.
    pub api: String,
    /// HTTP method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// As the client named it.
    pub requested_model: Option<String>,
    /// As the vendor was asked for it.
    pub upstream_model: Option<String>,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// Whether tools were offered.
    pub has_tools: bool,
    /// Status that the client got, or would have got.
    pub status: i32,
    /// `success`, `refused`, `upstream_error`, `timeout`, `client_gone` or `internal_error`.
    pub outcome: String,
    /// Machine-readable cause; null on success.
    pub error_code: Option<String>,
    /// For people; null on success.
    pub error_message: Option<String>,
    /// Tokens in.
    pub input_tokens: i64,
    /// Of these, read from the provider's cache.
    pub cached_tokens: i64,
    /// Of these, written to the provider's cache.
    pub cache_write_tokens: i64,
    /// Of these, kept there for an hour.
    #[serde(rename = "cacheWrite1hTokens")]
    pub cache_write_1h_tokens: i64,
    /// Of the tokens in, sound.
    pub input_audio_tokens: i64,
    /// Tokens out.
    pub output_tokens: i64,
    /// Of these, spent on reasoning.
    pub reasoning_tokens: i64,
    /// Of the tokens out, sound.
    pub output_audio_tokens: i64,
    /// In and out.
    pub total_tokens: i64,
    /// `none`, `reported`, `estimated` or `partial`.
    pub usage_source: String,
    /// In micro-dollars.
    pub cost_micros: i64,
    /// Each try at an upstream key.
    #[schema(value_type = Vec<Object>)]
    pub attempts: Value,
    /// When the request came in, epoch milliseconds.
    pub started_at: i64,
    /// Microseconds until the first attempt left.
    pub queue_us: i64,
    /// Microseconds until the first byte of the answer's body; 0 where none was sent.
    pub first_byte_us: i64,
    /// Microseconds until the end.
    pub total_us: i64,
    /// Address of the client.
    pub client_ip: String,
    /// Its `User-Agent`.
    pub user_agent: String,
    /// Size of the request's body.
    pub request_bytes: i64,
    /// Size of the answer's body.
    pub response_bytes: i64,
    /// When it came into the ledger, epoch milliseconds.
    pub recorded_at: i64,
}

impl LogView {
    /// What is shown of a usage record: all of it.
    pub(super) fn of(stored: StoredUsage) -> Self {
        Self {
            id: stored.id,
            request_id: stored.request_id,
            node_id: stored.node_id,
            snapshot_version: stored.snapshot_version,
            proxy_key_id: stored.proxy_key_id,
            proxy_key_name: stored.proxy_key_name,
            group_id: stored.group_id,
            group_name: stored.group_name,
            provider_type: stored.provider_type,
            upstream_key_id: stored.upstream_key_id,
            upstream_key_masked: stored.upstream_key_masked,
            api: stored.api,
            method: stored.method,
            path: stored.path,
            requested_model: stored.requested_model,
            upstream_model: stored.upstream_model,
            streamed: stored.streamed,
            has_tools: stored.has_tools,
            status: stored.status,
            outcome: stored.outcome,
            error_code: stored.error_code,
            error_message: stored.error_message,
            input_tokens: stored.input_tokens,
            cached_tokens: stored.cached_tokens,
            cache_write_tokens: stored.cache_write_tokens,
            cache_write_1h_tokens: stored.cache_write_1h_tokens,
            input_audio_tokens: stored.input_audio_tokens,
            output_audio_tokens: stored.output_audio_tokens,
            output_tokens: stored.output_tokens,
            reasoning_tokens: stored.reasoning_tokens,
            total_tokens: stored.input_tokens.saturating_add(stored.output_tokens),
            usage_source: stored.usage_source,
            cost_micros: stored.cost_micros,
            attempts: stored.attempts.0,
            started_at: stored.started_at,
            queue_us: stored.queue_us,
            first_byte_us: stored.first_byte_us,
            total_us: stored.total_us,
            client_ip: stored.client_ip,
            user_agent: stored.user_agent,
            request_bytes: stored.request_bytes,
            response_bytes: stored.response_bytes,
            recorded_at: stored.recorded_at,
        }
    }
}
