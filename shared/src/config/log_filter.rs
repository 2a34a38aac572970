//! Whether a log filter means what it says. The library that reads it takes any word for the name of a module, so that
//! a level with a typing error would switch off everything but that module.

use tracing_subscriber::EnvFilter;

use super::bounds::SettingError;

const KEY: &str = "Log:Filter";

/// What a filter may be, for messages.
const ALLOWED: &str =
    "it must be a level (off, error, warn, info, debug or trace), or a list such as info,data_plane=debug";

const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace", "0", "1", "2", "3", "4", "5"];

/// Refuses a filter that is empty, cannot be read, or holds a word that is neither a level nor has one.
pub(super) fn check(filter: &str) -> Result<(), SettingError> {
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    if parts(filter).is_empty() {
        return Err(SettingError::new(KEY, format!("is empty: {ALLOWED}")));
    }
    for part in parts(filter) {
        // What follows a bracket is about spans, and may hold anything.
        let level = if part.contains('[') {
            part.rsplit_once("]=").map(|(_, level)| level)
        } else {
            Some(part.rsplit_once('=').map_or(part, |(_, level)| level))
        };
        if level.is_some_and(|level| !is_level(level.trim())) || part.trim().starts_with('=') {
            return Err(SettingError::new(KEY, format!("holds {:?}, which has no level: {ALLOWED}", part.trim())));
        }
    }
    match EnvFilter::try_new(filter) {
        Ok(_) => Ok(()),
        Err(error) => Err(SettingError::new(KEY, format!("cannot be read: {error}; {ALLOWED}"))),
    }
}

/// The parts of a list. A comma within brackets or braces does not part them.
fn parts(filter: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    filter
        .split(|character| {
            match character {
                '[' | '{' => depth += 1,
                ']' | '}' => depth -= 1,
                _ => {}
            }
            character == ',' && depth <= 0
        })
        .filter(|part| !part.trim().is_empty())
        .collect()
}
