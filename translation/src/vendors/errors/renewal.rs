//! When a quota that is spent is there again.

use super::shape::Said;

/// Behind these words stands a time.
const BEFORE: &[&str] =
    &["regain access on ", "reset at ", "resets at ", "reset on ", "resets on ", "renews on ", "将在 "];

/// Google's quotas of a day begin anew at midnight in California (Gemini API guide, "Rate limits"): so many hours from
/// UTC in winter. In summer it is an hour sooner.
const PACIFIC_HOURS: i8 = -8;

/// When a quota that is spent is there again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// At this time, as RFC 3339 has it.
    At(String),
    /// When the next day begins, so many hours from UTC.
    NextDay {
        /// The hours.
        offset_hours: i8,
    },
    /// When the next month begins in UTC.
    NextMonth,
}

pub(super) fn of(said: &Said, body: &[u8]) -> Option<Renewal> {
    let behind = BEFORE
        .iter()
        .flat_map(|before| said.words.match_indices(before).map(|(at, found)| &said.words[at + found.len()..]));
    if let Some(time) = behind.filter_map(time).max() {
        return Some(Renewal::At(time));
    }
    let named = |name: &str| said.names.iter().any(|said| said == name);
    if named("resource_exhausted") && memchr::memmem::find(body, b"PerDay").is_some() {
        return Some(Renewal::NextDay { offset_hours: PACIFIC_HOURS });
    }
    // Anthropic (Claude documentation, "Rate limits", section "Spend limits").
    named("enforced_spend_limit_reached").then_some(Renewal::NextMonth)
}

/// The time that `text` begins with, in RFC 3339: `2026-12-01 at 00:00 utc`, `2026-12-01t00:00:00z`, `2026-12-01
/// 08:00:00 +0800 cst`. A time without a zone is one of UTC.
fn time(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    let is_date = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !is_date {
        return None;
    }
    let rest = rest.trim_start_matches([' ', 't', ',']);
    let rest = rest.strip_prefix("at ").unwrap_or(rest);
    let clock = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').len();
    let (clock, zone) = rest.split_at(clock);
    let clock = match clock.len() {
        5 => format!("{clock}:00"),
        8 => clock.to_owned(),
        _ => "00:00:00".to_owned(),
    };
    Some(format!("{date}T{clock}{}", offset(zone.trim_start())))
}

/// The zone that `text` begins with: `+0800`, `+08:00`.
fn offset(text: &str) -> String {
    let signed = text.get(..1).filter(|sign| matches!(*sign, "+" | "-"));
    let digits: String = text.chars().skip(1).filter(|c| *c != ':').take(4).collect();
    match signed {
        Some(sign) if digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{sign}{}:{}", &digits[..2], &digits[2..])
        }
        _ => "Z".to_owned(),
    }
}

#[cfg(test)]
mod tests;
