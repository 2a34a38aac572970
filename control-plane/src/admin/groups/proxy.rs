//! The proxy that the requests of a group leave through, or those with one upstream key.

use axum::http::Uri;
use shared::secret::Secret;
use shared::snapshot::{OutboundProxy, ProxyScheme};
use utoipa::ToSchema;

use crate::web::fields::{Fields, Known, MASK_MARK};

pub(super) const PROXY_FIELDS: &[Known] = &[
    Known::new("type"),
    Known::new("host"),
    Known::new("port"),
    Known::new("username"),
    Known::new("password"),
    Known::new("bypassLocal"),
    Known::new("bypassDomains"),
];

const DEFAULT_PORT: u16 = 8080;

/// Longest host name (RFC 1035), in bytes.
const HOST_BYTES: usize = 253;
const CREDENTIAL_BYTES: usize = 1024;

/// A proxy between a node and the provider.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ProxyConfigBody {
    /// Protocol of the proxy: `http`, `https` or `socks5`.
    #[schema(rename = "type", default = "http")]
    pub kind: Option<String>,
    /// Host name or address of the proxy.
    pub host: String,
    /// TCP port of the proxy.
    #[schema(default = 8080, minimum = 1)]
    pub port: Option<u16>,
    /// User name, where the proxy wants one.
    pub username: Option<String>,
    /// Password, where the proxy wants one. The mask, or leaving the field out, keeps the stored password; an empty
    /// text removes it.
    pub password: Option<String>,
    /// Whether requests to the local network go around the proxy.
    #[schema(default = true)]
    pub bypass_local: Option<bool>,
    /// Domains to which requests go around the proxy.
    pub bypass_domains: Option<Vec<String>>,
}

/// The proxy of a group, or of a key, as it is written, and whether it has a stored password that was not sent.
pub(super) fn read_proxy(group: &mut Fields, existing: Option<&OutboundProxy>) -> (Option<OutboundProxy>, bool) {
    if !group.has("proxyConfig") {
        return (existing.cloned(), existing.is_some_and(|proxy| !proxy.password.is_empty()));
    }
    let Some(given) = group.object("proxyConfig") else { return (None, false) };
    let mut fields = group.nested("proxyConfig", given, PROXY_FIELDS);
    let host = fields.required_text("host", HOST_BYTES).trim().to_owned();
    if !host.is_empty() && !is_host(&host) {
        fields.error("host", "must be a host name or an address, without scheme, port or path");
    }
    let port = fields.integer("port", 1, i64::from(u16::MAX)).and_then(|port| u16::try_from(port).ok());
    let (password, keeps) = read_password(&mut fields, existing);
    let proxy = OutboundProxy {
        scheme: fields.name_of("type", ProxyScheme::NAMES, ProxyScheme::from_name).unwrap_or_default(),
        host,
        port: port.unwrap_or(DEFAULT_PORT),
        username: fields.text("username", CREDENTIAL_BYTES).unwrap_or_default(),
        password,
        bypass_local: fields.boolean("bypassLocal", true),
        bypass_domains: fields.texts("bypassDomains", HOST_BYTES).unwrap_or_default(),
    };
    group.absorb(fields);
    (Some(proxy), keeps)
}

/// The password, and whether it is a stored one.
fn read_password(fields: &mut Fields, existing: Option<&OutboundProxy>) -> (Secret, bool) {
    let stored = existing.map(|proxy| proxy.password.clone()).unwrap_or_default();
    let keeps = !stored.is_empty();
    match fields.text("password", CREDENTIAL_BYTES) {
        None => (stored, keeps),
        Some(text) if !text.contains(MASK_MARK) => (text.into(), false),
        Some(text) if keeps && stored.mask() == text => (stored, true),
        Some(_) => {
            fields.error("password", "is a mask, but of no stored password: send the password itself");
            (Secret::default(), false)
        }
    }
}

fn is_host(host: &str) -> bool {
    let bracketed = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    let uri = format!("http://{bracketed}/").parse::<Uri>();
    uri.is_ok_and(|uri| uri.host() == Some(&bracketed) && uri.port().is_none() && uri.path() == "/")
}
