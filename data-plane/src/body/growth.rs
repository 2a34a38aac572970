//! How much a JSON body grows when it is read into values. Many tiny values take far more memory than their text, so
//! their numbers are counted before anything is read, and bounded.

use memchr::memchr2;

use crate::error::GatewayError;

/// The most messages of a request that is translated.
pub const MOST_MESSAGES: usize = 20_000;

/// The most parts of all messages of a request that is translated.
pub const MOST_PARTS: usize = 50_000;

/// The most JSON values in a request that is translated.
pub const MOST_VALUES: usize = 500_000;

/// The most levels of values within values in a request that is translated. `serde_json` has the same bound where it
/// reads values; what is read by levels needs it too.
pub const MOST_LEVELS: usize = 128;

/// About the bytes that a value takes beside its text, a message or a part as well as a number.
const PER_VALUE: usize = 96;

/// The depth of a message in a body: below the body's object and its list of messages.
const MESSAGES: usize = 2;

/// The depths of a part: below a message and its list of parts, and below a part that holds parts, such as the result
/// of a tool.
const PARTS: [usize; 2] = [4, 6];

/// How much stands in a JSON body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// The bytes of the body.
    pub bytes: usize,
    /// Values of any kind, those in others included.
    pub values: usize,
    /// The elements of the longest list that stands in a field of the body.
    pub messages: usize,
    /// The elements of the lists that stand in fields of such elements, in all.
    pub parts: usize,
    /// The most lists and objects that stand in each other.
    pub levels: usize,
}

impl Growth {
    /// Counts what stands in `body`. What is no JSON counts in some way and is refused later.
    pub fn of(body: &[u8]) -> Self {
        let mut growth = Self { bytes: body.len(), ..Self::default() };
        // A bit for each depth tells whether a list is open there. What lies deeper than there are bits is no list.
        let (mut depth, mut lists) = (0_usize, 0_u32);
        let (mut elements, mut rest) = (0, body);
        while let Some((&byte, behind)) = rest.split_first() {
            rest = behind;
            match byte {
                b'"' => rest = behind_string(rest),
                b'[' | b'{' => {
                    depth += 1;
                    growth.levels = growth.levels.max(depth);
                    if depth <= 32 {
                        lists = (lists & !(1 << (depth - 1))) | (u32::from(byte == b'[') << (depth - 1));
                    }
                    if !matches!(rest.trim_ascii_start().first(), Some(b']' | b'}')) {
                        growth.values += 1;
                        elements = count(&mut growth, depth, is_list(lists, depth), elements, true);
                    }
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' => {
                    growth.values += 1;
                    elements = count(&mut growth, depth, is_list(lists, depth), elements, false);
                }
                _ => {}
            }
        }
        growth
    }

    /// About how many bytes the values take that are read from the body, without the body.
    pub fn tree_bytes(self) -> u64 {
        (self.bytes + self.values * PER_VALUE) as u64
    }

    /// Refuses a conversation that would grow too much.
    ///
    /// # Errors
    /// [`GatewayError::TooMany`], which says the bound.
    pub fn check(self) -> Result<Self, GatewayError> {
        self.within([(self.messages, MOST_MESSAGES, "messages"), (self.parts, MOST_PARTS, "parts")])?.check_values()
    }

    /// Refuses a body of any kind that would grow too much.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_values(self) -> Result<Self, GatewayError> {
        self.within([
            (self.values, MOST_VALUES, "JSON values"),
            (self.levels, MOST_LEVELS, "levels of JSON values in each other"),
        ])
    }

    fn within<const N: usize>(self, bounds: [(usize, usize, &'static str); N]) -> Result<Self, GatewayError> {
        match bounds.into_iter().find(|(number, most, _)| number > most) {
            Some((number, most, what)) => Err(GatewayError::TooMany { number, most, what }),
            None => Ok(self),
        }
    }
}

fn is_list(lists: u32, depth: usize) -> bool {
    depth > 0 && depth <= 32 && lists & (1 << (depth - 1)) != 0
}

/// Counts an element of a list at `depth`, the `first` or a further one. Gives the elements of the list of messages so
/// far.
fn count(growth: &mut Growth, depth: usize, in_list: bool, elements: usize, first: bool) -> usize {
    if !in_list {
        return elements;
    }
    if PARTS.contains(&depth) {
        growth.parts += 1;
    }
    if depth != MESSAGES {
        return elements;
    }
    let elements = if first { 1 } else { elements + 1 };
    growth.messages = growth.messages.max(elements);
    elements
}

/// What stands behind a string whose opening quote has been read.
fn behind_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let skipped = if rest[at] == b'"' { 1 } else { 2 };
        let is_end = rest[at] == b'"';
        rest = rest.get(at + skipped..).unwrap_or_default();
        if is_end {
            return rest;
        }
    }
    &[]
}

#[cfg(test)]
mod tests;
