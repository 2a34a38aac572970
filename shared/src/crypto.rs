//! The cryptography that both planes need, on aws-lc: digests, random tokens, and sealing of values at rest.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use zeroize::Zeroizing;

/// Length of a SHA-256 digest and of a sealing key.
pub const KEY_LEN: usize = 32;

/// Why a value could not be sealed or opened. Says nothing of the value.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CryptoError {
    /// The operating system gave no random bytes, or the library refused the input.
    #[error("the value could not be sealed")]
    Seal,
    /// The key or the associated data is another one, or the bytes are damaged.
    #[error("the value could not be opened: it was sealed under another key, or is damaged")]
    Open,
    /// The text does not have the form that [`SealingKey::seal_text`] writes.
    #[error("the sealed text is malformed")]
    Malformed,
    /// The text names a key that is not at hand.
    #[error("the value was sealed under another master key, {0:?}")]
    UnknownKey(String),
}

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; KEY_LEN] {
    let mut out = [0; KEY_LEN];
    out.copy_from_slice(digest(&SHA256, data).as_ref());
    out
}

/// `data` in lower-case hexadecimal.
pub fn hex(data: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    data.iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// `bytes` random bytes from the operating system, as URL-safe base64 without padding.
///
/// # Errors
/// [`CryptoError::Seal`] when the operating system has no randomness to give.
pub fn random_token(bytes: usize) -> Result<String, CryptoError> {
    let mut buffer = Zeroizing::new(vec![0; bytes]);
    aws_lc_rs::rand::fill(&mut buffer).map_err(|_| CryptoError::Seal)?;
    Ok(URL_SAFE_NO_PAD.encode(&*buffer))
}

/// Whether two byte strings are equal. The time it takes does not tell where they differ.
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left, right).is_ok()
}

/// An AES-256-GCM key with a name. A sealed text names its key, so that keys can be rotated.
pub struct SealingKey {
    id: String,
    key: RandomizedNonceKey,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SealingKey {
    /// A key from 32 secret bytes.
    ///
    /// # Errors
    /// [`CryptoError::Seal`] when `key` has another length.
    pub fn new(id: impl Into<String>, key: &[u8]) -> Result<Self, CryptoError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| CryptoError::Seal)?;
        Ok(Self { id: id.into(), key })
    }

    /// A key derived from a secret text (HKDF-SHA-256, RFC 5869). `purpose` keeps keys of different uses apart.
    ///
    /// # Errors
    /// [`CryptoError::Seal`] when the library refuses the input.
    pub fn derive(id: impl Into<String>, secret: &[u8], purpose: &str) -> Result<Self, CryptoError> {
        struct Length;
        impl KeyType for Length {
            fn len(&self) -> usize {
                KEY_LEN
            }
        }
        let mut key = Zeroizing::new([0; KEY_LEN]);
        Salt::new(HKDF_SHA256, b"orchestration-api")
            .extract(secret)
            .expand(&[purpose.as_bytes()], Length)
            .and_then(|okm| okm.fill(&mut *key))
            .map_err(|_| CryptoError::Seal)?;
        Self::new(id, &*key)
    }

    /// The name of the key, with which every text of [`Self::seal_text`] begins.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals `plain`. `context` says what the value is and must be given again to open it, so that a sealed value
    /// cannot be moved to another place. The result is the nonce (12 bytes), then the ciphertext with its tag.
    ///
    /// # Errors
    /// [`CryptoError::Seal`].
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut body = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut body)
            .map_err(|_| CryptoError::Seal)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`CryptoError::Open`].
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(CryptoError::Open)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CryptoError::Open)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut body)
            .map_err(|_| CryptoError::Open)?
            .len();
        body.truncate(length);
        Ok(body)
    }

    /// [`Self::seal`] as text: `<key id>.<base64>`.
    ///
    /// # Errors
    /// [`CryptoError::Seal`].
    pub fn seal_text(&self, context: &str, plain: &str) -> Result<String, CryptoError> {
        Ok(format!("{}.{}", self.id, URL_SAFE_NO_PAD.encode(self.seal(context, plain.as_bytes())?)))
    }

    /// Opens what [`Self::seal_text`] made.
    ///
    /// # Errors
    /// [`CryptoError::UnknownKey`] for a text sealed under a key of another name, [`CryptoError::Malformed`],
    /// [`CryptoError::Open`].
    pub fn open_text(&self, context: &str, sealed: &str) -> Result<Zeroizing<String>, CryptoError> {
        let (id, body) = sealed.split_once('.').ok_or(CryptoError::Malformed)?;
        if id != self.id {
            return Err(CryptoError::UnknownKey(id.to_owned()));
        }
        let body = URL_SAFE_NO_PAD.decode(body).map_err(|_| CryptoError::Malformed)?;
        let plain = self.open(context, &body)?;
        std::str::from_utf8(&plain).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| CryptoError::Malformed)
    }
}

#[cfg(test)]
mod tests;
