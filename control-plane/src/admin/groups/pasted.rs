//! Upstream keys as people paste them: with the name of their header, in quotes, or with the end of a line.

/// A key that was pasted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pasted {
    pub(super) key: String,
    /// What was taken off.
    pub(super) said: Vec<&'static str>,
}

/// What stands in front of a key in a request. Each is compared without regard to case.
const HEADERS: &[&str] = &["authorization:", "x-api-key:", "x-goog-api-key:", "api-key:", "bearer "];

/// What stands around a key in code.
const QUOTES: &[(char, char)] =
    &[('"', '"'), ('\'', '\''), ('`', '`'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}')];

/// The least length of a line of which a key goes on in the next line, in bytes.
const WRAPPED_LINE: usize = 20;

/// The least length of each of several keys that stand one a line, in bytes.
const LISTED_KEY: usize = 12;

/// Reads the key that `text` was meant to be.
///
/// # Errors
/// When `text` holds several keys.
pub(super) fn read(text: &str) -> Result<Pasted, String> {
    let mut said = Vec::new();
    let mut key = text;
    loop {
        let before = key;
        let trimmed = key.trim_matches(is_space);
        if trimmed != key {
            note(&mut said, "had spaces or line breaks around it, which are taken off");
            key = trimmed;
        }
        if let Some(bare) = key.strip_suffix([',', ';']) {
            note(&mut said, "had a comma or semicolon behind it, which is taken off");
            key = bare;
        }
        for (open, close) in QUOTES {
            if let Some(bare) = key.strip_prefix(*open).and_then(|key| key.strip_suffix(*close)) {
                note(&mut said, "stood in quotes, which are taken off");
                key = bare;
            }
        }
        for header in HEADERS {
            if let Some(bare) = key.get(..header.len()).filter(|start| start.eq_ignore_ascii_case(header)) {
                note(&mut said, "began as a header does (such as \"Bearer \"), and only the key itself is kept");
                key = &key[bare.len()..];
            }
        }
        if HEADERS.iter().any(|header| header.trim_end().eq_ignore_ascii_case(key)) {
            key = "";
        }
        if let Some(bare) = without_variable(key) {
            note(&mut said, "began with the name of a variable, and only the key itself is kept");
            key = bare;
        }
        if key == before {
            break;
        }
    }
    let key = on_one_line(key, &mut said)?;
    if key.contains(' ') {
        said.push("holds a space, as no key does that we know of: check it");
    }
    Ok(Pasted { key, said })
}

fn note(said: &mut Vec<&'static str>, what: &'static str) {
    if !said.contains(&what) {
        said.push(what);
    }
}

/// Spaces, and characters of no width that pages and documents hold.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// What stands behind `export OPENAI_API_KEY=`.
fn without_variable(key: &str) -> Option<&str> {
    let (name, value) = key.split_once('=')?;
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let is_name = name.ends_with("KEY") || name.ends_with("TOKEN");
    (is_name && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'))
        .then_some(value)
}

/// Puts a key on one line that a terminal has broken. Several keys, one a line, are told apart by their common
/// beginning.
fn on_one_line(key: &str, said: &mut Vec<&'static str>) -> Result<String, String> {
    let lines: Vec<&str> = key.split(['\n', '\r']).map(|line| line.trim_matches(is_space)).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let [first, rest @ ..] = lines.as_slice() else { return Ok(key.to_owned()) };
    if rest.is_empty() {
        return Ok(key.to_owned());
    }
    let beginning = first.get(..3);
    if beginning.is_some() && lines.iter().all(|line| line.len() >= LISTED_KEY && line.get(..3) == beginning) {
        return Err(format!("holds {} keys, one a line: send each as an entry of its own", lines.len()));
    }
    if first.len() < WRAPPED_LINE {
        return Ok(key.to_owned());
    }
    said.push("was broken over lines, which are joined: check it");
    Ok(lines.concat())
}
