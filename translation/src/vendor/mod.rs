//! temp
use crate::protocol::{Format, Quirks};
/// v
#[derive(Debug)]
pub struct Vendor {
    /// n
    pub name: &'static str,
    /// t
    pub title: &'static str,
    /// b
    pub base_url: Option<&'static str>,
    /// f
    pub formats: &'static [Format],
    /// m
    pub models_path: Option<&'static str>,
    /// a
    pub auth: Auth,
    /// q
    pub quirks: Quirks,
    /// d
    pub docs: &'static str,
}
/// a
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// b
    Bearer,
    /// x
    XApiKey,
    /// g
    GoogApiKey,
    /// az
    AzureApiKey,
    /// aws
    AwsSigV4,
    /// sa
    GoogleServiceAccount,
}
static ALL: &[Vendor] = &[
    Vendor {
        name: "openai",
        title: "",
        base_url: None,
        formats: &[Format::OpenAiChat, Format::OpenAiResponses],
        models_path: None,
        auth: Auth::Bearer,
        quirks: Quirks::NONE,
        docs: "",
    },
    Vendor {
        name: "openai_responses",
        title: "",
        base_url: None,
        formats: &[Format::OpenAiResponses],
        models_path: None,
        auth: Auth::Bearer,
        quirks: Quirks::NONE,
        docs: "",
    },
    Vendor {
        name: "openai_compatible",
        title: "",
        base_url: None,
        formats: &[Format::OpenAiChat],
        models_path: None,
        auth: Auth::Bearer,
        quirks: Quirks::COMPATIBLE,
        docs: "",
    },
    Vendor {
        name: "anthropic",
        title: "",
        base_url: None,
        formats: &[Format::AnthropicMessages],
        models_path: None,
        auth: Auth::XApiKey,
        quirks: Quirks::NONE,
        docs: "",
    },
    Vendor {
        name: "gemini",
        title: "",
        base_url: None,
        formats: &[Format::GeminiGenerate],
        models_path: None,
        auth: Auth::GoogApiKey,
        quirks: Quirks::NONE,
        docs: "",
    },
    Vendor {
        name: "azure_openai",
        title: "",
        base_url: None,
        formats: &[Format::OpenAiChat, Format::OpenAiResponses],
        models_path: None,
        auth: Auth::AzureApiKey,
        quirks: Quirks::NONE,
        docs: "",
    },
];
/// b
pub fn by_name(name: &str) -> Option<&'static Vendor> {
    ALL.iter().find(|vendor| vendor.name == name)
}
