use super::AnswerStore;
use crate::cache::LARGEST_ANSWER;
use crate::cache::inquiry::CacheKey;
use crate::cache::tests::answer;

#[test]
fn the_bound_of_bytes_holds_whatever_comes() {
    for most in [64 * 1024, 1024 * 1024, 40 * 1024 * 1024] {
        let store = AnswerStore::new(most);
        for number in 0..10_000_u64 {
            let length = usize::try_from(number * 7919 % 9_000).unwrap();
            store.put(CacheKey::numbered(number), answer(&"x".repeat(length), 0, 10));
            assert!(store.bytes() <= most + 16, "{} of {most} bytes after {number}", store.bytes());
        }
        assert!(store.bytes() > most / 2, "the room is used: {} of {most} bytes", store.bytes());
        let last = CacheKey::numbered(9_999);
        assert!(store.get(&last, 1).is_some(), "a new answer is kept though there was no room");
        let there = (0..10_000).filter(|number| store.get(&CacheKey::numbered(*number), 1).is_some()).count();
        assert_eq!(there, store.len());
    }
}

#[test]
fn the_largest_answer_has_room_and_what_is_larger_than_all_room_does_not() {
    let store = AnswerStore::new(56 * 1024 * 1024);
    let key = CacheKey::numbered(1);
    store.put(key, answer(&"x".repeat(LARGEST_ANSWER), 0, 10));
    assert!(store.get(&key, 1).is_some());
    let small = AnswerStore::new(1000);
    small.put(key, answer(&"x".repeat(2000), 0, 10));
    assert_eq!((small.len(), small.bytes()), (0, 0));
    let none = AnswerStore::new(0);
    none.put(key, answer("x", 0, 10));
    assert!(none.get(&key, 1).is_none());
}

#[test]
fn an_answer_is_gone_when_its_time_is_over() {
    let store = AnswerStore::new(1024 * 1024);
    let (short, long) = (CacheKey::numbered(1), CacheKey::numbered(2));
    store.put(short, answer("short", 0, 10));
    store.put(long, answer("long", 0, 20));
    assert!(store.get(&short, 9).is_some());
    assert!(store.get(&short, 10).is_none());
    assert_eq!(store.len(), 1, "it takes no room any more");
    store.put(short, answer("short", 0, 10));
    store.sweep(15);
    assert_eq!(store.len(), 1);
    assert!(store.get(&long, 15).is_some());
    store.sweep(20);
    assert_eq!((store.len(), store.bytes()), (0, 0));
}
