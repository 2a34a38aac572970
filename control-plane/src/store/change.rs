//! The two ways to write what somebody has to account for. A change of config goes through `change!`. In one
//! transaction with the write, it raises the config version, notes for the nodes what has changed, and enters the
//! change in the audit log. Any other write that belongs into the audit log goes through `audited!`. Neither can be
//! half done, and no write can forget its part.

use serde_json::json;
use shared::ids::new_id;
use shared::time::now_ms;

use super::{Actor, audit};

/// The kinds of things that config consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Group,
    ProxyKey,
    ErrorRules,
    Prices,
}

impl Kind {
    /// The kind as `config_changes` and the audit log name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::ProxyKey => "proxy_key",
            Self::ErrorRules => "error_rules",
            Self::Prices => "prices",
        }
    }
}

/// What a change of config does, to which thing, and who makes it.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) kind: Kind,
    pub(super) id: String,
    /// Time of the change, in epoch milliseconds.
    pub(super) at: i64,
    /// What tells the version that it leads to from one of the same number in another history.
    pub(super) lineage: String,
    pub(super) entry: audit::Row,
}

impl Change {
    /// Somebody makes the thing `id`, which is called `name`.
    pub(super) fn create(kind: Kind, id: &str, name: &str, actor: &Actor) -> Self {
        Self::new(kind, id, audit::Row::new(actor, "create", kind.name(), Some(id), &json!({ "name": name })))
    }

    /// Somebody changes the thing `id`, which is now called `name`.
    pub(super) fn update(kind: Kind, id: &str, name: &str, actor: &Actor) -> Self {
        Self::new(kind, id, audit::Row::new(actor, "update", kind.name(), Some(id), &json!({ "name": name })))
    }

    /// Somebody deletes the thing `id`.
    pub(super) fn delete(kind: Kind, id: &str, actor: &Actor) -> Self {
        Self::new(kind, id, audit::Row::new(actor, "delete", kind.name(), Some(id), &json!({})))
    }

    fn new(kind: Kind, id: &str, entry: audit::Row) -> Self {
        Self { kind, id: id.to_owned(), at: now_ms(), lineage: new_id(), entry }
    }
}

/// Runs the block `$body` in a transaction as the change of config `$change`. An error of the block takes everything
/// back, the version too. After the commit the new version is announced in this process.
macro_rules! change {
    ($store:expr, $change:expr, $conn:ident => $body:block) => {{
        let store: &$crate::store::Store = $store;
        let change: $crate::store::change::Change = $change;
        let committed = with_tx!(store, $conn => {
            let version = $crate::store::version::raise_version!($conn, $crate::store::version::CONFIG_VERSION);
            $body
            let noted = {
                use $crate::store::schema::config_changes;
                (
                    config_changes::version.eq(version),
                    config_changes::entity_kind.eq(change.kind.name()),
                    config_changes::entity_id.eq(&change.id),
                    config_changes::changed_at.eq(change.at),
                    config_changes::lineage.eq(&change.lineage),
                )
            };
            diesel::insert_into($crate::store::schema::config_changes::table).values(noted).execute($conn).await?;
            $crate::store::change::enter!($conn, change.entry);
            Ok(version)
        });
        committed.map(|version: i64| store.committed(version.unsigned_abs()))
    }};
}
pub(super) use change;

/// Runs the block `$body` in a transaction that also enters `$entry` in the audit log.
macro_rules! audited {
    ($store:expr, $entry:expr, $conn:ident => $body:block) => {{
        let entry: $crate::store::audit::Row = $entry;
        with_tx!($store, $conn => {
            $body
            $crate::store::change::enter!($conn, entry);
            Ok(())
        })
    }};
}
pub(super) use audited;

/// Enters a row in the audit log within a transaction.
macro_rules! enter {
    ($conn:expr, $entry:expr) => {{
        let table = $crate::store::schema::audit_log::table;
        diesel::insert_into(table).values($entry.clone()).execute($conn).await?;
    }};
}
pub(super) use enter;
