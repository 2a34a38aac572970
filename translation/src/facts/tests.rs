use serde_json::{Value, json};

use super::{Facts, ForcedTools, ModelFacts, Off, Sampling, ThinkingForm};
use crate::ir::Effort;

#[test]
fn the_longest_name_counts_and_prefixes_of_vendors_are_skipped() {
    let facts = Facts::built_in();
    assert_eq!(facts.as_of.len(), "2026-11-23".len());
    for name in ["claude-opus-4-1-20250805", "anthropic/claude-opus-4.1", "us.anthropic.claude-opus-4-1-20250805-v1:0"]
    {
        assert_eq!(facts.of(name).max_output, Some(32_000), "{name}");
        assert_eq!(facts.of(name).sampling, Sampling::OneOf, "{name}");
    }
    assert_eq!(facts.of("claude-opus-4-20250514").sampling, Sampling::All);
    assert_eq!(facts.of("anthropic/claude-3.7-sonnet"), facts.of("claude-3-7-sonnet-20250219"));
    assert_eq!(facts.of("anthropic/claude-3.5-haiku").max_output, Some(8_192));
    assert_eq!(facts.of("models/gemini-2.5-flash-lite").budget, Some((512, 24_576)));
    assert_eq!(facts.of("gpt-4o-mini").thinking, ThinkingForm::None);
    assert_eq!(*facts.of("some-unknown-model"), ModelFacts::default());
}

#[test]
fn models_newer_than_the_data_get_the_strictest_row_of_their_family() {
    let facts = Facts::built_in();
    // How much they read is not known.
    let but_for_room = |model| ModelFacts { context: None, ..facts.of(model).clone() };
    assert_eq!(*facts.of("claude-opus-9"), but_for_room("claude-opus-5-5"));
    assert_eq!(facts.of("claude-opus-9").forced_tools, ForcedTools::No);
    assert_eq!(*facts.of("gemini-9-pro"), but_for_room("gemini-3.8-flash"));
}

/// Model pages of the Gemini API and of Vertex AI; the latter answers 400 to a limit of tokens beyond the model's, and
/// both to thinking where there is none ("Thinking is not enabled for this model") or to a level that the model lacks
/// ("Thinking level MEDIUM is not supported for this model").
#[test]
fn models_of_gemini_that_a_name_before_them_does_not_describe() {
    let of = |model| Facts::built_in().of(model);
    assert_eq!((of("gemini-2.0-flash-001").max_output, of("gemini-1.5-pro").max_output), (Some(8192), Some(8192)));
    for model in ["gemini-2.5-flash-image", "gemini-2.5-flash-preview-tts", "gemini-2.5-pro-preview-tts"] {
        assert_eq!((of(model).thinking, of(model).thinks_by_default), (ThinkingForm::None, false), "{model}");
    }
    assert_eq!(of("gemini-3-pro-preview").nearest_effort(Effort::Medium), Some(Effort::Low));
    assert_eq!(of("gemini-3.1-pro-preview").nearest_effort(Effort::Medium), Some(Effort::Medium));
    // An alias of the newest, not the first of the name.
    assert_eq!(of("gemini-pro-latest"), of("gemini-9-pro"));
    assert!(of("gemini-pro-latest").needs_signatures);
}

/// Amazon Bedrock User Guide, "Adaptive thinking": `disabled` is answered with 400 by Fable 5 already.
#[test]
fn fable_thinks_whatever_is_said() {
    let fable = Facts::built_in().of("claude-fable-5");
    assert_eq!((fable.thinks_by_default, fable.off), (true, None));
    assert_eq!(fable, Facts::built_in().of("claude-fable-5-1"));
}

/// "What's new in Claude Sonnet 5.5", "What's new in Claude Haiku 5.5" and "Prompting Claude Haiku 5.5".
#[test]
fn the_smaller_models_of_5_5_differ() {
    let (sonnet, haiku) = (Facts::built_in().of("claude-sonnet-5-5"), Facts::built_in().of("claude-haiku-5-5"));
    assert_eq!((sonnet.forced_tools, sonnet.off), (ForcedTools::No, Some(Off::BetweenTools)));
    assert_eq!((haiku.forced_tools, haiku.off), (ForcedTools::Yes, Some(Off::Disabled)));
}

#[test]
fn an_effort_that_a_model_does_not_know_steps_down() {
    let of = |model, effort| Facts::built_in().of(model).nearest_effort(effort);
    assert_eq!(of("claude-sonnet-4-6", Effort::XHigh), Some(Effort::High));
    assert_eq!(of("claude-sonnet-4-6", Effort::Max), Some(Effort::Max));
    assert_eq!(of("claude-sonnet-4-6", Effort::Minimal), Some(Effort::Low));
    assert_eq!(of("gemini-3-pro", Effort::None), Some(Effort::Low));
    assert_eq!(of("claude-3-haiku", Effort::High), None);
}

#[test]
fn an_operator_overrides() {
    let own = r#"{"asOf":"2027-01-01","rows":[{"models":["Claude-Opus-9"],"facts":{"maxOutput":1}}]}"#;
    let facts = Facts::read(own).unwrap().over(Facts::built_in());
    assert_eq!(facts.of("claude-opus-9-x").max_output, Some(1));
    assert_eq!(facts.of("claude-opus-8").max_output, Some(128_000));
    assert!(Facts::read(r#"{"asOf":"","rows":[{"models":["x"],"facts":{"maxOutpt":1}}]}"#).is_err());
}

#[test]
fn a_row_changes_what_it_names_of_what_is_known_of_the_name() {
    let changes = json!({
        "claude-opus-4-1": {"maxOutput": 4000}, "My-Model": {"thinking": "budget", "budget": [0, 9], "off": null},
        "gpt-4o": {"maxOutpt": 1}, "o3": 5, "o4": {"budget": [9, 1]}, "o1": {"maxOutput": null, "sampling": null}
    });
    let (facts, refused) = Facts::built_in().with_changes(changes.as_object().unwrap());
    let opus = facts.of("us.anthropic.claude-opus-4-1-20250805-v1:0");
    assert_eq!((opus.max_output, opus.sampling), (Some(4000), Sampling::OneOf));
    assert_eq!(facts.of("claude-opus-4-20250514").max_output, Some(32_000));
    let own = facts.of("vendor/my-model-9");
    assert_eq!((own.thinking, own.budget, own.off), (ThinkingForm::Budget, Some((0, 9)), None));
    assert!(own.prefill && own.json_schema);

    let refused: Vec<_> = refused.iter().map(|(name, error)| (name.as_str(), error.to_string())).collect();
    assert_eq!(refused.len(), 4, "{refused:?}");
    assert!(refused.iter().any(|(name, why)| *name == "gpt-4o" && why.contains("maxOutpt")), "{refused:?}");
    assert!(refused.contains(&("o3", "facts must be an object".to_owned())), "{refused:?}");
    assert!(refused.contains(&("o4", "budget must be [least, most]".to_owned())), "{refused:?}");
    for name in ["gpt-4o", "o3", "o4", "o1"] {
        assert_eq!(facts.of(name), Facts::built_in().of(name), "{name}: what is known stays");
    }
    assert_eq!(ModelFacts::default().changed(&json!({})).unwrap(), ModelFacts::default());
    assert!(ModelFacts::default().changed(&Value::Null).is_err());
}

#[test]
fn models_that_think_only_when_told_are_told() {
    let begin = |model| Facts::built_in().of(model).effort_to_begin();
    assert_eq!((begin("gpt-5.1"), begin("gpt-5.4")), (Some(Effort::Medium), Some(Effort::Medium)));
    // These think anyway, or not at all; of the last nothing is known.
    assert_eq!(["gpt-5", "gpt-5.1-codex", "o3", "gpt-4o", "acme"].map(begin), [None; 5]);
    let most = |model| Facts::built_in().of(model).nearest_effort(Effort::Max);
    assert_eq!(
        (most("gpt-5.1"), most("gpt-5.1-codex-max"), most("gpt-5.2")),
        (Some(Effort::High), Some(Effort::XHigh), Some(Effort::XHigh))
    );
}

/// Models overview of the Claude API, model pages of OpenAI's and Gemini's API. What depends on a header (a million
/// tokens of Claude Sonnet 4 and 4.5) is the largest.
#[test]
fn the_room_of_a_model_is_known_and_what_it_cannot_do() {
    let of = |model| Facts::built_in().of(model);
    for (model, context) in [
        ("claude-3-5-haiku-20241022", 200_000),
        ("claude-sonnet-4-5-20250929", 1_000_000),
        ("claude-haiku-4-5", 200_000),
        ("gpt-4o-mini", 128_000),
        ("gpt-4.1-nano", 1_047_576),
        ("gpt-3.5-turbo", 16_385),
        ("gpt-4-32k-0613", 32_768),
        ("o3-mini", 200_000),
        ("gemini-2.5-pro", 1_048_576),
    ] {
        assert_eq!(of(model).context, Some(context), "{model}");
    }
    // A name that stands for several, or for what is to come, says nothing of its room.
    for model in ["gpt-4", "gpt-4-new", "claude-opus-9", "gemini-9-pro", "acme"] {
        assert_eq!((of(model).context, of(model).vision, of(model).tools), (None, true, true), "{model}");
    }
    let blind = ["gpt-3.5-turbo-0125", "gpt-4-1106-preview", "gpt-4-0613", "o1-mini", "o1-preview", "o3-mini"];
    assert!(blind.iter().all(|model| !of(model).vision));
    assert!(["gpt-4-1106-vision-preview", "gpt-4-turbo", "o1", "o3", "o4-mini"].iter().all(|model| of(model).vision));
}
