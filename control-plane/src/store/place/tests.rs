use std::time::Duration;

use tokio::time::Instant;

use super::{Room, WARN_EVERY};

#[test]
fn a_full_disk_is_spoken_of_again_and_again_but_not_for_each_write() {
    let (room, start) = (Room::default(), Instant::now());
    let said: Vec<u64> = (0..100).filter(|second| room.fill(start + Duration::from_secs(*second)).is_some()).collect();
    assert_eq!(said, [0, 30, 60, 90]);
    assert_eq!(WARN_EVERY, Duration::from_secs(30));
    assert!(room.is_full());
    room.some();
    assert!(!room.is_full());
    assert_eq!(room.fill(start + Duration::from_secs(100)), Some(Duration::ZERO), "it fills anew");
}
