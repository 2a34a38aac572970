//! Names and ids that a client uses and a target does not allow.
//!
//! Replacing letters that are not allowed can make two names equal (`a.b` and `a_b`). A [`Mapping`] is therefore one to
//! one over a request, and is undone on the answer (`docs/TRANSLATION.md` sections 2.2 and 11).

use std::collections::{HashMap, HashSet};

/// A one-to-one mapping from the client's names to those that the target allows. It grows as names are met.
#[derive(Clone, Debug)]
pub struct Mapping {
    rule: Rule,
    /// The client's name → the target's.
    forward: HashMap<String, String>,
    /// The target's name → the client's.
    backward: HashMap<String, String>,
}

/// What a target allows in a name.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The longest name, in bytes.
    pub longest: usize,
    /// Whether a byte may stand in a name. The flag says whether it is the first.
    pub allows: fn(u8, bool) -> bool,
    /// A name is exactly so many letters and digits, whatever `allows` says (Mistral's tool-call ids).
    pub exact: Option<usize>,
    /// Each name that does not fit is marked with its digest, so that what it becomes does not depend on other names: a
    /// call's id must be the same in each turn of a conversation, while tools come and go. Without the mark a name
    /// stays as close to the client's as possible, because the model reads it.
    pub marked: bool,
}

/// OpenAI's names of tools.
pub const OPENAI_NAMES: Rule = Rule { longest: 64, allows: |byte, _| is_word(byte), exact: None, marked: false };
/// OpenAI's ids of tool calls in chat completions.
pub const OPENAI_IDS: Rule = Rule { longest: 40, allows: |byte, _| byte.is_ascii_graphic(), exact: None, marked: true };
/// OpenAI's ids of tool calls in the Responses API.
pub const RESPONSES_IDS: Rule =
    Rule { longest: 64, allows: |byte, _| byte.is_ascii_graphic(), exact: None, marked: true };
/// Anthropic's names of tools.
pub const ANTHROPIC_NAMES: Rule = Rule { longest: 128, allows: |byte, _| is_word(byte), exact: None, marked: false };
/// Anthropic's ids of tool calls.
pub const ANTHROPIC_IDS: Rule = Rule { longest: 256, allows: |byte, _| is_word(byte), exact: None, marked: true };
/// Gemini's names of functions. The first byte is a letter or an underscore.
pub const GEMINI_NAMES: Rule = Rule {
    longest: 64,
    allows: |byte, first| {
        byte.is_ascii_alphabetic() || byte == b'_' || (!first && (is_word(byte) || matches!(byte, b'.' | b':')))
    },
    exact: None,
    marked: false,
};

/// What stands between a namespace and the name of a tool in it. No format allows it in names, so what a target is told
/// never holds it.
const OF_NAMESPACE: char = '\u{1f}';

/// The one name of the tool `name` of `namespace` (OpenAI's Responses API).
pub fn in_namespace(namespace: &str, name: &str) -> String {
    format!("{namespace}{OF_NAMESPACE}{name}")
}

/// The namespace of a tool, where it has one, and its name there.
pub fn namespace_of(name: &str) -> (Option<&str>, &str) {
    match name.split_once(OF_NAMESPACE) {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, name),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

impl Rule {
    /// Whether the target takes `name` as it is.
    pub fn fits(&self, name: &str) -> bool {
        match self.exact {
            Some(length) => name.len() == length && name.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            None => {
                !name.is_empty()
                    && name.len() <= self.longest
                    && name.bytes().enumerate().all(|(at, byte)| (self.allows)(byte, at == 0))
            }
        }
    }

    /// A name that fits and is close to `name`.
    fn fitted(&self, name: &str, attempt: u64) -> String {
        let tag = digest(name, attempt);
        if let Some(length) = self.exact {
            return base62(tag)
                .chars()
                .chain(base62(digest(name, attempt + 1_000)).chars())
                .chain(std::iter::repeat('0'))
                .take(length)
                .collect();
        }
        let mut fitted: String = name
            .bytes()
            .enumerate()
            .map(|(at, byte)| if byte.is_ascii() && (self.allows)(byte, at == 0) { char::from(byte) } else { '_' })
            .collect();
        let cut = fitted.len() > self.longest;
        if cut || self.marked || attempt > 0 || fitted.is_empty() {
            fitted.truncate(self.longest.saturating_sub(7));
            fitted.push('_');
            fitted.extend(format!("{tag:016x}").chars().take(6));
        }
        fitted
    }
}

impl Mapping {
    /// An empty mapping that keeps to `rule`.
    pub fn new(rule: Rule) -> Self {
        Self { rule, forward: HashMap::new(), backward: HashMap::new() }
    }

    /// What the target is told for the client's `name`. A name that fits stays as it is unless another was mapped to it
    /// before; [`Mapping::reserve`] prevents that.
    pub fn map(&mut self, name: &str) -> String {
        if let Some(known) = self.forward.get(name) {
            return known.clone();
        }
        let free = |mapping: &Self, candidate: &str| mapping.backward.get(candidate).is_none_or(|owner| owner == name);
        let mapped = if self.rule.fits(name) && free(self, name) {
            name.to_owned()
        } else {
            let mut attempt = 0;
            loop {
                let candidate = self.rule.fitted(name, attempt);
                if free(self, &candidate) {
                    break candidate;
                }
                attempt += 1;
            }
        };
        self.forward.insert(name.to_owned(), mapped.clone());
        self.backward.insert(mapped.clone(), name.to_owned());
        mapped
    }

    /// Keeps each name that fits for itself, so that no other is mapped to it.
    pub fn reserve<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        for name in names {
            if self.rule.fits(name) {
                self.map(name);
            }
        }
    }

    /// The names that were changed: the target's name → the client's.
    pub fn changed(self) -> HashMap<String, String> {
        self.backward.into_iter().filter(|(mapped, name)| mapped != name).collect()
    }
}

/// FNV-1a. A fixed hash maps a name in the same way in every turn of a conversation, on every node.
fn digest(name: &str, attempt: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes().chain(attempt.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    hash
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn base62(mut number: u64) -> String {
    let mut text = String::with_capacity(11);
    loop {
        // The remainder is below 62, so it indexes the alphabet.
        text.push(char::from(ALPHABET[usize::try_from(number % 62).unwrap_or_default()]));
        number /= 62;
        if number == 0 {
            return text;
        }
    }
}

/// `length` random letters and digits.
pub fn random(length: usize) -> String {
    std::iter::repeat_with(|| char::from(ALPHABET[fastrand::usize(..ALPHABET.len())])).take(length).collect()
}

/// An id for a tool call whose provider gave none. It is unique over every conversation, and short enough for all
/// formats.
pub fn new_call_id() -> String {
    format!("call_{}", random(24))
}

/// The ids of the tool calls of one answer. Results for two calls with one id could not be told apart.
#[derive(Debug, Default)]
pub struct CallIds(HashSet<u64>);

/// The most ids that are compared. No answer has more.
const MOST_COMPARED: usize = 4_096;

impl CallIds {
    /// The provider's `id`, or a new one where the provider gives none or has given the same before.
    pub fn unlike_others(&mut self, id: Option<String>) -> String {
        match id.filter(|id| !id.is_empty()) {
            Some(id) if self.0.len() >= MOST_COMPARED || self.0.insert(digest(&id, 0)) => id,
            _ => new_call_id(),
        }
    }
}

#[cfg(test)]
mod tests;
