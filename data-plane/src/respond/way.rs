//! Tells the client which way its request took: how many attempts, which group, which model.

use axum::response::Response;
use http::{HeaderName, HeaderValue};

use crate::usage::meter::Meter;

const ATTEMPTS: HeaderName = HeaderName::from_static("x-orchestration-attempts");
const GROUP: HeaderName = HeaderName::from_static("x-orchestration-group");
const MODEL: HeaderName = HeaderName::from_static("x-orchestration-model");

/// The way of a request until its answer began, or until there was none.
#[derive(Debug)]
pub struct RouteTaken {
    attempts: HeaderValue,
    group: Option<HeaderValue>,
    model: Option<HeaderValue>,
}

impl RouteTaken {
    /// The way so far of the request of `meter`.
    pub fn of(meter: &Meter) -> Self {
        Self {
            attempts: HeaderValue::from(meter.attempts()),
            group: meter.last_tried().and_then(|tried| named(&tried.group.name)),
            model: meter.served_model.as_ref().or(meter.model.as_ref()).and_then(|model| named(model)),
        }
    }

    /// `response` with the way in its headers.
    pub fn shown(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.insert(ATTEMPTS, self.attempts);
        let named = [(GROUP, self.group), (MODEL, self.model)];
        headers.extend(named.into_iter().filter_map(|(name, value)| Some((name, value?))));
        response
    }
}

/// `name` as a header: UTF-8 where it is more than ASCII. None where it holds what no header may.
fn named(name: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(name.as_bytes()).ok()
}
