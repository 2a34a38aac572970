use super::Usage;

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
    };
    let fitted = Usage { cache_write: 2, cache_write_1h: 2, input_audio: 10, reasoning: 3, output_audio: 3, ..wild };
    assert_eq!(wild.fitted(), fitted);
    assert_eq!(fitted.fitted(), fitted);
    assert_eq!(Usage { cached: 20, ..wild }.fitted().cached, 10);
}
