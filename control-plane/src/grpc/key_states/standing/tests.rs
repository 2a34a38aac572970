use shared::marks::{Marks, Observed, Outage};
use shared::secret::Secret;
use shared::snapshot::{UpstreamKey, UpstreamKeyRouting};

use super::{KeyCondition, KeyStanding};
use crate::store::key_states::StoredKeyState;

const NOW: i64 = 1_800_000_000_000;

fn key(enabled: bool, expires_at_ms: Option<i64>) -> UpstreamKey {
    let routing = UpstreamKeyRouting { expires_at_ms, ..UpstreamKeyRouting::default() };
    UpstreamKey { id: "k".into(), masked: "sk".into(), secret: Secret::new("sk-1"), enabled, routing }
}

fn state(model: &str, observed: Observed, status: u16) -> StoredKeyState {
    let marks = Marks::of(observed, NOW - 1_000, status);
    StoredKeyState { upstream_key_id: "k".to_owned(), model: model.to_owned(), marks, ..StoredKeyState::default() }
}

#[test]
fn a_key_is_shown_with_the_reason_that_counts_most_and_config_before_it() {
    let until = NOW + 60_000;
    for (observed, condition, ends) in [
        (Observed::Worked, KeyCondition::Ok, None),
        (Observed::Paused { until }, KeyCondition::Cooling, Some(until)),
        (Observed::Guessed { until, times: 1 }, KeyCondition::Cooling, Some(until)),
        (Observed::Exhausted { until, times: 0 }, KeyCondition::Exhausted, Some(until)),
        (Observed::Refused { times: 0 }, KeyCondition::Invalid, Some(NOW - 1_000 + 300_000)),
    ] {
        let known = [state("", observed, 401)];
        let shown = KeyStanding::at(NOW, &key(true, None), &known);
        assert_eq!((shown.condition, shown.until, shown.observed_at), (condition, ends, Some(NOW - 1_000)));
        let disabled = KeyStanding::at(NOW, &key(false, Some(NOW)), &known);
        assert_eq!((disabled.condition, disabled.until, disabled.reason), (KeyCondition::Disabled, None, None));
        let expired = KeyStanding::at(NOW, &key(true, Some(NOW)), &known);
        assert_eq!(expired.condition, KeyCondition::Expired);
    }
    let unknown = KeyStanding::at(NOW, &key(true, Some(NOW + 1)), &[]);
    assert_eq!((unknown.condition, unknown.observed_at), (KeyCondition::Ok, None));
}

#[test]
fn the_reason_is_the_status_with_the_providers_words_of_that_very_mark() {
    let mut known = state("", Observed::Refused { times: 0 }, 401);
    let shown = |known: &StoredKeyState| KeyStanding::at(NOW, &key(true, None), std::slice::from_ref(known)).reason;
    assert_eq!(shown(&known).as_deref(), Some("401"));
    known.words.set(Outage::Refused, "Incorrect API key");
    let mut exhausted = state("", Observed::Exhausted { until: NOW + 9_000, times: 0 }, 402);
    exhausted.words.set(Outage::Exhausted, "no credits");
    known.merge(&exhausted);
    assert_eq!(shown(&known).as_deref(), Some("402: no credits"));
    known.marks.exhausted.until = NOW;
    assert_eq!(shown(&known).as_deref(), Some("401: Incorrect API key"));
}

#[test]
fn models_that_are_out_are_listed_and_leave_the_key_well() {
    let known = [
        state("m2", Observed::Refused { times: 0 }, 403),
        state("m1", Observed::Exhausted { until: NOW + 5_000, times: 0 }, 429),
        state("m3", Observed::Worked, 200),
    ];
    let shown = KeyStanding::at(NOW, &key(true, None), &known);
    assert_eq!(shown.condition, KeyCondition::Ok);
    let models: Vec<_> = shown.models.iter().map(|model| (model.model.as_str(), model.condition)).collect();
    assert_eq!(models, [("m1", KeyCondition::Exhausted), ("m2", KeyCondition::Invalid)]);
}
