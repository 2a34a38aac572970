//! How many tokens a request has, about, before anybody has counted them.

/// Bytes of a token of English text.
const BYTES_PER_TOKEN: u64 = 4;

/// A body of fewer bytes is not looked through for media.
const SMALL: usize = 16 * 1024;

/// So many letters without anything between them are no text, but media in base64.
const LONGEST_WORD: usize = 1024;

/// What a picture or another medium counts.
const MEDIUM: u64 = 1_000;

/// The tokens of an answer whose length the request does not bound.
pub const USUAL_ANSWER: u64 = 256;

/// The most tokens of an answer that are reserved. What it has beyond that is taken as it comes.
pub const LONGEST_ANSWER: u64 = 1_000;

/// The tokens that `body` has, about: a quarter of its bytes, without media.
pub fn tokens_of(body: &[u8]) -> u64 {
    if body.len() < SMALL {
        return (body.len() as u64).div_ceil(BYTES_PER_TOKEN);
    }
    let (mut text, mut media) = (0_usize, 0);
    for word in body.split(|byte| !byte.is_ascii_alphanumeric() && !b"+/=-_".contains(byte)) {
        if word.len() >= LONGEST_WORD {
            media += MEDIUM;
        } else {
            text += word.len() + 1;
        }
    }
    (text as u64).div_ceil(BYTES_PER_TOKEN) + media
}
