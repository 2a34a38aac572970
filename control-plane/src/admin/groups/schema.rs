//! A group as the OpenAPI document describes it to those who write one.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::admin::limits::{LimitRaiseBody, LimitWindowBody, TokenWeightsBody};

/// A provider account or pool, as it is made or changed. Names in snake_case are accepted too.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct GroupBody {
    /// Name of the group. No two groups have the same.
    #[schema(example = "openai-primary", max_length = 128)]
    pub group_name: String,
    /// The vendor: a `name` of `GET /admin/providers`, such as `openai`, `anthropic`, `gemini` or `openai_compatible`.
    #[schema(example = "openai")]
    pub provider_type: String,
    /// Base URL of the vendor's API as the vendor's own SDK takes it, without the path of an endpoint (OpenAI's ends in
    /// `/v1`). Defaults to the vendor's usual one, where there is one.
    #[schema(example = "https://api.openai.com/v1")]
    pub base_url: Option<String>,
    /// The upstream keys. The mask of a stored key keeps that key; without the field, all keys stay.
    #[schema(example = json!(["sk-1", "sk-2"]))]
    pub api_keys: Option<Vec<String>>,
    /// Models that the group serves, as the vendor names them.
    #[schema(example = json!(["gpt-4o", "gpt-4o-mini"]))]
    pub models: Option<Vec<String>>,
    /// Model aliases: the name that clients ask for → the name at the vendor.
    pub model_aliases: Option<BTreeMap<String, String>>,
    /// Request fields that are set where the client left them out. Also accepted as `parameterDefaults`.
    #[schema(value_type = Option<Object>, example = json!({"temperature": 0.7}))]
    pub parameters: Option<Map<String, Value>>,
    /// Request fields that replace the client's.
    #[schema(value_type = Option<Object>)]
    pub parameter_overrides: Option<Map<String, Value>>,
    /// Headers that are sent with each upstream request, in place of the gateway's own. The mask of a stored value
    /// keeps the value; without the field, all headers stay.
    pub headers: Option<BTreeMap<String, String>>,
    /// How the group picks among its upstream keys: `round_robin`, `random`, `weighted`, `least_used` (the fewest in
    /// flight) or `latency` (the faster one of two that are drawn).
    #[schema(default = "round_robin")]
    pub balance_policy: Option<String>,
    /// How many further attempts, after the first one of a request, this group gets, each with its next upstream key. 0
    /// means that the group is passed over once an attempt has failed, at this group or another; the groups behind it
    /// are tried all the same. A request makes at most 6 attempts, 3 at one group.
    #[schema(default = 3, maximum = 100)]
    pub retry_count: Option<u32>,
    /// Seconds that one attempt may take up to the first byte of the answer; may be a fraction.
    #[schema(default = 60)]
    pub timeout: Option<f64>,
    /// Requests a minute; 0 means no limit. Also accepted as `rpm`.
    #[schema(default = 0)]
    pub rpm_limit: Option<u32>,
    /// Requests in flight; 0 means no limit. Also accepted as `concurrency`.
    #[schema(default = 0)]
    pub concurrency_limit: Option<u32>,
    /// Windows of requests and tokens, each kind once.
    pub limits: Option<Vec<LimitWindowBody>>,
    /// What the limits do: `enforce` (requests go elsewhere where they are reached), or `shadow` (they count and
    /// report).
    #[schema(default = "enforce")]
    pub limit_mode: Option<String>,
    /// How much each kind of token counts, in thousandths; 1000 each where nothing is said.
    pub token_weights: Option<TokenWeightsBody>,
    /// Another amount of each window until a date.
    pub raise: Option<LimitRaiseBody>,
    /// Model that probes, health checks and test prompts ask, as a client or the vendor names it. Without one, they ask
    /// the first of `models`.
    pub test_model: Option<String>,
    /// Priority of the group: the higher number goes first.
    #[schema(default = 0)]
    pub priority: Option<i32>,
    /// Whether the group may serve.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// Whether `proxyConfig` is in force.
    #[schema(default = false)]
    pub proxy_enabled: Option<bool>,
    /// The proxy that the group's requests leave through. Without the field, the stored proxy stays; null removes it.
    pub proxy_config: Option<super::proxy::ProxyConfigBody>,
    /// Whether the provider is asked for a stream. A client gets what it asks for in any case. `auto`: the provider is
    /// asked as the client asks. `always`: the provider is asked for a stream, which is collected for a client that
    /// wants none. `never`: the provider is asked for a whole answer, of which a stream is made for a client that wants
    /// one.
    #[schema(default = "auto")]
    pub upstream_stream: Option<String>,
    /// The older name of one value of `upstreamStream`: true means `never`. Where both are given, they must agree.
    #[schema(default = false)]
    pub fake_streaming: Option<bool>,
    /// What to do with request fields that the provider's API cannot express and that only tune the answer: `drop`
    /// leaves them out and names them to the client, `reject` refuses the request. A request whose meaning would change
    /// is refused in any case.
    #[schema(default = "drop")]
    pub unsupported_parameters: Option<String>,
    /// Beginning of a model's name → facts that differ from what the gateway knows of the model: `maxOutput`,
    /// `context` (tokens that it reads at most), `vision` and `tools` (false: the model takes no pictures, or calls no
    /// tools, and is not asked where a request needs that), `sampling`, `thinking`, `budget`, `off`,
    /// `thinksByDefault`, `efforts`, `forcedTools`, `prefill`, `jsonSchema`, `jsonSchemaWithTools`, `stop`,
    /// `candidates`, `callIds`, `logprobs`, `schemaFields`, `mediaInResults`, `needsSignatures`, `penalties`. Of
    /// several that fit, the longest name counts. A patch replaces whole rows.
    #[schema(value_type = Option<Object>, example = json!({"my-model": {"maxOutput": 8192, "thinking": "none", "efforts": []}}))]
    pub model_facts: Option<Map<String, Value>>,
    /// Version of the provider's API, for `anthropic` (the header `anthropic-version`) and `azure_openai`
    /// (`api-version` in the query: a date asks for the API before `v1`, with the deployment in the path). Defaults to
    /// the vendor's.
    #[schema(example = "2024-10-21", max_length = 64)]
    pub api_version: Option<String>,
    /// Whether the group's provider, keys and models are checked on a schedule. Each check of a key or a model costs a
    /// token or more.
    #[schema(default = false)]
    pub health_check_enabled: Option<bool>,
    /// Weight among groups of the same priority, and for group policies that weigh. 0: only when nothing else is left.
    #[schema(default = 1, maximum = 1_000_000)]
    pub weight: Option<u32>,
    /// Labels by which clients may narrow their requests.
    pub tags: Option<Vec<String>>,
    /// Whether requests of one conversation stay at one upstream key, where the provider's prompt cache is warm.
    #[schema(default = true)]
    pub affinity: Option<bool>,
    /// Seconds for a connection to the provider. Null: as the node has it.
    pub connect_timeout: Option<f64>,
    /// Seconds between two chunks of an answer. Null: as the node has it.
    pub chunk_timeout: Option<f64>,
    /// Seconds for a whole attempt. Null: as the node has it.
    pub total_timeout: Option<f64>,
    /// Milliseconds that a request waits for the earliest return of a key when all are out.
    #[schema(default = 2000, maximum = 60_000)]
    pub queue_timeout_ms: Option<u64>,
    /// Whether a second attempt is made elsewhere, beside the first, when the first byte is later than 95 of 100 were.
    /// What begins to answer first is the answer, and the provider of the other one may charge for it, too.
    #[schema(default = false)]
    pub hedging: Option<bool>,
    /// Whether requests that make pictures, sound, files or batches are sent again although the first one may have been
    /// carried out.
    #[schema(default = false)]
    pub retry_unsafe_requests: Option<bool>,
    /// Whether an answer that ends well and holds nothing is a failure, so that the next candidate is asked.
    #[schema(default = false)]
    pub retry_empty_answers: Option<bool>,
    /// Seconds for which identical requests of the same proxy key are answered from memory, where the proxy key says
    /// nothing else. 0: never.
    #[schema(default = 0, maximum = 86_400)]
    pub cache_seconds: Option<u32>,
    /// Model that a client asks for → the models that are asked when it fails, in their order.
    #[schema(example = json!({"gpt-4o": ["claude-sonnet-4-5", "gemini-2.5-pro"]}))]
    pub model_fallbacks: Option<BTreeMap<String, Vec<String>>>,
    /// Refusals of a request for which the fallbacks are asked, too: `context_length`, `content_filter`.
    pub fallback_on: Option<Vec<String>>,
    /// What error answers of the provider mean, where the gateway takes them for something else. The first rule that
    /// fits counts.
    pub error_rules: Option<Vec<super::routing::ErrorRuleBody>>,
    /// Root certificates, as PEM, that the connections of this group trust besides the system's: of a private authority
    /// that has signed the certificate of the provider, or of a proxy that reads what passes. New ones ask for the keys
    /// again.
    #[schema(max_length = 65_536)]
    pub tls_roots: Option<String>,
    /// Prices of models by the vendor's names, as rows like those of `/admin/prices`. They count before all others, and
    /// as they are.
    #[schema(value_type = Option<Vec<Object>>, example = json!([
        {"models": ["gpt-4o"], "from": "2026-12-01", "rates": {"input": 1_500_000, "output": 6_000_000}}
    ]))]
    pub prices: Option<Vec<Value>>,
    /// At which part of the prices that are not its own the group sells: a number of at most three digits behind the
    /// point, as text.
    #[schema(default = "1", example = "0.35")]
    pub price_multiplier: Option<String>,
    /// Whether clients are told what whole answers cost, in `x-orchestration-cost`.
    #[schema(default = false)]
    pub cost_header: Option<bool>,
    /// Settings of upstream keys: stored ones by their `id`, new ones with their `key`. What an entry leaves out stays.
    pub upstream_keys: Option<Vec<super::keys::UpstreamKeyBody>>,
    /// The `updatedAt` that was read. The write is refused with 409 when the group has changed since.
    pub updated_at: Option<i64>,
}
