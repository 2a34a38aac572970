//! What a group is like now, and how it is asked.

use shared::snapshot::{UnsupportedParameters, UpstreamStream};

use super::table::{Route, RoutedGroup};

impl Route {
    /// Whether the group rests at `now`, or the model there.
    pub fn is_resting(&self, now: i64) -> bool {
        self.group.rest.is_on(now) || self.state.rest.is_on(now)
    }

    /// Whether the group or the model there rests at `now`, and a request tests if that is over.
    pub fn is_tested(&self, now: i64) -> bool {
        self.group.rest.is_tested(now) || self.state.rest.is_tested(now)
    }

    /// The end of the newest rest of the group, or of the model there.
    pub fn rests_until(&self) -> i64 {
        self.group.rest.until().max(self.state.rest.until())
    }
}

impl RoutedGroup {
    /// Whether the provider is asked for a stream, for a client that wants one or not.
    pub fn streams(&self, wanted: bool) -> bool {
        match self.group.upstream_stream {
            UpstreamStream::Auto => wanted,
            UpstreamStream::Always => true,
            UpstreamStream::Never => false,
        }
    }

    /// Whether a request is refused that holds what the provider's API cannot express.
    pub fn rejects_unsupported(&self) -> bool {
        self.group.unsupported_parameters == UnsupportedParameters::Reject
    }
}
