//! Takes an upstream key out of an answer that repeats it.

use bytes::Bytes;

use crate::route::table::RoutedKey;

const INSTEAD: &[u8] = b"[redacted]";

/// `bytes` without the secret of `key`. Where it is not in them, as is usual, they are the same, uncopied.
pub fn redact(key: &RoutedKey, bytes: Bytes) -> Bytes {
    let Some(leak) = &key.leak else { return bytes };
    let Some(first) = leak.find(&bytes) else { return bytes };
    let mut clean = Vec::with_capacity(bytes.len());
    let mut from = 0;
    let mut next = Some(first);
    while let Some(at) = next {
        clean.extend_from_slice(&bytes[from..from + at]);
        clean.extend_from_slice(INSTEAD);
        from += at + leak.needle().len();
        next = leak.find(&bytes[from..]);
    }
    clean.extend_from_slice(&bytes[from..]);
    clean.into()
}

/// The same for a text.
pub fn redact_text(key: &RoutedKey, text: String) -> String {
    let clean = redact(key, Bytes::from(text));
    String::from_utf8_lossy(&clean).into_owned()
}

#[cfg(test)]
mod tests;
