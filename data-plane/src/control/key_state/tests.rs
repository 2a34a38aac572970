use shared::pb;

use super::{ToControl, Word, read, write};
use crate::route::health::{Health, KeyState};

#[test]
fn what_a_node_saw_is_what_the_others_read() {
    for (health, word) in
        [(Health::Valid, Word::Valid), (Health::Invalid, Word::Invalid), (Health::CoolingDown, Word::CoolingDown)]
    {
        for model in ["", "m"] {
            let (upstream_key_id, group_id, model) = ("k".into(), "g".into(), model.into());
            let state =
                KeyState { upstream_key_id, group_id, model, health, until_ms: 7, status: 429, observed_at_ms: 5 };
            // An older peer would take news of a model for news of the key, so it is another message.
            let message = match write(&state) {
                ToControl::KeyState(message) if state.model.is_empty() => message,
                ToControl::ModelKeyState(message) if !state.model.is_empty() => message,
                other => panic!("{other:?}"),
            };
            assert_eq!(message.health(), word);
            // Log lines name it as the message does.
            assert_eq!(health.name(), word.as_str_name());
            assert_eq!(read(message), Some(state));
        }
    }
}

#[test]
fn a_health_of_a_later_version_says_nothing() {
    assert_eq!(read(pb::KeyState::default()), None);
    assert_eq!(read(pb::KeyState { health: 99, ..pb::KeyState::default() }), None);
}
