//! Azure OpenAI, of a resource: <https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle>.
//!
//! Its API `v1` needs no version in the query (it takes `preview`), and the body's `model` is the name of the
//! deployment. A version that is a date, such as `2024-10-21`, asks for the API before that, where the deployment
//! stands in the path (<https://learn.microsoft.com/azure/ai-foundry/openai/reference>); responses are in previews of
//! it only, so they are not counted on. What a version lacks it refuses. By the list of changes between versions
//! (<https://learn.microsoft.com/azure/ai-services/openai/api-version-deprecation>), structured outputs came with
//! `2024-08-01-preview`, `stream_options`, `parallel_tool_calls` and `max_completion_tokens` with `2024-09-01-preview`,
//! and with `2024-12-01-preview` the reasoning models with `reasoning_effort` and the role `developer`, and `store` and
//! `metadata`. The list of models names those that can be deployed, not the deployments.

use super::{ApiVersion, Auth, Dated, Vendor};
use crate::format::{Format, Path};
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "azure_openai",
    title: "Azure OpenAI",
    base_url_example: Some("https://RESOURCE.openai.azure.com"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    paths: &[
        (Format::OpenAiChat, Path::one("/openai/v1/chat/completions")),
        (Format::OpenAiResponses, Path::one("/openai/v1/responses")),
    ],
    dated: Some(Dated {
        formats: &[Format::OpenAiChat],
        paths: &[
            (Format::OpenAiChat, Path::one("/openai/deployments/{model}/chat/completions")),
            (Format::OpenAiResponses, Path::one("/openai/responses")),
        ],
    }),
    models_path: Some("/openai/v1/models"),
    auth: Auth::AzureApiKey,
    api_version: ApiVersion::Query { name: "api-version" },
    quirks: Quirks::NONE,
    quirks_before: &[
        ("2024-08-01", Quirks { json_schema: false, ..BEFORE_2024_09 }),
        ("2024-09-01", BEFORE_2024_09),
        ("2024-12-01", BEFORE_2024_12),
    ],
    docs: "https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle",
    ..Vendor::COMPATIBLE
};

const BEFORE_2024_12: Quirks = Quirks { developer_role: false, reasoning_effort: false, ..Quirks::NONE };

const BEFORE_2024_09: Quirks =
    Quirks { max_completion_tokens: false, stream_usage: false, parallel_tool_calls: false, ..BEFORE_2024_12 };
