//! What the error answers of vendors mean, body by body (`bodies.txt`).

use http::{HeaderMap, StatusCode};
use translation::vendors::by_name;

use super::super::{Effect, Extent, Meaning, Step, judge};
use super::CHAT;

/// What the word of a row stands for.
fn expected(word: &str) -> (Meaning, Step, Effect) {
    match word {
        "request" => (Meaning::ClientFault, Step::End, Effect::None),
        "rate" => (Meaning::RateLimited, Step::NextKey, Effect::Guess(Extent::Model)),
        "spent" => (Meaning::Exhausted, Step::NextKey, Effect::Exhaust(Extent::Key, None)),
        "spent-model" => (Meaning::Exhausted, Step::NextKey, Effect::Exhaust(Extent::Model, None)),
        "key" => (Meaning::KeyRefused, Step::NextKey, Effect::Refuse(Extent::Key)),
        "right" => (Meaning::KeyRefused, Step::NextKey, Effect::Refuse(Extent::Model)),
        "doubt-key" => (Meaning::KeyRefused, Step::NextKey, Effect::Doubt(Extent::Key)),
        "doubt" => (Meaning::KeyRefused, Step::NextKey, Effect::Doubt(Extent::Model)),
        "model" => (Meaning::NoModel, Step::NextGroup, Effect::Refuse(Extent::Model)),
        "failed" => (Meaning::Failed, Step::NextKey, Effect::None),
        other => panic!("there is no such word: {other}"),
    }
}

#[test]
fn each_body_means_what_its_vendor_says() {
    let rows = include_str!("bodies.txt").lines().filter(|row| !row.is_empty() && !row.starts_with('#'));
    let mut wrong = Vec::new();
    for row in rows {
        let [vendor, status, word, body] = row.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
        let vendor = by_name(vendor).unwrap();
        let (status, name) = status.split_once('@').map_or((status, None), |(status, name)| (status, Some(name)));
        let status: StatusCode = status.parse().unwrap();
        let error = vendor.formats[0].protocol().decode_error(status.as_u16(), body.as_bytes());
        let mut headers = HeaderMap::new();
        if let Some(name) = name {
            headers.insert(vendor.errors.name, name.parse().unwrap());
        }
        let said = judge(status, &headers, &error, body.as_bytes(), CHAT, &vendor.errors);
        // How long is the matter of another test.
        let effect = match said.effect {
            Effect::Exhaust(extent, _) => Effect::Exhaust(extent, None),
            effect => effect,
        };
        let said = (said.meaning, said.step, effect);
        if said != expected(word) {
            wrong.push(format!("{row}\n    {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
