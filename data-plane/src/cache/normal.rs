//! JSON that is the same whatever its spaces, the order of its fields and the escapes in its texts. All else counts as
//! it stands: numbers as they are written, and fields that stand twice in their order.
//!
//! On the way it finds what a request refers to instead of saying it: a file, or media at an address. What stands there
//! may change, and the request stays the same.

use memchr::memchr2;

use super::fitness::Unfit;

/// The deepest object that is read.
const DEEPEST: usize = 64;

/// Fields that hold an address where they hold a text that begins like one.
const ADDRESSES: [&str; 6] = ["url", "image_url", "file_url", "video_url", "uri", "audio_url"];

/// How an address begins that something has to be fetched from.
const FETCHED: [&str; 4] = ["http://", "https://", "gs://", "s3://"];

/// Fields that name what a provider keeps, whatever text they hold.
const KEPT_ELSEWHERE: [&str; 6] = ["file_id", "file_ids", "file_uri", "fileUri", "vector_store_ids", "container_id"];

/// Writes `text`, which is JSON, behind what stands in `out`, without the top-level fields that are `skipped`.
///
/// # Errors
/// [`Unfit`]: it refers to what may change, or is too deep.
pub(super) fn normalise(text: &str, skipped: &[&str], out: &mut Vec<u8>) -> Result<(), Unfit> {
    Normaliser { text, at: 0, out, skipped }.value("", 0)
}

struct Normaliser<'t> {
    text: &'t str,
    at: usize,
    out: &'t mut Vec<u8>,
    skipped: &'t [&'t str],
}

/// A field that has been written, and where it stands.
struct Member {
    name: String,
    start: usize,
    end: usize,
}

impl Normaliser<'_> {
    /// The next byte that is no space, which is not taken. 0 at the end.
    fn next(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or_default()
    }

    /// Takes `byte` where it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let there = self.next() == byte;
        self.at += usize::from(there);
        there
    }

    /// Writes the value that comes next, which stands in the field `name`.
    fn value(&mut self, name: &str, depth: usize) -> Result<(), Unfit> {
        if depth > DEEPEST {
            return Err(Unfit::Deep);
        }
        match self.next() {
            b'{' => self.object(depth),
            b'[' => self.list(name, depth),
            b'"' => {
                let text = self.string();
                check(name, &text)?;
                self.out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let ends = |char: char| matches!(char, ',' | ']' | '}') || char.is_ascii_whitespace();
                let literal = rest.split(ends).next().unwrap_or_default();
                // Nothing of JSON is empty; without a step, this would never end.
                self.at += literal.len().max(1);
                self.out.extend_from_slice(literal.as_bytes());
                Ok(())
            }
        }
    }

    fn list(&mut self, name: &str, depth: usize) -> Result<(), Unfit> {
        self.at += 1;
        self.out.push(b'[');
        while !self.take(b']') {
            if self.next() == 0 {
                break;
            }
            self.value(name, depth + 1)?;
            self.out.push(b',');
            self.take(b',');
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Unfit> {
        self.at += 1;
        self.out.push(b'{');
        let begin = self.out.len();
        let mut members: Vec<Member> = Vec::new();
        while !self.take(b'}') {
            if self.next() != b'"' {
                break;
            }
            let start = self.out.len();
            let quoted = self.string();
            let name = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
            self.take(b':');
            self.out.extend_from_slice(quoted.as_bytes());
            self.out.push(b':');
            self.value(&name, depth + 1)?;
            self.out.push(b',');
            self.take(b',');
            if depth == 0 && self.skipped.contains(&&*name) {
                self.out.truncate(start);
                continue;
            }
            members.push(Member { name, start, end: self.out.len() });
        }
        if !members.is_sorted_by(|one, other| one.name <= other.name) {
            members.sort_by(|one, other| one.name.cmp(&other.name));
            let written = self.out.split_off(begin);
            for member in &members {
                let field = written.get(member.start - begin..member.end - begin).unwrap_or_default();
                self.out.extend_from_slice(field);
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Takes the string that comes next, with its quotes, and without escapes that it does not need.
    fn string(&mut self) -> String {
        let start = self.at;
        let end = string_end(self.text.as_bytes(), start);
        self.at = end;
        let raw = self.text.get(start..end).unwrap_or_default();
        if !raw.contains('\\') {
            return raw.to_owned();
        }
        // Half of a pair of surrogates is no text; it stays as it is written.
        let read = serde_json::from_str::<String>(raw).and_then(|text| serde_json::to_string(&text));
        read.unwrap_or_else(|_| raw.to_owned())
    }
}

/// The place behind the string that begins at `start`.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += found;
        if text[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

/// Whether the quoted `text` in the field `name` says what it means.
fn check(name: &str, text: &str) -> Result<(), Unfit> {
    let text = text.trim_start_matches('"');
    let fetched =
        || FETCHED.iter().any(|start| text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)));
    if KEPT_ELSEWHERE.contains(&name) || (ADDRESSES.contains(&name) && fetched()) {
        return Err(Unfit::Refers);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
