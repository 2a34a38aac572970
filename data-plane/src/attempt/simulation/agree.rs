//! Whether all nodes know the same of each key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shared::time::steady_ms;

use super::clock;
use super::fleet::Fleet;
use super::judge::SKEW_MS;
use super::world::About;

/// What the nodes believe of each key, by the model, where they differ: for each node why it is out, and until when by
/// the time of the fleet.
pub(super) fn disagreements(fleet: &Fleet, models: &[&str]) -> Vec<String> {
    let mut beliefs: BTreeMap<About, Vec<Option<(String, i64)>>> = BTreeMap::new();
    let mut soon = BTreeSet::new();
    for (_, node) in fleet.present() {
        let Some(table) = node.config.table() else { continue };
        clock::on(node.ahead, || {
            let now = steady_ms();
            for key in table.groups().iter().flat_map(|group| &group.keys) {
                for model in models {
                    let out = key.health.at(now, model).err();
                    let about = (Arc::clone(&key.key.id), Arc::from(*model));
                    // What ends within the time by which clocks may be apart has ended for one and not for another.
                    if out.is_some_and(|out| out.until - now <= SKEW_MS) {
                        soon.insert(about.clone());
                    }
                    let belief = out.map(|out| (format!("{:?}", out.why), node.config.clock().at(out.until)));
                    beliefs.entry(about).or_default().push(belief);
                }
            }
        });
    }
    let differ = |beliefs: &Vec<Option<(String, i64)>>| beliefs.windows(2).any(|pair| pair[0] != pair[1]);
    let differing = beliefs.iter().filter(|(about, beliefs)| differ(beliefs) && !soon.contains(*about));
    differing.map(|(about, beliefs)| format!("{about:?}: {beliefs:?}")).collect()
}
