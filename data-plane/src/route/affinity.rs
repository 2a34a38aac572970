//! Which requests belong together: they go where the provider's prompt cache is warm.
//!
//! A client may say so, in a header or a field that is known from other programs. Otherwise it is seen by what stays
//! the same in a conversation: the system prompt, the tools, and what the user said first.

use http::HeaderMap;
use memchr::memchr2;
use serde::Deserialize;
use serde_json::value::RawValue;
use shared::ids::Id;
use translation::Format;
use translation::object::Object;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Headers that name a session, the one that counts most first: our own name, then those of Claude Code, Codex and
/// LiteLLM.
const HEADERS: [&str; 5] =
    ["x-session-id", "x-claude-code-session-id", "session-id", "session_id", "x-litellm-session-id"];

/// Fields of the body that do, and the field in them where they are objects.
const FIELDS: [(&str, &str); 4] =
    [("prompt_cache_key", ""), ("conversation", "id"), ("metadata", "user_id"), ("user", "")];

/// The most bytes of each part of a conversation that tell it from others.
const MOST_BYTES: usize = 64 * 1024;

/// What requests have in common that belong together. It is the same on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKey(u64);

impl SessionKey {
    /// The session of a request of `format` that was sent with the proxy key `proxy_key`; none where nothing in it says
    /// what it belongs to.
    pub fn of(proxy_key: &Id, format: Format, headers: &HeaderMap, body: &Object<'_>) -> Option<Self> {
        let named = HEADERS.iter().find_map(|name| headers.get(*name)).filter(|value| !value.is_empty());
        if let Some(name) = named {
            return Some(Self::called(proxy_key, name.as_bytes()));
        }
        if let Some(name) = FIELDS.iter().find_map(|(field, inner)| named_in(body, field, inner)) {
            return Some(Self::called(proxy_key, name.as_bytes()));
        }
        let mut hash = Xxh3::new();
        hash.update(proxy_key.as_bytes());
        let mut any = false;
        let mut take = |text: &str| {
            let bytes = text.as_bytes();
            // Where one part ends matters, too.
            hash.update(&bytes.len().min(MOST_BYTES).to_le_bytes());
            hash.update(bytes.get(..MOST_BYTES).unwrap_or(bytes));
            any = true;
        };
        for name in ["system", "systemInstruction", "system_instruction", "instructions", "tools"] {
            if let Some(text) = body.non_null(name) {
                take(text);
            }
        }
        if let Some(messages) = body.non_null(format.facts().fields.messages) {
            // What stands before the first word of the user, and that, stay the same for a whole conversation.
            for message in elements(messages) {
                take(message);
                if is_of_user(message) {
                    break;
                }
            }
        }
        any.then(|| Self(hash.digest()))
    }

    /// The session of requests that were sent with the proxy key `proxy_key` and name it so in a header.
    pub fn called(proxy_key: &Id, name: &[u8]) -> Self {
        let mut hash = Xxh3::new();
        hash.update(proxy_key.as_bytes());
        hash.update(name);
        Self(hash.digest())
    }

    /// The number that decides whether the session goes to what has this seed ([`seed`]): the higher, the sooner.
    pub fn number(self, seed: u64) -> u64 {
        mixed(self.0 ^ seed)
    }
}

/// What is known as `id` to every node, as a number by which sessions are spread.
pub fn seed(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

/// The bits of `number`, each of which depends on all of them (the last step of SplitMix64, by Steele and others).
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// What names a session in an object.
#[derive(Deserialize)]
struct Naming<'b> {
    #[serde(borrow)]
    id: Option<&'b RawValue>,
    #[serde(borrow)]
    user_id: Option<&'b RawValue>,
}

/// The text in `field`, or in the field of this name in it.
fn named_in<'b>(body: &Object<'b>, field: &str, inner: &str) -> Option<&'b str> {
    let value = body.non_null(field)?;
    let text = if value.starts_with('{') {
        let naming: Naming<'_> = serde_json::from_str(value).ok()?;
        match inner {
            "id" => naming.id,
            "user_id" => naming.user_id,
            _ => None,
        }?
        .get()
    } else if field == "metadata" {
        return None;
    } else {
        value
    };
    (text.starts_with('"') && text.len() > 2).then_some(text)
}

#[derive(Deserialize)]
struct Role<'b> {
    #[serde(borrow)]
    role: Option<&'b RawValue>,
}

/// Whether `message` is the user's: where it says nothing, it is.
fn is_of_user(message: &str) -> bool {
    match serde_json::from_str::<Role<'_>>(message) {
        Ok(Role { role: Some(role) }) => role.get() == "\"user\"",
        _ => true,
    }
}

/// The elements of `list`, the text of a JSON list. Any other text is the one element.
fn elements(list: &str) -> impl Iterator<Item = &str> {
    let (mut rest, single) = match list.strip_prefix('[') {
        Some(rest) => (rest, None),
        None => ("", Some(list)),
    };
    single.into_iter().chain(std::iter::from_fn(move || {
        let start = rest.trim_start_matches(|byte: char| byte == ',' || byte.is_ascii_whitespace());
        let end = element_end(start.as_bytes());
        let element = start.get(..end).filter(|element| !element.is_empty())?;
        rest = start.get(end..).unwrap_or_default();
        Some(element.trim_end())
    }))
}

/// Where the first element ends of a list of which `text` is the rest.
fn element_end(text: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' | b',' if depth == 0 => return at,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Where the closing quote stands of the string that begins at `start`.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += found;
        if text[at] == b'"' {
            return at;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests;
