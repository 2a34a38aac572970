use super::{Choice, DECLINED, Finish, MOST_TOKENS, NEGATIVE, Part, Usage};

#[test]
fn every_count_is_a_part_of_its_sum() {
    let wild = Usage {
        input: 10,
        cached: 8,
        cache_write: 5,
        cache_write_1h: 9,
        input_audio: 11,
        output: 3,
        reasoning: 4,
        output_audio: 5,
        capped: false,
        input_image: 0,
        output_image: 0,
    };
    let fitted = Usage { cache_write: 2, cache_write_1h: 2, input_audio: 10, reasoning: 3, output_audio: 3, ..wild };
    assert_eq!(wild.fitted(), fitted);
    assert_eq!(fitted.fitted(), fitted);
    assert_eq!(Usage { cached: 20, ..wild }.fitted().cached, 10);
}

#[test]
fn counts_that_cannot_be_are_capped_and_marked() {
    for (count, capped) in [(u64::MAX, MOST_TOKENS), (1 << 40, MOST_TOKENS), (NEGATIVE, 0), (NEGATIVE + 7, 0)] {
        let usage = Usage { input: count, output: 7, ..Usage::default() }.fitted();
        assert_eq!(usage, Usage { input: capped, output: 7, capped: true, ..Usage::default() });
        let usage = Usage { output: 7, reasoning: count, ..Usage::default() }.fitted();
        assert_eq!((usage.output, usage.reasoning, usage.capped), (7, capped.min(7), true));
        assert!(usage.fitted().capped);
    }
    assert!(!Usage { input: MOST_TOKENS, output: 1, ..Usage::default() }.fitted().capped);
}

#[test]
fn an_answer_that_is_filtered_has_words() {
    let choice = |parts: Vec<Part>, finish| Choice { parts, finish: Some(finish), ..Choice::default() };
    let declined = Part::Refusal(DECLINED.to_owned());
    let thought = Part::Thinking { text: "hm".to_owned(), signature: None };
    assert_eq!(choice(vec![], Finish::ContentFilter).with_words().parts, std::slice::from_ref(&declined));
    assert_eq!(choice(vec![thought.clone()], Finish::ContentFilter).with_words().parts, [thought, declined]);
    assert_eq!(choice(vec![Part::text("a")], Finish::ContentFilter).with_words().parts, [Part::text("a")]);
    assert_eq!(choice(vec![], Finish::Stop).with_words().parts, []);
}
