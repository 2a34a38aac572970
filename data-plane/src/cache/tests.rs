use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;
use shared::telemetry::Metrics;
use shared::time::steady_ms;
use tokio::time::Instant;

use super::inquiry::CacheKey;
use super::kept::{KeptAnswer, Maker};
use super::wishes::Wishes;
use super::{LookedUp, ResponseCache};

/// An answer that is kept.
pub(super) fn answer(body: &str, made_ms: i64, until_ms: i64) -> Arc<KeptAnswer> {
    Arc::new(KeptAnswer {
        headers: HeaderMap::new(),
        body: body.to_owned().into(),
        streams: false,
        maker: Maker { group: "g".into(), config: 1, model: None },
        made_ms,
        until_ms,
    })
}

fn fresh(body: &str) -> Arc<KeptAnswer> {
    let now = steady_ms();
    answer(body, now, now + 60_000)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

#[tokio::test]
async fn an_answer_is_found_again_unless_the_client_or_the_config_is_against_it() {
    let metrics = Metrics::new();
    let cache = ResponseCache::new(1024 * 1024, &metrics);
    let (key, all) = (CacheKey::numbered(1), |_: &KeptAnswer| true);
    let LookedUp::Miss(Some(lead)) = cache.find(key, Wishes::default(), soon(), all).await else {
        panic!("the first asks for all");
    };
    let kept = fresh("hi");
    cache.keep(key, &kept);
    lead.share(&kept);
    let found = cache.find(key, Wishes::default(), soon(), all).await;
    assert!(matches!(found, LookedUp::Hit(found) if Arc::ptr_eq(&found, &kept)));
    let no_cache = Wishes::of(&[(CACHE_CONTROL, "no-cache".parse().unwrap())].into_iter().collect());
    assert!(matches!(cache.find(key, no_cache, soon(), all).await, LookedUp::Miss(None)), "it waits for nobody");
    let other = cache.find(key, Wishes::default(), soon(), |kept| kept.maker.group.starts_with("other")).await;
    assert!(matches!(other, LookedUp::Miss(Some(_))));
    let other = cache.find(CacheKey::numbered(2), Wishes::default(), soon(), all).await;
    assert!(matches!(other, LookedUp::Miss(Some(_))));
    let text = metrics.encode().unwrap();
    for line in [
        "cache_requests_total{result=\"hit\"} 1",
        "cache_requests_total{result=\"miss\"} 4",
        "cache_requests_total{result=\"bypass\"} 0",
        "cache_entries 1",
        "cache_bytes 3",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn the_room_for_answers_that_are_written_down_is_bounded() {
    let cache = ResponseCache::new(8_000, &Metrics::new());
    assert!(cache.take_room(600));
    assert!(!cache.take_room(600));
    assert!(cache.take_room(400));
    cache.give_back(1_000);
    assert!(cache.take_room(1_000));
    let none = ResponseCache::new(0, &Metrics::new());
    assert!(!none.take_room(1));
}
