use std::sync::Arc;

use http::Request;
use http::request::Parts;
use shared::time::now_ms;
use translation::Format;

use super::{client, credential, is_geminis};
use crate::error::GatewayError;
use crate::route::fixtures::{key, snapshot};
use crate::route::table::RouteTable;

fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

fn outcome(authorization: Option<&str>) -> Result<String, GatewayError> {
    let mut disabled = key("disabled", "sk-disabled");
    disabled.enabled = false;
    let mut expired = key("expired", "sk-expired");
    expired.expires_at_ms = Some(now_ms() - 1);
    let mut later = key("later", "sk-later");
    later.expires_at_ms = Some(now_ms() + 60_000);
    let table = RouteTable::compile(Arc::new(snapshot([], [key("good", "sk-good"), disabled, expired, later])), None);
    let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
    client(&table, &parts("/v1/x", &headers), Format::OpenAiChat).map(|client| client.key.name.to_string())
}

#[test]
fn each_api_has_its_places_for_the_key_and_an_order() {
    let found = |format, uri: &str, headers: &[(&str, &str)]| {
        credential(&parts(uri, headers), format).map(|key| String::from_utf8(key.into_owned()).unwrap())
    };
    let all = [("authorization", "Bearer b"), ("x-api-key", "x"), ("x-goog-api-key", "g")];
    assert_eq!(found(Format::OpenAiChat, "/v1?key=q", &all).unwrap(), "b");
    assert_eq!(found(Format::AnthropicMessages, "/v1?key=q", &all).unwrap(), "x");
    assert_eq!(found(Format::AnthropicMessages, "/v1", &all[..1]).unwrap(), "b");
    assert_eq!(found(Format::GeminiGenerate, "/v1?key=q", &all).unwrap(), "g");
    assert_eq!(found(Format::GeminiGenerate, "/v1?a=1&key=q%2Fr", &all[..2]).unwrap(), "q/r");
    assert_eq!(found(Format::GeminiGenerate, "/v1", &all[..2]).unwrap(), "b");
    assert_eq!(found(Format::OpenAiChat, "/v1?key=q", &all[1..]), None);
    assert_eq!(found(Format::GeminiGenerate, "/v1?key=", &[("x-goog-api-key", " ")]), None);
    assert!(is_geminis(&parts("/v1?key=q", &[])) && !is_geminis(&parts("/v1", &all[..2])));
}

#[test]
fn a_known_key_is_its_client() {
    for value in ["Bearer sk-good", "bearer sk-good", "BEARER  sk-good "] {
        assert_eq!(outcome(Some(value)).unwrap(), "good", "{value:?}");
    }
    assert_eq!(outcome(Some("Bearer sk-later")).unwrap(), "later");
}

#[test]
fn without_a_key_the_request_is_told_to_bring_one() {
    for value in [None, Some("Bearer"), Some("Bearer  "), Some("Basic c2stZ29vZA=="), Some("sk-good")] {
        assert!(matches!(outcome(value), Err(GatewayError::MissingKey { .. })), "{value:?}");
    }
}

#[test]
fn a_key_in_another_place_is_pointed_at() {
    let table = RouteTable::compile(Arc::new(snapshot([], [key("good", "sk-good")])), None);
    for header in ["x-api-key", "api-key", "x-goog-api-key", "authorization"] {
        let error = client(&table, &parts("/v1/x", &[(header, "sk-good")]), Format::OpenAiChat).unwrap_err();
        let words = error.to_string();
        assert!(words.contains("'Authorization: Bearer <key>'") && words.contains(&format!("'{header}'")), "{words}");
        assert!(!words.contains("sk-good"));
    }
    let nothing = client(&table, &parts("/v1/x", &[]), Format::OpenAiChat).unwrap_err().to_string();
    assert!(nothing.ends_with("'Authorization: Bearer <key>'"), "{nothing}");
}

#[test]
fn unknown_disabled_and_expired_keys_are_refused_alike() {
    for value in ["Bearer sk-unknown", "Bearer sk-disabled", "Bearer sk-expired", "Bearer sk-goo", "Bearer sk-good1"] {
        assert!(matches!(outcome(Some(value)), Err(GatewayError::InvalidKey)), "{value:?}");
    }
}
