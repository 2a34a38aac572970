//! The vendor that a group calls, and the base URL.

use shared::snapshot::validate_base_url;
use translation::vendors::{self, Vendor};

use super::place::place;
use crate::web::fields::Fields;

const URL_BYTES: usize = 2048;

/// Ends of the paths of endpoints. The gateway adds these itself, so they do not belong into a base URL.
const ENDPOINTS: &[&str] = &[
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages",
    "/embeddings",
    ":generateContent",
    ":streamGenerateContent",
];

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
    let Some(url) = given else {
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
    if let Some(problem) = endpoint(&url, vendor) {
        fields.error("baseUrl", problem);
    } else if let Err(error) = validate_base_url(&url) {
        let (field, problem) = place(error);
        fields.error(&field, problem);
    }
    url
}

/// The problem of a URL that names an endpoint, where it does.
fn endpoint(url: &str, vendor: Option<&Vendor>) -> Option<String> {
    let path = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let end = ENDPOINTS.iter().find(|end| path.ends_with(**end))?;
    let example = vendor.and_then(|vendor| vendor.base_url.or(vendor.base_url_example));
    let example = example.map(|base| format!(", such as {base}")).unwrap_or_default();
    Some(format!("must be the base alone, without {end}, which the gateway adds{example}"))
}
