use std::collections::HashMap;
use std::sync::Arc;

use shared::marks::{Marks, Observed};
use shared::snapshot::{Snapshot, UpstreamKey};
use shared::telemetry::Metrics;

use super::KeyCounts;
use crate::grpc::tests::support::group;
use crate::store::key_states::StoredKeyState;

#[test]
fn keys_are_counted_by_what_is_known_of_them_and_one_that_recovers_is_counted_anew() {
    let now = 1_800_000_000_000;
    let (metrics, mut config) = (Metrics::new(), Snapshot::default());
    let counts = KeyCounts::register(&metrics);
    let (refused, mut disabled) = (group("refused"), group("disabled"));
    disabled.upstream_keys[0] =
        Arc::new(UpstreamKey { enabled: false, ..UpstreamKey::clone(&disabled.upstream_keys[0]) });
    let id = refused.upstream_keys[0].id.to_string();
    for group in [refused, disabled, group("fine"), group("also fine")] {
        config.groups.insert(Arc::clone(&group.id), Arc::new(group));
    }
    let mut state = StoredKeyState { upstream_key_id: id.clone(), ..StoredKeyState::default() };
    state.marks.merge(&Marks::of(Observed::Refused { times: 0 }, now, 401));
    let shown = |state: &StoredKeyState| {
        counts.count(now, &config, &HashMap::from([(id.clone(), vec![state.clone()])]));
        let text = metrics.encode().unwrap();
        let line = |state: &str| format!("orchestration_upstream_keys{{state=\"{state}\"}} ");
        ["ok", "invalid", "disabled", "exhausted"].map(|state| {
            let start = line(state);
            text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned).unwrap_or_default()
        })
    };
    assert_eq!(shown(&state), ["2", "1", "1", "0"]);
    state.marks.merge(&Marks::of(Observed::Worked, now + 1, 200));
    assert_eq!(shown(&state), ["3", "0", "1", "0"]);
}
