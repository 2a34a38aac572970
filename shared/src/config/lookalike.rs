//! Variables and keys that look like settings of ours and are not read as such, with what was probably meant.

use super::ROOT;

/// What to say of a variable that is not read; nothing of one that is not meant for us. `known` are the known keys.
pub(super) fn of_variable<'k>(name: &str, value: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let known: Vec<&str> = known.collect();
    let told = |meant: Option<String>| {
        let meant = meant.unwrap_or_else(|| format!("{ROOT}__Section__Key"));
        Some(format!("{name} (environment): not read; write {meant}"))
    };
    if let Some(rest) = after_root(name) {
        if is_of_kubernetes(rest, value) || rest.is_empty() {
            return None;
        }
        return told(Some(
            meant(rest, &known).unwrap_or_else(|| format!("{ROOT}__{}", rest.trim_start_matches(['_', '.', ':', '-']))),
        ));
    }
    let (first, rest) = name.split_once("__")?;
    // A typing error in the root.
    if strsim::osa_distance(&letters(first), &letters(ROOT)) <= 3 {
        return told(Some(meant(rest, &known).unwrap_or_else(|| format!("{ROOT}__{rest}"))));
    }
    // A key of ours without the root.
    let key = name.replace("__", ":");
    let exact = known.iter().find(|known| known.eq_ignore_ascii_case(&key))?;
    told(Some(format!("{ROOT}__{}", exact.replace(':', "__"))))
}

/// Whether a name of the file is nearly that of our object.
pub(super) fn is_nearly_root(name: &str) -> bool {
    strsim::osa_distance(&letters(name), &letters(ROOT)) <= 3
}

/// What follows the root, where the name begins with it in some spelling that is not read as such.
fn after_root(name: &str) -> Option<&str> {
    let mut rest = name;
    for letter in ROOT.chars() {
        rest = rest.trim_start_matches(['_', '-', '.']);
        let mut characters = rest.chars();
        if !characters.next()?.eq_ignore_ascii_case(&letter) {
            return None;
        }
        rest = characters.as_str();
    }
    (rest.is_empty() || rest.starts_with(['_', '-', '.', ':'])).then_some(rest)
}

/// The variable that is spelt like the one that was given, if there is one.
fn meant(rest: &str, known: &[&str]) -> Option<String> {
    let wanted = letters(rest);
    let exact = known.iter().find(|known| letters(known) == wanted)?;
    Some(format!("{ROOT}__{}", exact.replace(':', "__")))
}

/// Whether Kubernetes has made the variable, for a service that is named as we are.
fn is_of_kubernetes(rest: &str, value: &str) -> bool {
    let rest = rest.trim_start_matches('_').to_ascii_uppercase();
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let of_port = rest.strip_prefix("PORT_").is_some_and(|rest| {
        let mut parts = rest.split('_');
        parts.next().is_some_and(number) && matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"))
    });
    of_port
        || rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || (rest == "PORT" && value.contains("://"))
}

fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}
