//! Anthropic: <https://platform.claude.com/docs/en/api/messages>.
//!
//! The version is the one whose rules the translation is written for (`docs/TRANSLATION.md` section 1.1): later ones
//! refuse sampling parameters of models that take them.

use super::{ApiVersion, Auth, Vendor};
use crate::format::Format;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "anthropic",
    title: "Anthropic",
    base_url: Some("https://api.anthropic.com"),
    formats: &[Format::AnthropicMessages],
    paths: &[],
    models_path: Some("/v1/models"),
    auth: Auth::XApiKey,
    api_version: ApiVersion::Header { name: "anthropic-version", default: "2023-06-01" },
    quirks: Quirks::NONE,
    docs: "https://platform.claude.com/docs/en/api/messages",
    ..Vendor::COMPATIBLE
};
