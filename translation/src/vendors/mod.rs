//! What is known of the vendors that groups call: addresses, wire formats, and where a vendor differs from the owner of
//! the format. It is data, in one file for each vendor, and the list below.
//!
//! A file says what the vendor's documentation says. Where that is silent or differs by model, the file takes what no
//! model of the vendor refuses. Where the client's format is one of the vendor's own the bytes pass through, so quirks
//! count for translated requests only, except how the vendor is asked to think and what it refuses in a history.

use std::fmt::Write as _;

use crate::format::{Format, Path};
use crate::protocol::contract::Quirks;

mod errors;
pub mod key;

pub use errors::{ErrorRules, Refused, Renewal, Sign};

/// Declares the file of each vendor, and lists the vendors.
macro_rules! vendors {
    ($($name:ident,)+) => {
        $(mod $name;)+

        /// All vendors, in the order in which they are shown.
        static ALL: &[Vendor] = &[$($name::VENDOR,)+];
    };
}

vendors! {
    openai,
    openai_responses,
    anthropic,
    gemini,
    azure_openai,
    bedrock,
    vertex,
    openai_compatible,
    deepseek,
    groq,
    mistral,
    xai,
    openrouter,
    together,
    fireworks,
    cerebras,
    perplexity,
    moonshot,
    qwen,
    zhipu,
    siliconflow,
    ollama,
    vllm,
}

/// A vendor, or a kind of server that an operator runs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Vendor {
    /// The name in config, as a group's `providerType`.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The base URL, as the vendor's own SDK takes it, without a trailing slash. None where only the operator knows it.
    pub base_url: Option<&'static str>,
    /// An example of the operator's base URL, where there is no default and it has a form.
    pub base_url_example: Option<&'static str>,
    /// The chat formats that the vendor serves below its base URL. The first is preferred: requests of clients of other
    /// formats are translated into it.
    pub formats: &'static [Format],
    /// Models that the vendor serves in other formats: the beginning of the name → formats. The first match counts.
    pub model_formats: &'static [(&'static str, &'static [Format])],
    /// Where below the base URL a format is served, if not where the format's owner serves it.
    pub paths: &'static [(Format, Path)],
    /// What the vendor serves to a group whose `apiVersion` is a date: Azure's API before it had the version `v1`.
    pub dated: Option<Dated>,
    /// Where below the base URL the vendor lists its models.
    pub models_path: Option<&'static str>,
    /// How a request proves who sends it.
    pub auth: Auth,
    /// How a request says for which version of the API it is written.
    pub api_version: ApiVersion,
    /// Bodies of the Anthropic format carry this `anthropic_version` and no `model`, which stands in the URL (Vertex).
    pub anthropic_body_version: Option<&'static str>,
    /// Where the vendor differs from the owner of the format.
    pub quirks: Quirks,
    /// The quirks of versions of the API before these dates, the oldest first.
    pub quirks_before: &'static [(&'static str, Quirks)],
    /// How the vendor's error answers are read, beside the format of their bodies.
    pub errors: ErrorRules,
    /// The vendor's API reference.
    pub docs: &'static str,
}

/// What a vendor serves under an `apiVersion` that is a date.
#[derive(Clone, Copy, Debug)]
pub struct Dated {
    /// The formats, as [`Vendor::formats`].
    pub formats: &'static [Format],
    /// The paths, as [`Vendor::paths`].
    pub paths: &'static [(Format, Path)],
}

/// How a request proves who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer <key>`.
    Bearer,
    /// `x-api-key: <key>`, as Anthropic has it.
    XApiKey,
    /// `x-goog-api-key: <key>`.
    GoogApiKey,
    /// `api-key: <key>`.
    AzureApiKey,
    /// A signature made with an AWS access key (Signature Version 4).
    AwsSigV4,
    /// An access token that is got with the JSON key of a Google service account.
    GoogleServiceAccount,
}

/// How a request says for which version of the API it is written. A group's `apiVersion` sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiVersion {
    /// A request does not say it: `apiVersion` has no meaning.
    None,
    /// In this header, which must be there.
    Header {
        /// The name of the header.
        name: &'static str,
        /// The header's value where the group sets none.
        default: &'static str,
    },
    /// In this parameter of the query, where the group sets one.
    Query {
        /// The name of the parameter.
        name: &'static str,
    },
}

impl Vendor {
    /// A vendor that is compatible with OpenAI and of which nothing else is known. Files of vendors start from it.
    const COMPATIBLE: Self = Self {
        name: "",
        title: "",
        base_url: None,
        base_url_example: None,
        formats: &[Format::OpenAiChat],
        model_formats: &[],
        // The base URL ends in `/v1`, like OpenAI's.
        paths: &[(Format::AnthropicMessages, Path::one("/messages"))],
        dated: None,
        models_path: Some("/models"),
        auth: Auth::Bearer,
        api_version: ApiVersion::None,
        anthropic_body_version: None,
        quirks: Quirks::COMPATIBLE,
        quirks_before: &[],
        errors: ErrorRules::USUAL,
        docs: "",
    };

    /// The chat formats in which the vendor serves `model` to a group with this `apiVersion`, the preferred one first.
    pub fn formats_of(&self, model: &str, api_version: Option<&str>) -> &'static [Format] {
        let special = self.model_formats.iter().find(|(prefix, _)| model.starts_with(prefix));
        match (special, self.dated_api(api_version)) {
            (Some((_, formats)), _) => formats,
            (None, Some(dated)) => dated.formats,
            (None, None) => self.formats,
        }
    }

    /// Path and query below the base URL of a chat request for `model`, for a group with this `apiVersion`.
    pub fn path(&self, format: Format, model: &str, stream: bool, api_version: Option<&str>) -> String {
        let paths = self.dated_api(api_version).map_or(self.paths, |dated| dated.paths);
        let path = paths.iter().find(|(known, _)| *known == format).map_or(format.facts().path, |(_, path)| *path);
        let path = if stream { path.stream } else { path.whole };
        let mut path = match path.split_once("{model}") {
            Some((before, after)) => format!("{before}{}{after}", segment(model)),
            None => path.to_owned(),
        };
        if let Some((name, value)) = self.version_query(api_version) {
            let joint = if path.contains('?') { '&' } else { '?' };
            // Writing to a text does not fail.
            let _ = write!(path, "{joint}{name}={}", segment(value));
        }
        path
    }

    /// Path and query below the base URL of the list of models, for a group with this `apiVersion`.
    pub fn models(&self, api_version: Option<&str>) -> Option<String> {
        let path = self.models_path?;
        // Only today's API has the list.
        let version = self.version_query(api_version).filter(|_| self.dated_api(api_version).is_none());
        Some(version.map_or_else(|| path.to_owned(), |(name, value)| format!("{path}?{name}={}", segment(value))))
    }

    /// Path and query below the base URL of one page of that list, as large as the vendor gives them: the first, or the
    /// one that a parameter of this name and value asks for.
    pub fn models_page(&self, api_version: Option<&str>, page: Option<(&str, &str)>) -> Option<String> {
        let mut path = self.models(api_version)?;
        let size = self.formats.first().and_then(|format| format.facts().models_page);
        for (name, value) in size.into_iter().chain(page) {
            path.push(if path.contains('?') { '&' } else { '?' });
            // Writing to a text does not fail.
            let _ = write!(path, "{name}={}", segment(value));
        }
        Some(path)
    }

    /// The header that names the version of the API, for a group with this `apiVersion`.
    pub fn version_header<'v>(&self, api_version: Option<&'v str>) -> Option<(&'static str, &'v str)> {
        match self.api_version {
            ApiVersion::Header { name, default } => Some((name, api_version.unwrap_or(default))),
            ApiVersion::Query { .. } | ApiVersion::None => None,
        }
    }

    /// The field of a body in `format` that names the version of the API, and the version: for vendors that want it in
    /// place of the model, which stands in the URL.
    pub fn body_version(&self, format: Format) -> Option<(&'static str, &'static str)> {
        format.facts().version_field.zip(self.anthropic_body_version)
    }

    /// Where the vendor differs from the owner of the format, for a group with this `apiVersion`.
    pub fn quirks_of(&self, api_version: Option<&str>) -> &Quirks {
        let dated = api_version.filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
        let older = |date: &str| dated.is_some_and(|version| version < date);
        self.quirks_before.iter().find(|(date, _)| older(date)).map_or(&self.quirks, |(_, quirks)| quirks)
    }

    /// Whether a group of this vendor may set `apiVersion`.
    pub fn takes_api_version(&self) -> bool {
        self.api_version != ApiVersion::None
    }

    fn version_query<'v>(&self, api_version: Option<&'v str>) -> Option<(&'static str, &'v str)> {
        match self.api_version {
            ApiVersion::Query { name } => api_version.map(|version| (name, version)),
            ApiVersion::Header { .. } | ApiVersion::None => None,
        }
    }

    fn dated_api(&self, api_version: Option<&str>) -> Option<&Dated> {
        self.dated
            .as_ref()
            .filter(|_| api_version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit())))
    }
}

/// `text` as one segment of a path (RFC 3986, section 3.3). The slashes of a resource name and the colons of an Amazon
/// one are part of the segment.
fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// All vendors, in the order in which they are shown.
pub fn all() -> &'static [Vendor] {
    ALL
}

/// The vendor that config calls `name`.
pub fn by_name(name: &str) -> Option<&'static Vendor> {
    ALL.iter().find(|vendor| vendor.name == name)
}

#[cfg(test)]
mod tests;
