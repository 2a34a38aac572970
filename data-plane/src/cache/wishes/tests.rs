use http::HeaderMap;
use http::header::CACHE_CONTROL;

use super::Wishes;
use crate::cache::tests::answer;

fn wishes(values: &[&str]) -> Wishes {
    let headers: HeaderMap = values.iter().map(|value| (CACHE_CONTROL, value.parse().unwrap())).collect();
    Wishes::of(&headers)
}

#[test]
fn a_client_says_whether_it_wants_an_answer_from_memory() {
    for (values, stores, reads) in [
        (&[][..], true, true),
        (&["no-store"], false, false),
        (&["No-Store, max-age=60"], false, false),
        (&["no-cache"], true, false),
        (&["max-age=0"], true, false),
        (&["max-age=never"], true, false),
        (&["max-age=60", "private"], true, true),
        (&["private", "no-cache"], true, false),
    ] {
        let wishes = wishes(values);
        assert_eq!((wishes.stores(), wishes.reads()), (stores, reads), "{values:?}");
    }
}

#[test]
fn an_answer_may_be_too_old_for_a_client() {
    let kept = answer("hi", 1_000, 100_000);
    let wishes = wishes(&["max-age=\"5\""]);
    assert!(wishes.take(&kept, 1_000) && wishes.take(&kept, 6_000));
    assert!(!wishes.take(&kept, 6_001));
    assert!(Wishes::default().take(&kept, 99_999));
}
