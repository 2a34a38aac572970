//! The vendor that a group calls, and the base URL.

use shared::snapshot::{validate_base_url, validate_host};
use translation::vendors::{self, Vendor};

use super::place::place;
use crate::web::fields::Fields;

const URL_BYTES: usize = 2048;

/// Ends of the paths of endpoints. The gateway adds these itself, so they do not belong into a base URL.
const ENDPOINTS: &[&str] = &["/chat/completions", "/completions", "/responses", "/messages", "/embeddings", "/models"];

/// What stands before the name of a model in Gemini's paths, and what stands behind it.
const MODELS: &str = "/models/";
const METHODS: &[&str] = &[":generateContent", ":streamGenerateContent", ":countTokens", ":embedContent"];

/// The vendor of this name. An unknown name is noted as an error; a missing name has been noted already.
pub(super) fn read_vendor(fields: &mut Fields, name: &str) -> Option<&'static Vendor> {
    let vendor = vendors::by_name(name);
    if vendor.is_none() && !name.trim().is_empty() {
        let names: Vec<&str> = vendors::all().iter().map(|vendor| vendor.name).collect();
        let hint = nearest(name).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        fields.error("providerType", format!("must be one of {}, not {name:?}{hint}", names.join(", ")));
    }
    vendor
}

/// The vendor whose name or title is nearly `given`.
fn nearest(given: &str) -> Option<&'static str> {
    let plain = |text: &str| text.trim().to_ascii_lowercase().replace([' ', '-', '.'], "_");
    let given = plain(given);
    let few = (given.len() / 4).clamp(1, 3);
    let distance = |vendor: &Vendor| {
        strsim::osa_distance(&given, vendor.name).min(strsim::osa_distance(&given, &plain(vendor.title)))
    };
    let near = vendors::all().iter().map(|vendor| (distance(vendor), vendor.name));
    near.filter(|(distance, _)| *distance <= few).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// The base URL that is given, or the vendor's own where none is.
pub(super) fn read_base_url(fields: &mut Fields, vendor: Option<&Vendor>) -> String {
    let given = fields.text("baseUrl", URL_BYTES);
    let given = given.map(|url| url.trim().trim_end_matches('/').to_owned()).filter(|url| !url.is_empty());
    let usual = vendor.and_then(|vendor| vendor.base_url);
    let Some(mut url) = given else {
        // Without a known vendor, the vendor's name has to be corrected first.
        if let (Some(vendor), None) = (vendor, usual) {
            let example = vendor.base_url_example.map(|url| format!(", such as {url}")).unwrap_or_default();
            fields.error("baseUrl", format!("is required for this providerType{example}"));
        }
        return usual.unwrap_or_default().to_owned();
    };
    if !url.contains("://") {
        fields.error(
            "baseUrl",
            format!("{url:?} has no scheme: write https://{url}, or http:// for a server without TLS"),
        );
        return url;
    }
    let path = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    if let Some((base, end)) = without_endpoint(path) {
        if path.len() < url.len() {
            let example = vendor.and_then(|vendor| vendor.base_url.or(vendor.base_url_example));
            let example = example.map(|base| format!(", such as {base}")).unwrap_or_default();
            fields.error("baseUrl", format!("must be the base alone, without {end}, which the gateway adds{example}"));
            return url;
        }
        fields.warn("baseUrl", format!("ended in {end}, which the gateway adds by itself; {base} is kept"));
        url = String::from(base.trim_end_matches('/'));
    }
    if let Err(error) = validate_base_url(&url).and_then(|()| validate_host(&url)) {
        let (field, problem) = place(error);
        fields.error(&field, problem);
        return url;
    }
    if let Some(usual) = vendor.and_then(|vendor| usual_at(&url, vendor)) {
        fields.warn("baseUrl", format!("{url} lacks the path of this API; {usual} is kept"));
        usual.clone_into(&mut url);
    }
    url
}

/// The base of a URL that names an endpoint, and what stands behind it.
fn without_endpoint(url: &str) -> Option<(&str, &str)> {
    if METHODS.iter().any(|method| url.ends_with(method))
        && let Some(at) = url.rfind(MODELS)
    {
        return Some(url.split_at(at));
    }
    let end = ENDPOINTS.iter().find(|end| url.ends_with(**end))?;
    Some((url.strip_suffix(end)?, end))
}

/// The base URL of `vendor`, or of the vendor of the same API whose host `url` names, where `url` is that host alone
/// and the base URL is not.
fn usual_at(url: &str, vendor: &Vendor) -> Option<&'static str> {
    let same_api = |other: &&Vendor| other.name == vendor.name || other.formats.first() == vendor.formats.first();
    let bases =
        std::iter::once(vendor.base_url).chain(vendors::all().iter().filter(same_api).map(|vendor| vendor.base_url));
    let at_host = |base: &&str| base.strip_prefix(url).is_some_and(|rest| rest.starts_with('/'));
    is_bare(url).then(|| bases.flatten().find(at_host)).flatten()
}

/// Whether the URL names a host and no path.
fn is_bare(url: &str) -> bool {
    url.split_once("://").is_some_and(|(_, rest)| !rest.contains('/'))
}

/// Whether `base_url` most likely lacks the version of the API: it is a host alone, and servers of this kind have their
/// API below a path.
pub(super) fn lacks_version(base_url: &str, vendor: &Vendor) -> bool {
    let example = vendor.base_url.or(vendor.base_url_example);
    let versioned_by_us = vendor.formats.first().is_some_and(|format| format.facts().path.whole.starts_with("/v1"));
    is_bare(base_url) && !versioned_by_us && example.is_none_or(|example| !is_bare(example))
}
