//! The config in force.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use shared::snapshot::Snapshot;

use crate::metrics::series::SeriesStore;
use crate::route::kept::Kept;
use crate::route::table::RouteTable;
use shared::clock::FleetClock;

/// The route table in force, swapped without a lock. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct ConfigState {
    table: Arc<ArcSwapOption<RouteTable>>,
    clock: Arc<FleetClock>,
}

impl ConfigState {
    /// The table in force; none before the first snapshot.
    pub fn table(&self) -> Option<Arc<RouteTable>> {
        self.table.load_full()
    }

    /// The clock by which what is known of upstream keys is told.
    pub fn clock(&self) -> &Arc<FleetClock> {
        &self.clock
    }

    /// Compiles `snapshot` and puts it in force. What was learnt about keys and groups that are still there is kept.
    pub fn compile(&self, snapshot: Arc<Snapshot>) {
        let previous = self.table();
        let nothing = Kept::new(Arc::clone(&self.clock), SeriesStore::default());
        let kept = previous.as_deref().map_or(&nothing, |table| &table.kept);
        self.replace(RouteTable::compile(snapshot, Some(kept)));
    }

    /// Puts `table` in force.
    pub fn replace(&self, table: RouteTable) {
        self.table.store(Some(Arc::new(table)));
    }
}
