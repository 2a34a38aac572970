//! How long an error answer says to wait.

use std::time::Duration;

use super::shape::Said;

/// Behind these words stands how long to wait.
const BEFORE: &[&str] = &[
    "try again in ",
    "retry in ",
    "retry after ",
    "again after ",
    "wait for ",
    "wait ",
    "available in ",
    "reset in ",
    "resets in ",
    "reset after ",
    "请在",
    "请等待",
    "请于",
];

/// Units with their length in seconds, the longer word before the one that it begins with.
const UNITS: &[(&str, f64)] = &[
    ("milliseconds", 0.001),
    ("millisecond", 0.001),
    ("ms", 0.001),
    ("毫秒", 0.001),
    ("seconds", 1.0),
    ("second", 1.0),
    ("secs", 1.0),
    ("sec", 1.0),
    ("s", 1.0),
    ("秒", 1.0),
    ("minutes", 60.0),
    ("minute", 60.0),
    ("mins", 60.0),
    ("min", 60.0),
    ("m", 60.0),
    ("分钟", 60.0),
    ("分", 60.0),
    ("hours", 3600.0),
    ("hour", 3600.0),
    ("hrs", 3600.0),
    ("hr", 3600.0),
    ("h", 3600.0),
    ("小时", 3600.0),
    ("days", 86_400.0),
    ("day", 86_400.0),
    ("d", 86_400.0),
    ("天", 86_400.0),
];

/// The longest of the pauses that stand in fields, or else in the words.
pub(super) fn of(said: &Said) -> Option<Duration> {
    let in_field = |(name, text): &(String, String)| {
        let in_ms = name.ends_with("_ms") || name.ends_with("Ms");
        match text.trim().parse::<f64>() {
            Ok(number) => seconds(if in_ms { number / 1000.0 } else { number }),
            Err(_) => duration(text),
        }
    };
    said.pauses.iter().filter_map(in_field).max().or_else(|| in_words(&said.words))
}

fn in_words(words: &str) -> Option<Duration> {
    let behind =
        BEFORE.iter().flat_map(|before| words.match_indices(before).map(|(at, found)| &words[at + found.len()..]));
    behind.filter_map(duration).max()
}

/// The duration that `text` begins with: `1m2.5s`, `3h0m0s`, `20 seconds`, `1 hour and 5 minutes`. A number without a
/// unit is seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim_start();
    let mut total: Option<f64> = None;
    loop {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let Ok(number) = rest[..digits].trim_end_matches('.').parse::<f64>() else { break };
        let behind = rest[digits..].trim_start();
        // A word such as "members" begins with a unit and is none.
        let is_unit = |unit: &str| {
            behind
                .strip_prefix(unit)
                .is_some_and(|after| !unit.is_ascii() || !after.starts_with(|c: char| c.is_ascii_alphabetic()))
        };
        let Some((unit, length)) = UNITS.iter().find(|(unit, _)| is_unit(unit)) else {
            return seconds(total.unwrap_or(0.0) + if total.is_none() { number } else { 0.0 });
        };
        total = Some(total.unwrap_or(0.0) + number * length);
        rest = behind[unit.len()..].trim_start_matches([',', ' ']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    seconds(total?)
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|pause| !pause.is_zero())
}
