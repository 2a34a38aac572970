//! The query for usage records, and a usage record as it is shown.

use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::admin::usage::CostView;
use crate::store::usage::StoredUsage;

/// Which usage records are listed: those for which all the given conditions hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct LogQuery {
    /// Number of items on a page.
    #[param(minimum = 1, maximum = 200, default = 50, required = false)]
    pub limit: i64,
    /// The `nextCursor` of the page before.
    #[param(required = false)]
    pub cursor: String,
    /// Only requests with this proxy key, by its id.
    pub proxy_key_id: Option<String>,
    /// Only requests whose last attempt was at this group, by its id.
    pub group_id: Option<String>,
    /// Only requests for this model, as the client named it.
    pub model: Option<String>,
    /// Only the request with this `x-request-id`.
    pub request_id: Option<String>,
    /// Only requests that started at this time or later: epoch milliseconds or RFC 3339.
    pub from: Option<String>,
    /// Only requests that started before this time: epoch milliseconds or RFC 3339.
    pub to: Option<String>,
    /// Only requests that were answered with this HTTP status.
    pub status: Option<u16>,
    /// Only requests to which the response cache was this: `hit` or `miss`.
    pub cache: Option<String>,
}

/// A usage record.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogView {
    /// Id of the record.
    pub id: String,
    /// Id of the request, which the answer carried as `x-request-id`.
    pub request_id: String,
    /// Id of the node that served the request.
    pub node_id: String,
    /// Version of the config that was in force at the node.
    pub snapshot_version: i64,
    /// Id of the proxy key; null where the client was not known.
    pub proxy_key_id: Option<String>,
    /// Name of the proxy key at the time.
    pub proxy_key_name: Option<String>,
    /// Id of the group of the last attempt; null where no attempt was made.
    pub group_id: Option<String>,
    /// Name of the group at the time.
    pub group_name: Option<String>,
    /// Vendor of the group.
    pub provider_type: Option<String>,
    /// Id of the upstream key of the last attempt.
    pub upstream_key_id: Option<String>,
    /// Mask of the upstream key.
    pub upstream_key_masked: Option<String>,
    /// The client API, such as `openai_chat`.
    pub api: String,
    /// HTTP method of the request.
    pub method: String,
    /// Path of the request, without the query.
    pub path: String,
    /// Model that was asked for, as the client named it.
    pub requested_model: Option<String>,
    /// Model that the vendor was asked for.
    pub upstream_model: Option<String>,
    /// Whether the client asked for a stream.
    pub streamed: bool,
    /// Whether the request offered tools.
    pub has_tools: bool,
    /// HTTP status that the client got, or would have got if it had stayed.
    pub status: i32,
    /// How the request ended: `success`, `refused`, `upstream_error`, `timeout`, `client_gone` or `internal_error`.
    pub outcome: String,
    /// Cause of a failure for programs; null on success.
    pub error_code: Option<String>,
    /// Cause of a failure for people; null on success.
    pub error_message: Option<String>,
    /// Tokens of the request.
    pub input_tokens: i64,
    /// The input tokens that were read from the provider's cache.
    pub cached_tokens: i64,
    /// The input tokens that were written to the provider's cache.
    pub cache_write_tokens: i64,
    /// The tokens written to the provider's cache that are kept for an hour.
    #[serde(rename = "cacheWrite1hTokens")]
    pub cache_write_1h_tokens: i64,
    /// The input tokens that are sound.
    pub input_audio_tokens: i64,
    /// The input tokens that are images.
    pub input_image_tokens: i64,
    /// Tokens of the answer.
    pub output_tokens: i64,
    /// The output tokens that were spent on reasoning.
    pub reasoning_tokens: i64,
    /// The output tokens that are sound.
    pub output_audio_tokens: i64,
    /// The output tokens that are images.
    pub output_image_tokens: i64,
    /// Input and output tokens together.
    pub total_tokens: i64,
    /// Where the numbers of tokens come from: `none`, `reported`, `estimated`, `partial`, or
    /// `capped` where the provider reported numbers that cannot be.
    pub usage_source: String,
    /// Cost in micro-dollars; null where the record is unpriced, which is not the same as free.
    pub cost_micros: Option<i64>,
    /// What the record cost before it was priced again, in micro-dollars; null where it never was, or had no price.
    pub previous_cost_micros: Option<i64>,
    /// When it was last priced again with another result, in epoch milliseconds.
    pub repriced_at: Option<i64>,
    /// The cost by kind; null where the record is unpriced.
    pub costs: Option<CostView>,
    /// Tier of service that the answer says it was given, or that was asked for, in the vendor's word; null where
    /// neither says any.
    pub service_tier: Option<String>,
    /// What was used beside tokens, such as `{"images": 2}`; null where nothing is known of that.
    #[schema(value_type = Option<Object>)]
    pub units: Option<Value>,
    /// How the groups were put in order, such as `failover`; null where the request was not routed.
    pub group_policy: Option<String>,
    /// What kept the request at the upstream key of its last attempt: `none`, `soft_hit` (its conversation belongs
    /// there), `soft_miss` (its conversation belongs elsewhere) or `hard` (what it refers to is in that account); null
    /// where it was not sent to a provider.
    pub affinity: Option<String>,
    /// What the response cache was to the request: `hit` (the answer came from memory: no attempt, no group, no tokens
    /// and no cost) or `miss`; null where it was not asked.
    pub cache: Option<String>,
    /// The attempts: each try at an upstream key.
    #[schema(value_type = Vec<Object>)]
    pub attempts: Value,
    /// When the request came in, in epoch milliseconds.
    pub started_at: i64,
    /// Microseconds from the start until the first attempt left.
    pub queue_us: i64,
    /// Microseconds from the start until the first byte of the answer's body; 0 where none was sent.
    pub first_byte_us: i64,
    /// Microseconds from the start until the end.
    pub total_us: i64,
    /// Address of the client.
    pub client_ip: String,
    /// `User-Agent` of the client.
    pub user_agent: String,
    /// Size of the request's body in bytes.
    pub request_bytes: i64,
    /// Size of the answer's body in bytes.
    pub response_bytes: i64,
    /// When the record came into the ledger, in epoch milliseconds.
    pub recorded_at: i64,
}

impl LogView {
    /// The view of a usage record, which leaves nothing out.
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
            input_image_tokens: stored.input_image_tokens,
            output_image_tokens: stored.output_image_tokens,
            output_tokens: stored.output_tokens,
            reasoning_tokens: stored.reasoning_tokens,
            total_tokens: stored.input_tokens.saturating_add(stored.output_tokens),
            usage_source: stored.usage_source,
            cost_micros: stored.cost.cost_micros,
            previous_cost_micros: stored.previous_cost_micros,
            repriced_at: stored.repriced_at,
            costs: CostView::of(&stored.cost),
            service_tier: stored.service_tier,
            units: stored.units.and_then(|units| serde_json::from_str(&units).ok()),
            group_policy: stored.group_policy,
            affinity: stored.affinity,
            cache: stored.cache,
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
