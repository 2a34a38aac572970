use std::sync::Arc;

use http::HeaderMap;
use shared::time::now_ms;

use super::principal;
use crate::error::GatewayError;
use crate::route::fixtures::{key, snapshot};
use crate::route::table::RouteTable;

fn outcome(authorization: Option<&str>) -> Result<String, GatewayError> {
    let mut disabled = key("disabled", "sk-disabled");
    disabled.enabled = false;
    let mut expired = key("expired", "sk-expired");
    expired.expires_at_ms = Some(now_ms() - 1);
    let mut later = key("later", "sk-later");
    later.expires_at_ms = Some(now_ms() + 60_000);
    let table = RouteTable::compile(Arc::new(snapshot([], [key("good", "sk-good"), disabled, expired, later])), None);
    let mut headers = HeaderMap::new();
    if let Some(value) = authorization {
        headers.insert("authorization", value.parse().unwrap());
    }
    principal(&table, &headers).map(|principal| principal.key.name.to_string())
}

#[test]
fn a_known_key_is_its_principal() {
    for value in ["Bearer sk-good", "bearer sk-good", "BEARER  sk-good "] {
        assert_eq!(outcome(Some(value)).unwrap(), "good", "{value:?}");
    }
    assert_eq!(outcome(Some("Bearer sk-later")).unwrap(), "later");
}

#[test]
fn without_a_key_the_request_is_told_to_bring_one() {
    for value in [None, Some("Bearer"), Some("Bearer  "), Some("Basic c2stZ29vZA=="), Some("sk-good")] {
        assert!(matches!(outcome(value), Err(GatewayError::MissingKey)), "{value:?}");
    }
}

#[test]
fn unknown_disabled_and_expired_keys_are_refused_alike() {
    for value in ["Bearer sk-unknown", "Bearer sk-disabled", "Bearer sk-expired", "Bearer sk-goo", "Bearer sk-good1"] {
        assert!(matches!(outcome(Some(value)), Err(GatewayError::InvalidKey)), "{value:?}");
    }
}
