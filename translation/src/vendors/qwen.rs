//! Alibaba Cloud Model Studio (Qwen), in DashScope's compatible mode:
//! <https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope>.
//!
//! The default is the region Beijing; keys belong to a region. Others:
//! `https://dashscope-intl.aliyuncs.com/compatible-mode/v1` (Singapore),
//! `https://dashscope-us.aliyuncs.com/compatible-mode/v1`, and the workspace's own
//! `https://WORKSPACE.REGION.maas.aliyuncs.com/compatible-mode/v1`. Responses are for a few models only, so not counted
//! on; Anthropic's messages are under another path (`/apps/anthropic`). Thinking is switched by fields of its own, and
//! `json_schema` is for some models. A list of models is not in its reference.

use super::Vendor;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "qwen",
    title: "Alibaba Cloud Model Studio (Qwen)",
    base_url: Some("https://dashscope.aliyuncs.com/compatible-mode/v1"),
    models_path: None,
    quirks: Quirks { json_schema: false, reasoning_effort: false, ..Quirks::COMPATIBLE },
    docs: "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
    ..Vendor::COMPATIBLE
};
