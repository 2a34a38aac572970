use shared::pb;

use shared::pb::key_state::Health as Word;

use super::{ToControl, read, write};
use crate::route::health::{Health, KeyState};

#[test]
fn what_a_node_saw_is_what_the_others_read() {
    for (health, until_ms, times, word) in [
        (Health::Valid, 0, 0, Word::Valid),
        (Health::Invalid, 0, 2, Word::Invalid),
        (Health::Doubted, 0, 2, Word::Invalid),
        (Health::CoolingDown, 7, 0, Word::CoolingDown),
        (Health::Guessed, 7, 3, Word::CoolingDown),
        (Health::Exhausted, 7, 1, Word::CoolingDown),
    ] {
        for model in ["", "m"] {
            let (upstream_key_id, group_id, model) = ("k".into(), "g".into(), model.into());
            let (status, reason, observed_at_ms) = (429, "too much".into(), 5);
            let state =
                KeyState { upstream_key_id, group_id, model, health, until_ms, times, status, reason, observed_at_ms };
            // An older peer would take news of a model for news of the key, so it is another message.
            let message = match write(&state) {
                ToControl::KeyState(message) if state.model.is_empty() => message,
                ToControl::ModelKeyState(message) if !state.model.is_empty() => message,
                other => panic!("{other:?}"),
            };
            assert_eq!(message.health(), word);
            // Log lines name it as the message does.
            if health != Health::Exhausted {
                assert_eq!(health.name(), word.as_str_name());
            }
            assert_eq!(read(message), Some(state));
        }
    }
}

#[test]
fn a_health_of_a_later_version_says_nothing() {
    assert_eq!(read(pb::KeyState::default()), None);
    assert_eq!(read(pb::KeyState { health: 99, ..pb::KeyState::default() }), None);
}
