//! Which database this node belongs to. A control plane of another one, or of a backup that was restored, must not
//! empty a node: its config is refused, and it gets no usage, until the operator says that it is the right one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::health::Readiness;
use shared::pb::KnownConfig;
use shared::pb::welcome::Lineage;
use shared::snapshot::Snapshot;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info, warn};

/// How often a foreign database is complained of.
const REMIND_EVERY: Duration = Duration::from_mins(1);

/// A database of a control plane, at one version of its config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// What it is known by: the history in which its versions count.
    pub epoch: Arc<str>,
    /// The version of its config.
    pub version: u64,
    /// What tells the version from one of the same number in another history. Empty where that is not known.
    pub lineage: Arc<str>,
}

/// A database that is not the one that the node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The one that the node knows.
    pub known: Database,
    /// The one that the control plane has.
    pub offered: Database,
}

impl Database {
    /// The database that `snapshot` is from.
    pub fn of(snapshot: &Snapshot) -> Self {
        let (epoch, lineage) = (Arc::clone(&snapshot.epoch), Arc::clone(&snapshot.lineage));
        Self { epoch, version: snapshot.version, lineage }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { known, offered } = self;
        if known.epoch == offered.epoch && known.version <= offered.version {
            return write!(
                f,
                "the control plane's database {} has config version {}, and has never had the version {} of this node: a backup was \
                 restored, and changed since",
                known.epoch, offered.version, known.version
            );
        }
        if known.epoch == offered.epoch {
            return write!(
                f,
                "the control plane's database {} has config version {}, and this node has had version {} of it: a backup was restored",
                known.epoch, offered.version, known.version
            );
        }
        write!(
            f,
            "the control plane has the database {}, and this node belongs to the database {}",
            offered.epoch, known.epoch
        )
    }
}

impl std::error::Error for Foreign {}

/// Which database a node belongs to, and which one it refuses.
#[derive(Debug)]
pub struct Allegiance {
    /// The database of the config in force, or of the last one that was. None before the first one.
    known: Option<Database>,
    /// The database that the next config may come from whatever is known: the operator has said so.
    accepted: Option<Arc<str>>,
    /// The one that is refused, and when that was last said.
    refused: Option<(Foreign, Instant)>,
    /// The id of the node, for what the operator is told to do.
    node_id: Arc<str>,
    readiness: Readiness,
    /// The database to which usage may be delivered. None while it is not known whose control plane answers.
    delivery: watch::Sender<Option<Arc<str>>>,
}

impl Allegiance {
    /// A node that belongs to no database yet. `readiness` shows which one it refuses.
    pub(super) fn new(readiness: Readiness) -> Self {
        let delivery = watch::Sender::new(None);
        Self { known: None, accepted: None, refused: None, node_id: Arc::from("ID"), readiness, delivery }
    }

    /// Names the node in what the operator is told.
    pub fn of_node(&mut self, id: &Arc<str>) {
        self.node_id = Arc::clone(id);
    }

    /// Takes the next config from the database `epoch`, whatever is known by then.
    pub fn accept(&mut self, epoch: &str) {
        if !epoch.is_empty() {
            self.accepted = Some(epoch.into());
        }
    }

    /// Notes the database that the node belonged to when it ended. One that is noted already stays where it has the
    /// newer config.
    pub fn know(&mut self, database: Database) {
        let newer = |known: &Database| known.epoch == database.epoch && known.version >= database.version;
        if !self.known.as_ref().is_some_and(newer) {
            self.known = Some(database);
        }
        self.show();
    }

    /// The database to which usage may be delivered: none, until it is known that the control plane is not a foreign
    /// one.
    pub fn delivery(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.delivery.subscribe()
    }

    /// Whether the control plane that answers has a foreign database.
    pub fn is_refusing(&self) -> bool {
        self.refused.is_some() && self.accepted.is_none()
    }

    /// The config that the node knows its database by, for a control plane to say whether that is in its history.
    pub(super) fn known(&self) -> Option<KnownConfig> {
        let Database { epoch, version, lineage } = self.known.as_ref()?;
        Some(KnownConfig { epoch: epoch.to_string(), version: *version, lineage: lineage.to_string() })
    }

    /// Checks whether config of the database `offered` may be put in force.
    ///
    /// # Errors
    /// [`Foreign`].
    pub fn check(&mut self, offered: &Database) -> Result<(), Foreign> {
        self.judge(offered, Lineage::Unspecified)
    }

    fn judge(&mut self, offered: &Database, lineage: Lineage) -> Result<(), Foreign> {
        let Some(foreign) = self.foreign(offered, lineage) else { return Ok(()) };
        self.delivery.send_replace(None);
        let said = self.refused.as_ref().filter(|(refused, _)| *refused == foreign).map(|(_, said)| *said);
        if said.is_none() {
            self.refused = Some((foreign.clone(), Instant::now()));
            self.say(&foreign);
            self.show();
        }
        Err(foreign)
    }

    /// A control plane with the database `offered` has answered, and said whether the config that the node knows is in
    /// its history by its `lineage`. Usage is delivered to it where it is not a foreign one.
    pub(super) fn met(&mut self, offered: &Database, lineage: Lineage) {
        if self.judge(offered, lineage).is_ok() {
            if self.accepted.is_none() && self.refused.take().is_some() {
                info!(database = &*offered.epoch, "the control plane has the database that this node belongs to");
                self.show();
            }
            self.deliver();
        }
    }

    /// A control plane that does not name its database has answered. It is an older one.
    pub(super) fn met_unnamed(&mut self) {
        if self.refused.is_none() {
            self.deliver();
        }
    }

    /// Config of `database` is in force.
    pub(super) fn follow(&mut self, database: Database) {
        let before = self.known.replace(database);
        let (known, taken) = (self.known.clone().unwrap_or_default(), self.accepted.take());
        let refused = self.refused.take().is_some();
        if refused {
            info!(
                database = &*known.epoch,
                version = known.version,
                "the control plane's database is taken, as the operator said"
            );
        } else if taken.is_some_and(|taken| taken != known.epoch) {
            warn!(database = &*known.epoch, "Node:AcceptDatabase names another database than the control plane has");
        }
        self.deliver();
        if refused || before.is_none_or(|before| before.epoch != known.epoch) {
            self.show();
        }
    }

    /// The stream to the control plane has ended. The next one may lead to another.
    pub(super) fn disconnected(&mut self) {
        self.delivery.send_if_modified(|delivery| delivery.take().is_some());
    }

    /// Says again that a foreign database is refused, from time to time.
    pub(super) fn remind(&mut self) {
        let due = self.refused.as_ref().filter(|(_, said)| said.elapsed() >= REMIND_EVERY);
        if let Some(foreign) = due.map(|(foreign, _)| foreign.clone()) {
            self.say(&foreign);
            self.refused = Some((foreign, Instant::now()));
        }
    }

    fn foreign(&self, offered: &Database, lineage: Lineage) -> Option<Foreign> {
        let known = self.known.as_ref()?;
        // Config without a history, or without a version, is refused as such.
        if offered.epoch.is_empty() || offered.version == 0 || self.accepted.as_ref() == Some(&offered.epoch) {
            return None;
        }
        if known.epoch == offered.epoch && lineage == Lineage::Shared {
            return None;
        }
        if known.epoch == offered.epoch && lineage == Lineage::Unspecified {
            // A backup does not become the right database by the changes that are made to it.
            let ran_back = self.refused.as_ref().filter(|(refused, _)| refused.offered.epoch == known.epoch);
            if let Some((foreign, _)) = ran_back {
                return Some(foreign.clone());
            }
            if known.version <= offered.version {
                return None;
            }
        }
        Some(Foreign { known: known.clone(), offered: offered.clone() })
    }

    fn deliver(&self) {
        let epoch = self.known.as_ref().map_or_else(|| Arc::from(""), |known| Arc::clone(&known.epoch));
        self.delivery.send_if_modified(|delivery| {
            let changed = delivery.as_deref() != Some(&*epoch);
            *delivery = Some(epoch);
            changed
        });
    }

    fn say(&self, foreign: &Foreign) {
        error!(
            database = &*foreign.known.epoch,
            version = foreign.known.version,
            offered_database = &*foreign.offered.epoch,
            offered_version = foreign.offered.version,
            "{foreign}. Its config is refused: the last good config stays in force, and usage records wait on disk. {}",
            self.advice(foreign)
        );
    }

    fn advice(&self, foreign: &Foreign) -> String {
        format!(
            "If the new database is the right one, say so: POST /admin/nodes/{}/accept-database at the control plane, or start \
             the node with --accept-database {}. If it is not, give the control plane the database that it had",
            self.node_id, foreign.offered.epoch
        )
    }

    /// Shows in the answer of the readiness probe which database the node belongs to, and which it refuses.
    fn show(&self) {
        let Some(known) = &self.known else { return };
        let mut fact = json!({ "id": &*known.epoch });
        if let Some((foreign, _)) = &self.refused {
            fact["configVersion"] = json!(foreign.known.version);
            fact["refused"] = json!({
                "id": &*foreign.offered.epoch,
                "configVersion": foreign.offered.version,
                "reason": foreign.to_string(),
                "action": self.advice(foreign),
            });
        }
        self.readiness.set_fact("database", fact);
    }
}

#[cfg(test)]
mod tests;
