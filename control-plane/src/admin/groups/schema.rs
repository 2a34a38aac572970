//! A group as the OpenAPI document describes it to those who write one.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A provider account or pool, as it is made or changed. Names in snake_case are taken too.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct GroupBody {
    /// What people call it. Unique.
    #[schema(example = "openai-primary", max_length = 128)]
    pub group_name: String,
    /// The vendor: a `name` of `GET /admin/providers`, such as `openai`, `anthropic`, `gemini` or `openai_compatible`.
    #[schema(example = "openai")]
    pub provider_type: String,
    /// As the vendor's own SDK takes it (OpenAI's ends in `/v1`), without the path of an endpoint. Defaults to the
    /// vendor's, where it has one.
    #[schema(example = "https://api.openai.com/v1")]
    pub base_url: Option<String>,
    /// The vendor's keys. The mask of a stored key keeps that key; without the field all stay.
    #[schema(example = json!(["sk-1", "sk-2"]))]
    pub api_keys: Option<Vec<String>>,
    /// Names of the models at the vendor.
    #[schema(example = json!(["gpt-4o", "gpt-4o-mini"]))]
    pub models: Option<Vec<String>>,
    /// Name that clients ask for → name at the vendor.
    pub model_aliases: Option<BTreeMap<String, String>>,
    /// Request fields set where the client left them out. Also taken as `parameterDefaults`.
    #[schema(value_type = Option<Object>, example = json!({"temperature": 0.7}))]
    pub parameters: Option<Map<String, Value>>,
    /// Request fields that replace the client's.
    #[schema(value_type = Option<Object>)]
    pub parameter_overrides: Option<Map<String, Value>>,
    /// Headers sent with each upstream request, over the gateway's own. The mask of a stored value keeps
    /// it; without the field all stay.
    pub headers: Option<BTreeMap<String, String>>,
    /// How the group picks among its upstream keys: `round_robin`, `random` or `least_used`. Not in force yet: they are
    /// tried in their order.
    #[schema(default = "round_robin")]
    pub balance_policy: Option<String>,
    /// Whether a request may go to this group after an attempt at this group or another has failed: 0 is no, any other
    /// number is once. A request makes one further attempt at most, all groups together.
    #[schema(default = 3, maximum = 100)]
    pub retry_count: Option<u32>,
    /// Seconds of one attempt up to the first byte of the answer; may be a fraction.
    #[schema(default = 60)]
    pub timeout: Option<f64>,
    /// Requests a minute; 0 is no limit. Also taken as `rpm`. Not in force yet.
    #[schema(default = 0)]
    pub rpm_limit: Option<u32>,
    /// Model that probes use. Not in force yet.
    pub test_model: Option<String>,
    /// The higher number goes first.
    #[schema(default = 0)]
    pub priority: Option<i32>,
    /// Whether it may serve.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// Whether `proxyConfig` is in force.
    #[schema(default = false)]
    pub proxy_enabled: Option<bool>,
    /// The proxy that its requests leave through. Without the field the stored one stays; null removes it.
    pub proxy_config: Option<super::proxy::ProxyConfigBody>,
    /// Whether the provider is asked for a stream; a client gets what it asks for in any case. `auto`: as the client
    /// asks. `always`: the provider only streams, and a client that wants no stream gets it collected. `never`: the
    /// provider is asked for a whole answer, and a client that wants a stream gets one made of it.
    #[schema(default = "auto")]
    pub upstream_stream: Option<String>,
    /// The older name of one value of `upstreamStream`: true is `never`. Where both are given they must agree.
    #[schema(default = false)]
    pub fake_streaming: Option<bool>,
    /// What to do with request fields that the provider's API cannot express and that only tune the answer: `drop`
    /// leaves them out and names them to the client, `reject` refuses the request. What would change the meaning of a
    /// request is refused in any case.
    #[schema(default = "drop")]
    pub unsupported_parameters: Option<String>,
    /// Beginning of a model's name → facts that differ from what the gateway knows of the model: `maxOutput`,
    /// `sampling`, `thinking`, `budget`, `off`, `thinksByDefault`, `efforts`, `forcedTools`, `prefill`, `jsonSchema`,
    /// `jsonSchemaWithTools`, `stop`, `candidates`, `callIds`, `logprobs`, `schemaFields`, `mediaInResults`,
    /// `needsSignatures`, `penalties`. The longest name counts. A patch replaces whole rows.
    #[schema(value_type = Option<Object>, example = json!({"my-model": {"maxOutput": 8192, "thinking": "none", "efforts": []}}))]
    pub model_facts: Option<Map<String, Value>>,
    /// Version of the provider's API, for `anthropic` (the header `anthropic-version`) and `azure_openai`
    /// (`api-version` in the query: a date asks for the API before `v1`, with the deployment in the path). Without it,
    /// the vendor's default.
    #[schema(example = "2024-10-21", max_length = 64)]
    pub api_version: Option<String>,
    /// Whether background probes cover it. Not in force yet.
    #[schema(default = true)]
    pub health_check_enabled: Option<bool>,
    /// Switches stored upstream keys on and off, by id.
    pub upstream_keys: Option<Vec<super::keys::UpstreamKeyBody>>,
    /// What was read as `updatedAt`: the write is refused with 409 when the group has changed since.
    pub updated_at: Option<i64>,
}
