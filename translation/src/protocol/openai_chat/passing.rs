//! How a client of this format that passes through asks a compatible vendor for thinking. The vendor's own fields stay
//! as they are; OpenAI's, OpenRouter's and Anthropic's words become the vendor's where it does not know them.

use serde_json::{Map, Value};

use super::request;
use crate::facts::ThinkingForm;
use crate::ir::{Dropped, Effort};
use crate::protocol::contract::{Target, ThinkingEdits};
use crate::protocol::thinking_rules::ThinkingRules;

/// The fields by which clients ask for thinking, whatever the vendor.
const WORDS: [&str; 3] = ["reasoning_effort", "reasoning", "thinking"];

/// What has to change in a body whose fields `given` gives. None where nothing has to.
pub(super) fn edits<'b>(given: &dyn Fn(&str) -> Option<&'b str>, target: &Target<'_>) -> Option<ThinkingEdits> {
    let asked: Vec<_> = WORDS.into_iter().filter_map(|name| Some((name, given(name)?))).collect();
    if asked.is_empty() || target.facts.thinking == ThinkingForm::None {
        return None;
    }
    // What goes beside thoughts decides how the client gets them, which it may do itself.
    let rules = ThinkingRules { beside: &[], ..*ThinkingRules::of(target.quirks.thinking, target.model)? };
    let known = |name: &str| rules.paths().any(|path| path.split('.').next() == Some(name));
    let foreign: Vec<_> = asked.iter().filter(|(name, value)| !takes(&rules, target, name, value)).copied().collect();
    let (first, _) = *foreign.first()?;
    let speaks = |name: &str| known(name) && given(name).is_some() && foreign.iter().all(|(other, _)| *other != name);
    let mut edits = ThinkingEdits { set: Vec::new(), removed: Vec::new(), dropped: Dropped::default() };
    if !rules.paths().any(|path| speaks(path.split('.').next().unwrap_or_default())) {
        let fields: Vec<_> = foreign.iter().map(|(name, value)| format!(",\"{name}\":{value}")).collect();
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":""}}]{}}}"#, fields.concat());
        let said = request::decode(body.as_bytes()).ok()?.reasoning?;
        let plan = rules.plan(Some(&said), target.stream);
        if plan.unsaid {
            edits.dropped.named(first);
        }
        let mut objects: Vec<(&'static str, Map<String, Value>)> = Vec::new();
        for (path, value) in plan.fields {
            match path.split_once('.') {
                None => edits.set.push((path, value.into_owned())),
                Some((object, field)) => {
                    let value = serde_json::from_str(&value).unwrap_or_default();
                    match objects.iter_mut().find(|(name, _)| *name == object) {
                        Some((_, fields)) => drop(fields.insert(field.to_owned(), value)),
                        None => objects.push((object, Map::from_iter([(field.to_owned(), value)]))),
                    }
                }
            }
        }
        edits.set.extend(objects.into_iter().map(|(name, fields)| (name, Value::Object(fields).to_string())));
    }
    let set = |name: &str| edits.set.iter().any(|(written, _)| *written == name);
    edits.removed = foreign.iter().map(|(name, _)| *name).filter(|name| !set(name)).collect();
    Some(edits)
}

/// Whether the vendor takes this value of the field.
fn takes(rules: &ThinkingRules, target: &Target<'_>, name: &str, value: &str) -> bool {
    if name != "reasoning_effort" {
        return rules.paths().any(|path| path.split('.').next() == Some(name));
    }
    if !rules.paths().any(|path| path == name) {
        return target.quirks.reasoning_effort;
    }
    let word: String = serde_json::from_str(value).unwrap_or_default();
    rules.values(name).any(|known| known == word)
        || (target.quirks.reasoning_effort && Effort::of(&word) != Some(Effort::None))
}

#[cfg(test)]
mod tests;
