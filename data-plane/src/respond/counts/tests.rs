use shared::prices::UnitCounts;
use translation::ir::Usage;

use super::{units, usage, usage_in_tail};

fn counts(body: &str) -> Option<(u64, u64)> {
    usage(body.as_bytes()).map(|usage| (usage.input, usage.output))
}

#[test]
fn each_endpoint_has_its_words() {
    assert_eq!(counts(r#"{"data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}"#), Some((4, 0)));
    assert_eq!(counts(r#"{"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}"#), Some((4, 2)));
    assert_eq!(counts(r#"{"usage":{"type":"tokens","input_tokens":5,"output_tokens":7}}"#), Some((5, 7)));
    assert_eq!(counts(r#"{"results":[],"usage":{"total_tokens":9}}"#), Some((9, 0)));
    assert_eq!(counts(r#"{"embeddings":[],"usageMetadata":{"promptTokenCount":4}}"#), Some((4, 0)));
    for none in
        [r#"{"usage":{"type":"duration","seconds":3}}"#, r#"{"usage":null}"#, r#"{"usage":"x"}"#, "{}", "", "[1]"]
    {
        assert_eq!(counts(none), None, "{none}");
    }
    let compacted = r#"{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,
        "output_tokens_details":{"reasoning_tokens":5},"total_tokens":16}}"#;
    let counted = Usage { input: 9, output: 7, cached: 4, reasoning: 5, ..Usage::default() };
    assert_eq!(usage(compacted.as_bytes()), Some(counted));
    let completed = r#"{"usage":{"prompt_tokens":9,"completion_tokens":7,
        "completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":1}}}"#;
    let counted = Usage { input: 9, output: 7, reasoning: 5, output_audio: 1, ..Usage::default() };
    assert_eq!(usage(completed.as_bytes()), Some(counted));
    let images =
        r#"{"usage":{"input_tokens":5,"output_tokens":7,"input_tokens_details":{"cached_tokens":2,"image_tokens":3}}}"#;
    assert_eq!(
        usage(images.as_bytes()),
        Some(Usage { input: 5, output: 7, cached: 2, input_image: 3, ..Usage::default() })
    );
}

#[test]
fn the_last_usage_of_a_tail_counts() {
    let tail = r#"AAAA"},"usage":{"input_tokens":1},"x":1}
data: {"type":"image_generation.completed","usage": {"input_tokens":3,"output_tokens":4}, "z":[]}

"#;
    let usage = usage_in_tail(tail.as_bytes()).unwrap();
    assert_eq!((usage.input, usage.output), (3, 4));
    for none in ["", "\"usage\"", "\"usage\":{\"input_tokens\":", "\"usage\":null}"] {
        assert!(usage_in_tail(none.as_bytes()).is_none(), "{none}");
    }
}

#[test]
fn what_is_not_counted_in_tokens_is_counted_where_the_answer_shows_it() {
    let none = UnitCounts::default();
    for (body, expected) in [
        (
            r#"{"created":1,"data":[{"b64_json":"AA"},{"url":"https://x.test/1.png"},{}]}"#,
            UnitCounts { images: 2, ..none },
        ),
        (r#"{"text":"a","usage":{"type":"duration","seconds":3.2}}"#, UnitCounts { seconds: 4, ..none }),
        (r#"{"results":[],"meta":{"billed_units":{"search_units":1}}}"#, UnitCounts { reranks: 1, ..none }),
        (r#"{"data":[{"embedding":[0.5],"index":0}],"usage":{"prompt_tokens":1}}"#, none),
        (r#"{"data":{"url":"https://x.test"},"usage":{"seconds":-1}}"#, none),
        (r#"{"usage":{"seconds":1e300}}"#, UnitCounts { seconds: 1_000_000, ..none }),
        (r#"{"data":[{"url":"#, none),
        ("", none),
    ] {
        assert_eq!(units(body.as_bytes()), expected, "{body}");
    }
}
