//! Paths that are nearly those of an API. A client that has the wrong base URL is told the right one, in the shape of
//! its own API.

use http::request;
use translation::Format;

use crate::auth;

/// An endpoint, as its path stands below the version, and the format of its clients.
struct Known {
    end: &'static str,
    format: Format,
}

const fn known(end: &'static str, format: Format) -> Known {
    Known { end, format }
}

/// Ends of paths, the longer ones of two that end alike first.
const ENDPOINTS: &[Known] = &[
    known("/chat/completions", Format::OpenAiChat),
    known("/completions", Format::OpenAiChat),
    known("/responses", Format::OpenAiChat),
    known("/messages/count_tokens", Format::AnthropicMessages),
    known("/messages", Format::AnthropicMessages),
    known("/embeddings", Format::OpenAiChat),
    known("/moderations", Format::OpenAiChat),
    known("/rerank", Format::OpenAiChat),
    known("/images/generations", Format::OpenAiChat),
    known("/images/edits", Format::OpenAiChat),
    known("/images/variations", Format::OpenAiChat),
    known("/audio/speech", Format::OpenAiChat),
    known("/audio/transcriptions", Format::OpenAiChat),
    known("/audio/translations", Format::OpenAiChat),
    known("/files", Format::OpenAiChat),
    known("/batches", Format::OpenAiChat),
    known("/models", Format::OpenAiChat),
];

/// What stands behind the name of a model in Gemini's paths. Names of other vendors' models hold colons as well.
const METHODS: &[&str] =
    &[":generateContent", ":streamGenerateContent", ":countTokens", ":embedContent", ":batchEmbedContents"];

/// Collections in whose paths an id follows.
const COLLECTIONS: &[&str] = &["/models/", "/files/", "/batches/", "/responses/"];

/// Where the paths stand that belong to operators, in a process that serves them too.
const OPERATORS: &[&str] = &["/admin", "/auth", "/swagger", "/openapi", "/health", "/metrics"];

/// What a path was most likely meant to be.
struct Meant {
    /// What stands before the endpoint, as the client has it.
    before: String,
    /// The endpoint, from its slash on.
    end: String,
    /// The version below which the endpoint is served.
    version: &'static str,
    format: Format,
}

/// The format of a client whose request has no route, or a path that several APIs share. The path decides, and then the
/// place of the credential (`docs/TRANSLATION.md` section 12).
pub(super) fn format_of(parts: &request::Parts) -> Format {
    let path = parts.uri.path();
    // Gemini's own endpoint for clients of OpenAI's API.
    let openais = path.starts_with("/v1beta/openai");
    let of_headers = if auth::is_geminis(parts) {
        Format::GeminiGenerate
    } else if parts.headers.contains_key("anthropic-version") {
        Format::AnthropicMessages
    } else {
        Format::OpenAiChat
    };
    if path.starts_with("/v1beta") && !openais {
        return Format::GeminiGenerate;
    }
    if path.starts_with("/claude") || path.starts_with("/v1/messages") {
        return Format::AnthropicMessages;
    }
    match meant(path) {
        Some(meant) if meant.format != Format::OpenAiChat => meant.format,
        _ => of_headers,
    }
}

/// Whether `path` is nearly one of an API, and not one of the operators'.
pub(super) fn is_near(path: &str) -> bool {
    let path = tidy(path);
    let below = |base: &&str| path.strip_prefix(*base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let versioned = path.split('/').any(is_version);
    !OPERATORS.iter().any(below) && (versioned || meant(&path).is_some())
}

/// Advice to a client of `format` whose path is not served: which base URL it is to have. Empty where none is known.
pub(super) fn advice(parts: &request::Parts, format: Format) -> String {
    let path = parts.uri.path();
    let Some(Meant { before, end, version, format: of_path }) = meant(path) else { return String::new() };
    let served = format!("{version}{end}");
    if served == path {
        return String::new();
    }
    let host = address(parts);
    // Clients of Anthropic's and Gemini's APIs mostly add the version by themselves.
    let adds = of_path != Format::OpenAiChat || format != Format::OpenAiChat;
    let base = if adds {
        format!("{host}, or {host}{version} where the client does not add {version} by itself")
    } else {
        format!("{host}{version}")
    };
    let words = if before.is_empty() {
        format!("the base URL of this client has to end in {version}: {host}{version}")
    } else if repeats_version(&before) && !adds {
        format!(
            "one {version} is too many: the base URL of this client has to be {base}, or {host} where the client adds \
             {version} by itself"
        )
    } else if repeats_version(&before) {
        let base = if before.starts_with("/claude") { format!("{host}/claude") } else { host };
        format!("this client adds the version to its base URL, which must not end in it: it has to be {base}")
    } else if meant(&before).is_some() {
        format!("this client adds {end} to its base URL, which must not end in it: it has to be {base}")
    } else {
        format!("the base URL of this client has to be {base}")
    };
    format!(": {words}. The path that is served is {served}")
}

/// The endpoint that `path` ends in, where it ends in one.
fn meant(path: &str) -> Option<Meant> {
    let path = tidy(path);
    let found = |at: usize, version, format| {
        let (before, end) = path.split_at(at);
        Some(Meant { before: before.to_owned(), end: end.to_owned(), version, format })
    };
    if METHODS.iter().any(|method| path.ends_with(method))
        && let Some(at) = path.rfind("/models/")
    {
        return found(at, "/v1beta", Format::GeminiGenerate);
    }
    if let Some(known) = ENDPOINTS.iter().find(|known| path.ends_with(known.end)) {
        return found(path.len() - known.end.len(), "/v1", known.format);
    }
    let at = COLLECTIONS.iter().filter_map(|collection| path.rfind(collection)).max()?;
    found(at, "/v1", Format::OpenAiChat)
}

/// `path` with single slashes, and none at its end.
fn tidy(path: &str) -> String {
    let mut tidy = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        tidy.push('/');
        tidy.push_str(segment);
    }
    tidy
}

fn is_version(segment: &str) -> bool {
    matches!(segment, "v1" | "v1beta")
}

/// Whether two versions stand one behind the other at the end of `before`.
fn repeats_version(before: &str) -> bool {
    let mut segments = before.rsplit('/');
    segments.next().is_some_and(is_version) && segments.next().is_some_and(is_version)
}

/// The address at which the client has reached this gateway.
fn address(parts: &request::Parts) -> String {
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    let host = host.filter(|host| !host.is_empty() && host.bytes().all(plain)).unwrap_or("GATEWAY");
    let forwarded = parts.headers.get("x-forwarded-proto");
    let tls = forwarded.is_some_and(|scheme| scheme == "https") || parts.uri.scheme_str() == Some("https");
    format!("{}://{host}", if tls { "https" } else { "http" })
}

#[cfg(test)]
mod tests;
