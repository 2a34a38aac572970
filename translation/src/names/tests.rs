use proptest::prelude::*;

use super::{
    ANTHROPIC_IDS, ANTHROPIC_NAMES, GEMINI_NAMES, Mapping, OPENAI_IDS, OPENAI_NAMES, RESPONSES_IDS, Rule, new_call_id,
};

#[test]
fn names_that_fit_are_told_as_they_are() {
    let mut mapping = Mapping::new(OPENAI_NAMES);
    assert_eq!(mapping.map("get_weather"), "get_weather");
    assert!(mapping.changed().is_empty());
}

#[test]
fn names_that_would_become_equal_stay_apart() {
    let mut mapping = Mapping::new(ANTHROPIC_NAMES);
    mapping.reserve(["a.b", "a_b"]);
    let (dotted, plain) = (mapping.map("a.b"), mapping.map("a_b"));
    assert_eq!(plain, "a_b");
    assert!(dotted.starts_with("a_b_"), "{dotted}");
    assert_eq!(mapping.changed()[&dotted], "a.b");
}

#[test]
fn gemini_wants_a_letter_first() {
    let mut mapping = Mapping::new(GEMINI_NAMES);
    assert_eq!(mapping.map("9lives"), "_lives");
    assert_eq!(mapping.map("a.b:c-d"), "a.b:c-d");
}

#[test]
fn mistral_wants_nine_letters_and_digits() {
    let mut mapping = Mapping::new(Rule { exact: Some(9), ..OPENAI_IDS });
    let mapped = mapping.map("call_1234567890");
    assert_eq!(mapped.len(), 9);
    assert_eq!(mapping.map("call_1234567890"), mapped);
    assert_ne!(mapping.map("call_1234567891"), mapped);
}

#[test]
fn an_id_becomes_the_same_whatever_other_ids_there_are() {
    for rule in [OPENAI_IDS, RESPONSES_IDS, ANTHROPIC_IDS] {
        let alone = Mapping::new(rule).map("ruf ä");
        let mut mapping = Mapping::new(rule);
        // As plain replacement would make them.
        mapping.reserve(["ruf___", "ruf_"]);
        mapping.map("ruf?ä");
        assert_eq!(mapping.map("ruf ä"), alone);
        assert!(alone.starts_with("ruf_"), "{alone}");
    }
}

#[test]
fn made_up_ids_fit_everywhere() {
    let id = new_call_id();
    assert_eq!(Mapping::new(OPENAI_IDS).map(&id), id);
    assert_ne!(new_call_id(), id);
}

proptest! {
    #[test]
    fn every_mapping_is_one_to_one_and_fits(names in prop::collection::hash_set(".{0,80}|[a_.]{1,3}", 1..20)) {
        for rule in [OPENAI_NAMES, ANTHROPIC_NAMES, GEMINI_NAMES, OPENAI_IDS, Rule { exact: Some(9), ..OPENAI_IDS }] {
            let mut mapping = Mapping::new(rule);
            mapping.reserve(names.iter().map(String::as_str));
            let mapped: std::collections::HashSet<_> = names.iter().map(|name| mapping.map(name)).collect();
            prop_assert_eq!(mapped.len(), names.len());
            for name in &mapped {
                prop_assert!(rule.fits(name), "{}", name);
            }
        }
    }
}
