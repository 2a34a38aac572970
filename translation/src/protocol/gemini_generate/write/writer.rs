//! What the parts of a request are written with.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::back::Back;
use crate::ir::{Dropped, Message, Request, Role};
use crate::json::Json;
use crate::names::Mapping;
use crate::protocol::contract::Target;

/// The request while it is written.
pub(super) struct Writer<'r> {
    pub(super) request: &'r Request,
    pub(super) target: &'r Target<'r>,
    pub(super) dropped: Dropped,
    pub(super) back: Back,
    pub(super) names: Mapping,
}

/// Fields, in the order in which they are written.
#[derive(Default)]
pub(super) struct Settings(pub(super) Vec<(String, Json)>);

impl Settings {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn set<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.0.push((name.to_owned(), Json::of(value)));
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Whether `message` is the operator's.
pub(super) fn is_system(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}
