//! Times of what is known of upstream keys are told by the control plane's clock.

use super::*;

#[tokio::test]
async fn p38_what_waits_when_the_control_planes_clock_is_learnt_is_told_by_that_clock() {
    let (states, learnt) = mpsc::channel(4);
    let mut node = subscriber_of(link_to("127.0.0.1:9".parse().unwrap(), TOKEN), learnt);
    let (seen, hour) = (steady_ms(), 3_600_000);
    for key in ["u1", "u2"] {
        states.send(KeyState { observed_at_ms: seen, ..cooling(key, seen + 60_000) }).await.unwrap();
    }
    node.set_clock(steady_ms() + hour);
    assert_eq!(node.unsent.len(), 2);
    for state in node.unsent.values() {
        let (step, left) = (state.observed_at_ms - seen, state.until_ms - state.observed_at_ms);
        assert!((step - hour).abs() < 1_000 && left == 60_000, "{state:?}");
    }
}

#[tokio::test]
async fn p38_a_node_that_starts_is_ready_once_it_has_heard_what_is_known_of_keys() {
    let mut server = TestServer::start();
    let bench = Bench::start(server.link(TOKEN));
    let (mut stream, _) = server.accept().await;
    let now_ms = steady_ms();
    let welcome = pb::Welcome { epoch: "epoch".to_owned(), version: 7, now_ms, ..pb::Welcome::default() };
    stream.send(FromControl::Welcome(welcome)).await;
    let mut config = snapshot(7);
    config.groups[0].upstream_keys =
        vec![pb::UpstreamKey { id: "u1".to_owned(), secret: "sk-1".to_owned(), enabled: true, ..Default::default() }];
    stream.send(FromControl::Snapshot(config)).await;
    let spent = pb::KeyState {
        upstream_key_id: "u1".to_owned(),
        health: pb::key_state::Health::CoolingDown.into(),
        pause: pb::key_state::Pause::Exhausted.into(),
        until_ms: steady_ms() + 3_600_000,
        observed_at_ms: steady_ms() - 1_000,
        ..pb::KeyState::default()
    };
    stream.send(FromControl::KeyState(spent)).await;
    stream.send(FromControl::KeyState(pb::KeyState::default())).await;
    let ready = async {
        while !bench.readiness.is_ready() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, ready).await.unwrap();
    let table = bench.state.table().unwrap();
    assert!(table.kept.key("u1").unwrap().health.at(steady_ms(), "m1").is_err(), "it is ready, and knows of it");
    expect_ack(&mut stream, 7).await;
    assert!(bench.tasks.drain("node", LONG).await);
}

#[tokio::test]
async fn p38_a_welcome_that_comes_late_has_known_states_told_again_by_its_clock() {
    let (mut server, hour) = (TestServer::start(), 3_600_000);
    let bench = Bench::start(server.link(TOKEN));
    let (mut stream, _) = server.accept().await;
    let key = pb::UpstreamKey { id: "u1".to_owned(), secret: "sk-1".to_owned(), enabled: true, ..Default::default() };
    let mut config = snapshot(7);
    config.groups[0].upstream_keys = vec![key];
    stream.send(FromControl::Snapshot(config)).await;
    expect_ack(&mut stream, 7).await;
    let table = bench.state.table().unwrap();
    let health = &table.kept.key("u1").unwrap().health;
    let seen = KeyState { observed_at_ms: health.next_time(""), health: Health::Invalid, ..cooling("u1", 0) };
    assert!(health.observe(&seen));
    welcome(&stream, "epoch", 7, hour).await;
    let Some(ToControl::KeyState(told)) = stream.receive_answer().await else { panic!("a key state") };
    assert!((told.observed_at_ms - seen.observed_at_ms - hour).abs() < 10_000, "{told:?}");
    assert!(bench.tasks.drain("node", LONG).await);
}

#[tokio::test]
async fn p38_times_are_told_by_the_control_planes_clock_and_known_states_are_told_again() {
    let hour = 3_600_000;
    for skew in [-hour, hour] {
        let mut server = TestServer::start();
        let bench = Bench::start(server.link(TOKEN));
        let (mut stream, _) = server.accept().await;
        welcome(&stream, "epoch", 7, skew).await;
        let key = |id: &str| pb::UpstreamKey {
            id: id.to_owned(),
            secret: "sk-1".to_owned(),
            enabled: true,
            ..pb::UpstreamKey::default()
        };
        let mut config = snapshot(7);
        config.groups[0].upstream_keys = vec![key("u1"), key("u2")];
        stream.send(FromControl::Snapshot(config)).await;
        expect_ack(&mut stream, 7).await;

        let table = bench.state.table().unwrap();
        let health = &table.kept.key("u1").unwrap().health;
        let seen = KeyState { observed_at_ms: health.next_time(""), health: Health::Invalid, ..cooling("u1", 0) };
        assert!(health.observe(&seen));
        bench.key_states.send(seen).await.unwrap();
        let Some(ToControl::KeyState(told)) = stream.receive_answer().await else { panic!("a key state") };
        assert!((told.observed_at_ms - (steady_ms() + skew)).abs() < 10_000, "by the clock of the control plane");
        // News from others, by the same clock.
        let news = |model: &str| pb::KeyState {
            upstream_key_id: "u2".to_owned(),
            health: pb::key_state::Health::Invalid.into(),
            observed_at_ms: steady_ms() + skew,
            model: model.to_owned(),
            ..pb::KeyState::default()
        };
        stream.send(FromControl::ModelKeyState(news("m1"))).await;
        let other = &table.kept.key("u2").unwrap().health;
        let heard = async {
            while other.at(steady_ms(), "m1").is_ok() {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, heard).await.unwrap();
        assert!(other.at(steady_ms(), "m2").is_ok());

        // A control plane that comes back with another clock hears all of it, by its own time.
        drop(stream);
        let (mut stream, _) = server.accept().await;
        welcome(&stream, "epoch", 7, 0).await;
        let mut again = Vec::new();
        while again.len() < 2 {
            match stream.receive_answer().await {
                Some(ToControl::KeyState(state) | ToControl::ModelKeyState(state)) => again.push(state),
                other => panic!("{other:?}"),
            }
        }
        assert!(again.iter().all(|state| (state.observed_at_ms - steady_ms()).abs() < 10_000), "{again:?}");
        assert!(
            health.at(steady_ms(), "m1").is_err() && other.at(steady_ms(), "m1").is_err(),
            "the step changes nothing here"
        );
        assert!(bench.tasks.drain("node", LONG).await);
    }
}
