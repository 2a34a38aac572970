//! Whether a secret that people bring could be guessed: one that stands in an example, or has too little chance in it.
//!
//! No test can tell that a text is random. These find what people write when they have to write something: one
//! character, a repetition, a counter, a row of the keyboard, words, and the samples of books and manuals.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::crypto::{hex, sha256};

/// What is wrong with a secret. The text is the end of a sentence about it, and holds nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It is a text of an example, or of one that was to be replaced.
    #[error("is one that others may know, since it stands in examples")]
    Known,
    /// It holds few different characters or bytes.
    #[error("could be guessed, since it is made of few different characters")]
    FewCharacters,
    /// A part of it comes again and again.
    #[error("could be guessed, since it repeats itself")]
    Repeats,
    /// It counts, or follows the alphabet or a row of the keyboard.
    #[error("could be guessed, since it follows a sequence")]
    Sequence,
    /// It is made of words.
    #[error("could be guessed, since it is made of words")]
    Words,
}

/// Parts of texts that are to be replaced, in lower case and without anything but letters and digits.
const PLACEHOLDERS: &[&str] = &[
    "yourpassword",
    "yoursecret",
    "yoursecure",
    "yourstrong",
    "yoursuper",
    "yourvery",
    "yourown",
    "yourlong",
    "yourrandom",
    "yourkey",
    "yourjwt",
    "yourmaster",
    "yournode",
    "yourtoken",
    "youradmin",
    "your256bit",
    "yourpass",
    "changeme",
    "changethis",
    "changeit",
    "changein",
    "pleasechange",
    "replaceme",
    "replacethis",
    "replacewith",
    "placeholder",
    "insertyour",
    "enteryour",
    "putyour",
    "defaultpassword",
    "defaultsecret",
    "defaultkey",
    "defaulttoken",
];

/// The same in Chinese, as it stands.
const CHINESE: &[&str] = &["你的", "您的", "请修改", "请更改", "请替换", "默认"];

/// Parts of secrets that stand in examples, written in the same way. A password may hold them.
const SAMPLES: &[&str] = &[
    "default",
    "example",
    "secretkey",
    "supersecret",
    "verysecret",
    "mysecret",
    "jwtsecret",
    "masterkey",
    "nodetoken",
    "deadbeefdeadbeef",
    "cafebabecafebabe",
    // FIPS 197, SP 800-38A and RFC 7515.
    "2b7e151628aed2a6abf7158809cf4f3c",
    "603deb1015ca71be2b73aef0857d7781",
    "8e73b0f7da0e6452c810f32b809079e5",
    "aym1syspppbydfgzld3umj1qzkobwvmkoqq",
    // Digests of nothing, and of what everybody tries first, by MD5 and SHA-1.
    "d41d8cd98f00b204e9800998ecf8427e",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "21232f297a57a5a743894a0e4a801fc3",
    "0192023a7bbd73250516f069df18b500",
    "e10adc3949ba59abbe56e057f20f883e",
    "098f6bcd4621d373cade4e832627b4f6",
    "5ebe2294ecd0e0f08eab7690d2a6ee69",
    "da39a3ee5e6b4b0d3255bfef95601890",
    "5baa61e4c9b93f3f0682250b6cf8331b",
];

/// Texts whose SHA-256, in hexadecimal, is no secret.
const DIGESTED: &[&str] =
    &["", "a", "abc", "admin", "admin123", "changeme", "hello", "password", "secret", "test", "123456"];

/// Sequences that people type, in both directions.
const SEQUENCES: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "0123456789abcdef0",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "!@#$%^&*()",
];

/// The pairs of letters that are the most frequent in English. They are 6 % of all pairs, and 40 % of those in a text.
const FREQUENT_PAIRS: &str = "th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se \
                              le sa si ar ve ra ld ur";

/// Fewest different characters of a text.
const DIFFERENT_CHARACTERS: usize = 7;

/// Fewest different bytes, where a text stands for bytes.
const DIFFERENT_BYTES: usize = 5;

/// Fewest characters of a text that are not part of something that has stood in it before.
const NEW_CHARACTERS: usize = 20;

/// Length from which a part of a text counts as a repetition, in characters.
const REPETITION: usize = 4;

/// Whether the text is one that was meant to be replaced, such as `your-secure-password`, `<password>` or `${TOKEN}`.
pub fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let bracketed = [("<", ">"), ("${", "}"), ("$(", ")"), ("{{", "}}"), ("[", "]"), ("%", "%")];
    let plain = folded(text);
    let dashed = text.to_ascii_lowercase();
    bracketed.iter().any(|(open, close)| text.len() > 2 && text.starts_with(open) && text.ends_with(close))
        || dashed.starts_with("your-")
        || dashed.starts_with("your_")
        || dashed.starts_with("your ")
        || PLACEHOLDERS.iter().any(|known| plain.contains(known))
        || CHINESE.iter().any(|known| text.contains(known))
}

/// What makes a secret of at least 32 characters easy to guess; nothing if none of it is found.
pub fn weakness(secret: &str) -> Option<Weakness> {
    let text = secret.trim();
    of_text(text).or_else(|| {
        // What a text stands for may be poorer than the text.
        let bytes = from_hex(text).or_else(|| from_base64(text))?;
        let inner = std::str::from_utf8(&bytes).ok().filter(|inner| inner.chars().all(|c| !c.is_control()));
        inner.and_then(of_text).or_else(|| of_bytes(&bytes))
    })
}

fn of_text(text: &str) -> Option<Weakness> {
    let plain = folded(text);
    let known = SAMPLES.iter().any(|sample| plain.contains(sample));
    if known || is_placeholder(text) || DIGESTED.iter().any(|word| hex(&sha256(word.as_bytes())) == plain) {
        return Some(Weakness::Known);
    }
    let bytes = text.to_ascii_lowercase().into_bytes();
    if different(&bytes) < DIFFERENT_CHARACTERS {
        return Some(Weakness::FewCharacters);
    }
    if follows_a_sequence(&bytes) || counts(&plain) {
        return Some(Weakness::Sequence);
    }
    if has_period(&bytes) || new_characters(&bytes) < NEW_CHARACTERS.min(bytes.len()) {
        return Some(Weakness::Repeats);
    }
    is_words(text).then_some(Weakness::Words)
}

fn of_bytes(bytes: &[u8]) -> Option<Weakness> {
    if different(bytes) < DIFFERENT_BYTES {
        return Some(Weakness::FewCharacters);
    }
    if has_period(bytes) {
        return Some(Weakness::Repeats);
    }
    let mut steps = [0_usize; 256];
    for pair in bytes.windows(2) {
        steps[usize::from(pair[1].wrapping_sub(pair[0]))] += 1;
    }
    let most = steps.iter().max().copied().unwrap_or_default();
    (most * 5 >= (bytes.len() - 1) * 3).then_some(Weakness::Sequence)
}

/// The letters and digits of the text, in lower case.
fn folded(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect()
}

fn different(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count()
}

/// Whether the whole is one part that comes at least twice.
fn has_period(bytes: &[u8]) -> bool {
    (1..=bytes.len() / 2).any(|period| bytes.iter().zip(&bytes[period..]).all(|(left, right)| left == right))
}

/// How many characters are not part of something, from [`REPETITION`] on, that has stood in the text before.
fn new_characters(bytes: &[u8]) -> usize {
    let (mut at, mut new) = (0, 0);
    while at < bytes.len() {
        let longest = (0..at)
            .map(|from| bytes[from..at].iter().zip(&bytes[at..]).take_while(|(left, right)| left == right).count())
            .max()
            .unwrap_or_default();
        if longest >= REPETITION {
            at += longest;
        } else {
            new += 1;
            at += 1;
        }
    }
    new
}

/// Whether most characters follow the one before in a sequence that people type, or stand at the same distance from it.
fn follows_a_sequence(bytes: &[u8]) -> bool {
    let follows = |left: u8, right: u8| {
        SEQUENCES
            .iter()
            .any(|sequence| sequence.as_bytes().windows(2).any(|pair| pair == [left, right] || pair == [right, left]))
    };
    let following = bytes.windows(2).filter(|pair| follows(pair[0], pair[1])).count();
    let mut steps = [0_usize; 256];
    for pair in bytes.windows(2) {
        steps[usize::from(pair[1].wrapping_sub(pair[0]))] += 1;
    }
    let most = steps.iter().max().copied().unwrap_or_default();
    following.max(most) * 5 >= (bytes.len() - 1) * 3
}

/// Whether the text is the numbers from 0 or 1 on, one after the other, in decimal or hexadecimal.
fn counts(plain: &str) -> bool {
    let decimal = |first: u32| (first..200).map(|number| number.to_string()).collect::<String>();
    let padded = |first: u32| (first..100).map(|number| format!("{number:02}")).collect::<Vec<_>>().concat();
    let hexadecimal = |first: u32| (first..256).map(|number| format!("{number:02x}")).collect::<Vec<_>>().concat();
    [0, 1].iter().any(|first| {
        [decimal(*first), padded(*first), hexadecimal(*first)].iter().any(|counter| counter.starts_with(plain))
    })
}

/// Whether the text is made of words: of frequent pairs of letters, or of words with something between them.
fn is_words(text: &str) -> bool {
    let lower = text.to_ascii_lowercase().into_bytes();
    let frequent = |pair: &[u8]| FREQUENT_PAIRS.split_ascii_whitespace().any(|known| known.as_bytes() == pair);
    let found = lower.windows(2).filter(|pair| frequent(pair)).count();
    if found * 100 >= (lower.len() - 1) * 28 {
        return true;
    }
    let words = words(text.trim_end_matches(|character: char| !character.is_ascii_alphabetic()));
    let vowel = |byte| b"aeiouyAEIOUY".contains(&byte);
    let is_word = |word: &&str| {
        let rest = &word.as_bytes()[1..];
        let spelt = rest.iter().all(u8::is_ascii_lowercase) || rest.iter().all(u8::is_ascii_uppercase);
        word.len() >= 2 && spelt && word.bytes().all(|byte| byte.is_ascii_alphabetic()) && word.bytes().any(vowel)
    };
    words.len() >= 3 && words.iter().all(is_word)
}

/// The runs of letters and digits in the text, without those of digits alone. A capital letter behind a small one
/// begins another run.
fn words(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let breaks = |left: u8, right: u8| {
        !left.is_ascii_alphanumeric()
            || !right.is_ascii_alphanumeric()
            || (left.is_ascii_lowercase() && right.is_ascii_uppercase())
    };
    let is_run = |run: &&str| {
        run.bytes().all(|byte| byte.is_ascii_alphanumeric()) && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    let mut words = Vec::new();
    let mut from = 0;
    for at in 1..=bytes.len() {
        if at == bytes.len() || breaks(bytes[at - 1], bytes[at]) {
            words.extend(text.get(from..at).filter(is_run));
            from = at;
        }
    }
    words
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b':' | b'-' | b' ')).collect();
    let digits = digits.strip_prefix(b"0x").unwrap_or(&digits);
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits.chunks_exact(2).map(|pair| Some(value(pair[0])? * 16 + value(pair[1])?)).collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    [STANDARD, URL_SAFE].iter().find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
}

#[cfg(test)]
mod tests;
