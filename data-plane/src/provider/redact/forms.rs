//! The forms in which a secret may be repeated.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Secrets shorter than this are not looked for: they would be found in ordinary words.
const SHORTEST: usize = 8;

/// The texts to be looked for where `secret` must not be repeated. None for a secret that is too short.
pub(super) fn of(secret: &str) -> Vec<Vec<u8>> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![
        secret.as_bytes().to_vec(),
        // Names of headers are in lower case.
        secret.to_ascii_lowercase().into_bytes(),
        json(secret),
        json(secret).replace_slashes(),
        url(secret, true),
        url(secret, false),
    ];
    for start in 0..3 {
        let plain = aligned(secret, start, |bytes| STANDARD_NO_PAD.encode(bytes));
        // JSON may escape the slashes of base64, and a URL its signs.
        forms.push(plain.clone().into_bytes().replace_slashes());
        forms.push(url(&plain, true));
        forms.push(plain.into_bytes());
        forms.push(aligned(secret, start, |bytes| URL_SAFE_NO_PAD.encode(bytes)).into_bytes());
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// `secret` as it stands within a JSON string.
fn json(secret: &str) -> Vec<u8> {
    let quoted = serde_json::Value::from(secret).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().as_bytes().to_vec()
}

trait Slashes {
    /// The text with `/` as `\/`, which JSON allows.
    fn replace_slashes(self) -> Self;
}

impl Slashes for Vec<u8> {
    fn replace_slashes(self) -> Self {
        self.into_iter().flat_map(|byte| if byte == b'/' { vec![b'\\', b'/'] } else { vec![byte] }).collect()
    }
}

/// `text` in a URL (RFC 3986, section 2), with the digits of its codes in upper case or not.
fn url(text: &str, upper: bool) -> Vec<u8> {
    let mut coded = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            coded.push(byte);
        } else if upper {
            coded.extend(format!("%{byte:02X}").bytes());
        } else {
            coded.extend(format!("%{byte:02x}").bytes());
        }
    }
    coded
}

/// The characters in base64 that depend on nothing but `secret`, where `start` bytes (modulo 3) stand before it.
fn aligned(secret: &str, start: usize, encode: impl Fn(Vec<u8>) -> String) -> String {
    let bytes = [&vec![0; start][..], secret.as_bytes()].concat();
    let first = (start * 8).div_ceil(6);
    let end = bytes.len() * 8 / 6;
    encode(bytes).get(first..end).unwrap_or_default().to_owned()
}
