use super::*;

fn waiting(key: &str, worth: Worth, number: usize) -> Waiting {
    let record = UsageRecord {
        id: format!("{key}{number}"),
        proxy_key_id: key.to_owned(),
        input_tokens: u64::from(worth == Worth::Paid),
        ..UsageRecord::default()
    };
    Waiting { record, uncounted: None }
}

fn id(waiting: Option<Waiting>) -> Option<String> {
    waiting.map(|waiting| waiting.record.id)
}

#[test]
fn what_cost_nothing_makes_room() {
    let mut backlog = Backlog::new(4);
    for number in 0..4 {
        assert!(backlog.push(waiting("f", Worth::Free, number)).is_none());
    }
    for number in 0..4 {
        assert_eq!(id(backlog.push(waiting("p", Worth::Paid, number))), Some(format!("f{number}")));
    }
    assert_eq!(id(backlog.push(waiting("f", Worth::Free, 9))), Some("f9".to_owned()));
    assert_eq!(id(backlog.push(waiting("p", Worth::Paid, 9))), Some("p9".to_owned()), "its own share is the largest");
    let (worth, taken) = backlog.take_oldest(3).unwrap();
    assert_eq!((worth, taken.len()), (Worth::Paid, 3));
    backlog.put_back(worth, taken);
    let (_, all) = backlog.take_oldest(9).unwrap();
    let ids: Vec<_> = all.iter().map(|waiting| waiting.record.id.as_str()).collect();
    assert_eq!(ids, ["p0", "p1", "p2", "p3"]);
    assert_eq!(backlog.len(), 0);
}

#[test]
fn the_largest_share_makes_room_for_others() {
    for worth in Worth::ALL {
        let mut backlog = Backlog::new(4);
        for number in 0..4 {
            assert!(backlog.push(waiting("loud", worth, number)).is_none());
        }
        assert_eq!(id(backlog.push(waiting("quiet", worth, 0))), Some("loud3".to_owned()));
        assert_eq!(id(backlog.push(waiting("loud", worth, 5))), Some("loud5".to_owned()));
        assert_eq!(backlog.len(), 4);
    }
}
