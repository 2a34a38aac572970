//! Which texts of a group's config are secrets.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use shared::secret::Secret;
use shared::snapshot::OutboundProxy;

/// Words in the name of a header whose value is a secret.
const NAMES: [&str; 9] = ["auth", "key", "token", "secret", "cookie", "credential", "password", "session", "signature"];

/// The secrets in an upstream key: the key itself, and the parts of one that has several.
pub(super) fn of_key(key: &Secret) -> Vec<Secret> {
    let text = key.expose();
    let mut secrets = vec![key.clone()];
    let file = || serde_json::from_str::<serde_json::Value>(text).ok();
    if let Some(file) = text.trim_start().starts_with('{').then(file).flatten() {
        // The key file of a service account. Each line of the private key gives a part of it away.
        let private = file["private_key"].as_str().unwrap_or_default();
        let lines = private.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
        secrets.extend(lines.map(Secret::from).chain([Secret::from(private)]));
    } else if let Some((_, rest)) = text.split_once(':') {
        // AWS: the id of the key is no secret, the secret and the session token are.
        let rest = rest.rsplit_once('@').map_or(rest, |(parts, _region)| parts);
        secrets.extend(rest.split(':').map(Secret::from));
    }
    secrets
}

/// The secrets among `headers`, which go with each request of a group or of a key.
pub(super) fn of_headers(headers: &BTreeMap<String, Secret>) -> Vec<Secret> {
    let secret = |name: &str, value: &str| {
        let name = name.to_ascii_lowercase();
        NAMES.iter().any(|word| name.contains(word)) || looks_secret(value)
    };
    let of_value = |value: &str| {
        let mut secrets = vec![Secret::from(value)];
        if let Some((scheme, rest)) = value.split_once(' ') {
            secrets.push(Secret::from(rest.trim()));
            let pair = STANDARD.decode(rest.trim()).ok().and_then(|pair| String::from_utf8(pair).ok());
            if scheme.eq_ignore_ascii_case("basic")
                && let Some(pair) = pair
            {
                secrets.extend(pair.split_once(':').map(|(_, password)| Secret::from(password)));
                secrets.push(Secret::from(pair));
            }
        }
        secrets
    };
    let headers = headers.iter().filter(|(name, value)| secret(name, value.expose()));
    headers.flat_map(|(_, value)| of_value(value.expose())).collect()
}

/// Whether a value is long, without spaces, and of letters and digits, as keys are.
fn looks_secret(value: &str) -> bool {
    let any = |is: fn(&u8) -> bool| value.as_bytes().iter().any(is);
    value.len() >= 20 && !value.contains([' ', '/']) && any(u8::is_ascii_digit) && any(u8::is_ascii_alphabetic)
}

/// The secrets of a group's proxy: the password, and the pair in which it is shown.
pub(super) fn of_proxy(proxy: &OutboundProxy) -> Vec<Secret> {
    let password = proxy.password.expose();
    if password.is_empty() {
        return Vec::new();
    }
    vec![proxy.password.clone(), Secret::from(format!("{}:{password}", proxy.username))]
}
