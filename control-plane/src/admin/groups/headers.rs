//! Headers that go with each upstream request of a group, or with those of one upstream key.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue};
use serde_json::Value;
use shared::secret::Secret;
use shared::snapshot::is_reserved_header;
use translation::vendors::Vendor;

use crate::web::fields::{Fields, MASK_MARK, into_text, kind};

/// Longest value of a header, in bytes.
const HEADER_BYTES: usize = 8192;

/// The headers, and the names of those whose values are stored ones that were not sent.
pub(super) fn read_headers(
    fields: &mut Fields,
    vendor: Option<&Vendor>,
    existing: Option<&BTreeMap<String, Secret>>,
) -> (BTreeMap<String, Secret>, Vec<String>) {
    // The values of headers are secrets, which a write without the field keeps.
    if !fields.has("headers") {
        let headers = existing.cloned().unwrap_or_default();
        for name in headers.keys() {
            if let Some(problem) = header_problem(name, vendor) {
                fields.error(&format!("headers[{name}]"), problem);
            }
        }
        let names = headers.keys().cloned().collect();
        return (headers, names);
    }
    let (mut headers, mut kept) = (BTreeMap::new(), Vec::new());
    for (name, value) in fields.object("headers").unwrap_or_default() {
        let field = format!("headers[{name}]");
        match header(&name, value, vendor, existing) {
            Ok((name, value, stored)) => {
                if stored {
                    kept.push(name.clone());
                }
                if headers.insert(name, value).is_some() {
                    fields.error(&field, "is given twice");
                }
            }
            Err(problem) => fields.error(&field, problem),
        }
    }
    (headers, kept)
}

/// The name and value of a header, and whether the value is a stored one that was not sent.
fn header(
    name: &str,
    value: Value,
    vendor: Option<&Vendor>,
    existing: Option<&BTreeMap<String, Secret>>,
) -> Result<(String, Secret, bool), String> {
    let Ok(name) = HeaderName::from_bytes(name.trim().as_bytes()) else {
        return Err("is not a header name".to_owned());
    };
    if let Some(problem) = header_problem(name.as_str(), vendor) {
        return Err(problem);
    }
    let value = into_text(value).map_err(|other| format!("must be a text, not {}", kind(&other)))?;
    if value.contains(MASK_MARK) {
        let kept = existing.and_then(|headers| headers.get(name.as_str())).filter(|stored| stored.mask() == value);
        let kept = kept.ok_or("is a mask, but of no stored value: send the value itself")?;
        return Ok((name.as_str().to_owned(), kept.clone(), true));
    }
    if value.len() > HEADER_BYTES || HeaderValue::from_str(&value).is_err() {
        return Err("is not a header value".to_owned());
    }
    Ok((name.as_str().to_owned(), value.into(), false))
}

/// Why no group of `vendor` may set the header `name`, where none may.
fn header_problem(name: &str, vendor: Option<&Vendor>) -> Option<String> {
    if is_reserved_header(name) {
        return Some("belongs to the connection or to the gateway and cannot be set".to_owned());
    }
    let vendor = vendor.filter(|vendor| vendor.auth.is_foreign_credential(name))?;
    let own = vendor.auth.header();
    Some(format!(
        "is the place of a credential, but not of {}'s, which stands in {own}: put the key into apiKeys",
        vendor.title
    ))
}
