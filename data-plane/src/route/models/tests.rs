use std::sync::Arc;

use super::{CachedTokens, Models};

/// How many of a million tokens in are from the cache.
fn ppm(tokens: &CachedTokens) -> u64 {
    let (input, cached) = tokens.counts();
    (cached * 1_000_000).checked_div(input).unwrap_or_default()
}

#[test]
fn the_share_of_the_cache_follows_what_is_reported() {
    let tokens = CachedTokens::default();
    assert_eq!(tokens.counts(), (0, 0));
    tokens.reported(1_000, 0);
    assert_eq!(ppm(&tokens), 0);
    for _ in 0..1_000 {
        tokens.reported(1_000, 800);
    }
    assert!((795_000..=800_000).contains(&ppm(&tokens)), "{}", ppm(&tokens));
    // What was long ago is forgotten, and what is large counts as such.
    for _ in 0..200 {
        tokens.reported(1_000, 0);
    }
    assert!(ppm(&tokens) < 50_000, "{}", ppm(&tokens));
    tokens.reported(1_000_000, 1_000_000);
    assert!(ppm(&tokens) > 900_000, "{}", ppm(&tokens));
}

#[test]
fn counts_that_cannot_be_harm_nothing() {
    let tokens = CachedTokens::default();
    for _ in 0..3 {
        tokens.reported(u64::MAX, u64::MAX);
    }
    tokens.reported(0, 0);
    tokens.reported(0, u64::MAX);
    let (input, cached) = tokens.counts();
    assert!(cached <= input);
}

#[test]
fn what_is_remembered_of_a_model_is_the_same_for_all_who_ask() {
    let (models, name) = (Models::default(), Arc::from("m"));
    models.of(&name).cached.reported(10, 4);
    assert_eq!(models.of(&name).cached.counts(), (10, 4));
}
