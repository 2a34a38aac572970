//! Vectors for embeddings. They are the same for the same text, and of length one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A vector of `dimensions` that follows from `text`.
pub(crate) fn of(text: &str, dimensions: usize) -> Vec<f32> {
    let mut state = hash(text.as_bytes());
    let mut vector: Vec<f32> = (0..dimensions)
        .map(|_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let [high, low, ..] = state.to_be_bytes();
            f32::from(i16::from_be_bytes([high, low])) / 32_768.0
        })
        .collect();
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        for value in &mut vector {
            *value /= length;
        }
    }
    vector
}

/// The vector as little-endian floats in base64, which OpenAI calls `base64`.
pub(crate) fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

/// The values as JSON numbers, as short as they can be.
pub(crate) fn json(vector: &[f32]) -> Value {
    vector.iter().map(|value| json!(value)).collect()
}

/// Fowler, Noll and Vo's FNV-1a.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
