//! Amazon Bedrock: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>.
//!
//! Models are listed at another host (`bedrock.REGION.amazonaws.com`). Images and documents are given as bytes or lie
//! in S3.

use super::{Auth, Vendor};
use crate::format::Format;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "bedrock",
    title: "Amazon Bedrock",
    base_url_example: Some("https://bedrock-runtime.us-east-1.amazonaws.com"),
    formats: &[Format::BedrockConverse],
    paths: &[],
    models_path: None,
    auth: Auth::AwsSigV4,
    quirks: Quirks { media_urls: false, ..Quirks::NONE },
    docs: "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
    ..Vendor::COMPATIBLE
};
