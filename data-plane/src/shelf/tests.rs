use std::time::{Duration, Instant};

use shared::ids::Id;

use super::{KEPT_FOR, LARGEST, MOST, OVERHEAD, Shelf, Weigh};

#[derive(Clone, Debug)]
struct Thing(usize);

impl Weigh for Thing {
    fn bytes(&self) -> usize {
        self.0
    }
}

fn owner(name: &str) -> Id {
    Id::from(name)
}

#[test]
fn the_oldest_makes_room() {
    let mut shelf = Shelf::default();
    let now = Instant::now();
    for at in 0..200_u8 {
        shelf.put(&owner("k"), [at; 32], Thing(LARGEST - 512), now);
        assert!(shelf.bytes <= MOST);
    }
    assert!(shelf.get(&[0; 32], now).is_none());
    assert!(shelf.get(&[199; 32], now).is_some());
    assert_eq!(shelf.kept.len(), shelf.owners[&owner("k")].order.len());
    assert!(shelf.order.len() <= 2 * shelf.kept.len() + 16);
    shelf.put(&owner("k"), [5; 32], Thing(2 * LARGEST), now);
    assert!(shelf.get(&[5; 32], now).is_none(), "one that is too large is not taken");
}

#[test]
fn what_is_replaced_counts_once_and_lives_on() {
    let mut shelf = Shelf::default();
    let start = Instant::now();
    for seconds in 0..1000 {
        shelf.put(&owner("k"), [1; 32], Thing(100), start + Duration::from_secs(seconds));
    }
    assert_eq!((shelf.kept.len(), shelf.bytes), (1, OVERHEAD + 100));
    assert!(shelf.order.len() < 20);
    assert!(shelf.get(&[1; 32], start + KEPT_FOR + Duration::from_secs(500)).is_some());
    assert!(shelf.get(&[1; 32], start + KEPT_FOR + Duration::from_secs(1000)).is_none());
    assert_eq!((shelf.kept.len(), shelf.order.len(), shelf.bytes), (0, 0, 0));
    assert!(shelf.owners.is_empty() && shelf.by_bytes.is_empty());
}

#[test]
fn an_owner_of_much_makes_room_for_one_of_little() {
    let mut shelf = Shelf::default();
    let now = Instant::now();
    shelf.put(&owner("quiet"), [255; 32], Thing(1000), now);
    for at in 0..200_u8 {
        shelf.put(&owner("loud"), [at; 32], Thing(LARGEST - 512), now);
        let of_another = [at, 1].repeat(16).try_into().unwrap();
        shelf.put(&owner(&format!("other-{}", at % 5)), of_another, Thing(100), now);
    }
    assert!(shelf.bytes <= MOST);
    assert!(shelf.get(&[255; 32], now).is_some());
    assert!(shelf.get(&[0; 32], now).is_none() && shelf.get(&[199; 32], now).is_some());
    assert!(shelf.get(&[0, 1].repeat(16).try_into().unwrap(), now).is_some());
    assert!(shelf.remove(&[255; 32]) && !shelf.remove(&[255; 32]));
}
