use super::*;

fn place(found: Found) -> (Place, bool) {
    match found {
        Found::Room(place) => (place, false),
        Found::Evicted(place) => (place, true),
        Found::Full => panic!("there is no place"),
    }
}

#[tokio::test]
async fn the_oldest_silent_connection_makes_room_and_a_busy_one_stays() {
    let connections = Connections::new(3, Gauge::default());
    let (busy, _) = place(connections.find());
    let request = busy.connection.asked();
    let (idle, _) = place(connections.find());
    drop(idle.connection.asked());
    let (silent, evicted) = place(connections.find());
    assert!(!evicted);

    let (newest, evicted) = place(connections.find());
    assert!(evicted);
    silent.connection.evicted().await;
    let working = newest.connection.asked();
    let (last, evicted) = place(connections.find());
    assert!(evicted, "the idle one goes when none is silent");
    idle.connection.evicted().await;
    let further = last.connection.asked();
    assert!(matches!(connections.find(), Found::Full));
    drop((request, working, further));
    assert!(matches!(connections.find(), Found::Evicted(_)));
}

#[tokio::test]
async fn a_place_is_free_again_when_its_connection_ends() {
    let gauge = Gauge::default();
    let connections = Connections::new(1, gauge.clone());
    let (first, _) = place(connections.find());
    assert_eq!(gauge.get(), 1);
    drop(first);
    assert_eq!(gauge.get(), 0);
    assert!(matches!(connections.find(), Found::Room(_)));
}

#[tokio::test(start_paused = true)]
async fn a_first_request_has_a_shorter_deadline_than_a_further_one() {
    let (first, idle) = (Duration::from_secs(10), Duration::from_secs(65));
    let silent = Connection::new();
    silent.lapsed(first, idle).await;
    assert_eq!(silent.opened.elapsed(), first);

    let kept = Arc::new(Connection::new());
    let request = kept.asked();
    let lapsed = tokio::time::timeout(Duration::from_mins(10), kept.lapsed(first, idle)).await;
    assert!(lapsed.is_err(), "a request is under way");
    drop(request);
    let ended = Instant::now();
    kept.lapsed(first, idle).await;
    assert_eq!(ended.elapsed(), idle);
}
