//! Answers with the status of success that are none, where another group serves the model too.

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use shared::pb::usage_record::Outcome;
use shared::snapshot::Group;

use super::matrix::{CLIENTS, VENDORS, request, said, streamed};
use super::opening::{bad_answers, bad_streams};
use super::streaming::spoken_to;
use super::{Bench, serving, text};
use crate::route::fixtures::group;

/// A group of one key that reaches `provider` with the vendor of that name.
fn group_of(id: &str, vendor: &str, provider: &FakeProvider) -> Group {
    let (_, versioned, model) = VENDORS.into_iter().find(|(name, ..)| *name == vendor).unwrap();
    let mut group = group(id, &[]);
    group.provider_type = vendor.into();
    group.base_url = provider.base_url().into();
    if !versioned {
        group.base_url = group.base_url.trim_end_matches("/v1").into();
    }
    group.model_aliases.insert("m".into(), model.into());
    group
}

/// A group of `first`, and one of `second` that is asked behind it.
async fn two_groups(first: &str, second: &str) -> Bench {
    let provider = FakeProvider::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut one = group_of("one", first, &provider);
    // The group is not asked again, whatever it says.
    (one.priority, one.retry_count) = (1, 0);
    let two = group_of("two", second, &provider);
    serving(provider, [one, two])
}

/// Of two groups the first, whose vendor is `first`, answers 200 with what is no answer. The client of every format
/// gets the answer of the other group, which speaks another format each time.
async fn goes_to_the_other_group(first: &str) {
    let mut others = ["openai", "openai_responses", "anthropic", "gemini", "openai_compatible"].into_iter().cycle();
    for format in CLIENTS {
        let spoken = spoken_to(first, format);
        let streams = bad_streams(spoken).into_iter().map(|body| (true, "text/event-stream", body));
        let answers = bad_answers(spoken).into_iter().flat_map(|(kind, body)| {
            let as_stream = (true, "text/event-stream", body.to_owned());
            [(false, kind, body.to_owned()), (true, kind, body.to_owned()), as_stream]
        });
        for ((stream, kind, body), second) in streams.chain(answers).zip(&mut others) {
            let about = format!("{format} from {first}, then {second}, stream {stream}: {kind} {body:?}");
            let mut bench = two_groups(first, second).await;
            let refused = Script::verbatim(200, kind, body);
            bench.provider.always(Target::Key("sk-upstream-one-1".to_owned()), refused);
            let whole = Script::saying("one two").usage(20, 7);
            bench.provider.always(Target::Key("sk-upstream-two-1".to_owned()), whole);
            let response = bench.send(request(format, "Hello", stream, false)).await;
            let status = response.status().as_u16();
            let answer = text(response).await;
            assert_eq!(status, 200, "{about}: {answer}");
            let words =
                if stream { streamed(format, &answer) } else { said(format, &serde_json::from_str(&answer).unwrap()) };
            assert_eq!(words.0, "one two", "{about}: {answer}");
            assert_eq!(bench.keys_used(), ["sk-upstream-one-1", "sk-upstream-two-1"], "{about}");
            let record = bench.record();
            assert_eq!((record.outcome(), record.output_tokens), (Outcome::Success, 7), "{about}");
            assert_eq!((record.attempts.len(), record.group_name.as_str()), (2, "two"), "{about}");
        }
    }
}

#[tokio::test]
async fn a_200_of_openai_chat_that_is_no_answer_goes_to_the_other_group() {
    // A vendor that speaks nothing else.
    goes_to_the_other_group("openai_compatible").await;
}

#[tokio::test]
async fn a_200_of_openai_responses_that_is_no_answer_goes_to_the_other_group() {
    goes_to_the_other_group("openai_responses").await;
}

#[tokio::test]
async fn a_200_of_anthropic_that_is_no_answer_goes_to_the_other_group() {
    goes_to_the_other_group("anthropic").await;
}

#[tokio::test]
async fn a_200_of_gemini_that_is_no_answer_goes_to_the_other_group() {
    goes_to_the_other_group("gemini").await;
}
