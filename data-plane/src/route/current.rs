//! The config in force.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::route::table::RouteTable;

/// The route table in force, swapped without a lock. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct ConfigState {
    table: Arc<ArcSwapOption<RouteTable>>,
}

impl ConfigState {
    /// The table in force; none before the first snapshot.
    pub fn table(&self) -> Option<Arc<RouteTable>> {
        self.table.load_full()
    }

    /// Puts `table` in force.
    pub fn replace(&self, table: RouteTable) {
        self.table.store(Some(Arc::new(table)));
    }
}
