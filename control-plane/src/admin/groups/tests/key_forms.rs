//! Upstream keys that have a form of their own.

use serde_json::{Value, json};

use super::{bad, full, patched, replacement};
use crate::error::ApiError;
use crate::store::groups::StoredGroup;

const BEDROCK: &str = "https://bedrock-runtime.us-east-1.amazonaws.com";

fn made(vendor: &str, base_url: &str, keys: &Value) -> Result<StoredGroup, ApiError> {
    replacement(json!({"groupName": "n", "providerType": vendor, "baseUrl": base_url, "apiKeys": keys}), None)
}

fn problem(vendor: &str, base_url: &str, key: &str) -> String {
    let errors = bad(made(vendor, base_url, &json!(["ABSKfine", key])));
    let [(field, problem)] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(field, "apiKeys[1]");
    problem.clone()
}

#[test]
fn the_key_file_of_a_service_account_is_kept_on_one_line() {
    let file = "{\n  \"type\": \"service_account\",\n  \"client_email\": \"a@b\",\n  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n\"\n}\n";
    let body = json!({"groupName": "n", "providerType": "vertex", "baseUrl": "https://host/v1", "apiKeys": [file]});
    let stored = replacement(body.clone(), None).unwrap();
    let secret = stored.group.upstream_keys[0].secret.expose();
    assert_eq!(
        secret,
        r#"{"type":"service_account","client_email":"a@b","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}"#
    );
    let again = replacement(body, Some(&stored)).unwrap();
    assert_eq!(again.group.upstream_keys, stored.group.upstream_keys, "the same file is the same key");
}

#[test]
fn bedrock_takes_access_keys_and_keys_of_its_own() {
    let keys = json!(["AKIA1:secret/+=", "ASIA1:secret:token@eu-west-1", "ABSKabc", "bedrock-api-key-abc"]);
    assert_eq!(made("bedrock", BEDROCK, &keys).unwrap().group.upstream_keys.len(), 4);
}

#[test]
fn a_key_of_another_form_is_refused_with_the_form() {
    assert!(problem("bedrock", BEDROCK, "sk-123").contains("ACCESS_KEY_ID:SECRET_ACCESS_KEY"));
    assert!(problem("bedrock", "https://proxy.example.com", "AKIA1:secret").contains("@us-east-1"));
    let errors = bad(made("vertex", "https://host/v1", &json!(["AIza123"])));
    assert!(errors[0].1.contains("JSON key file"), "{errors:?}");
    let said = format!("{errors:?}{}", problem("bedrock", BEDROCK, "sk-very-secret"));
    assert!(!said.contains("AIza123") && !said.contains("very-secret"));
}

#[test]
fn another_vendor_needs_other_keys() {
    let errors = bad(patched(json!({"providerType": "bedrock", "baseUrl": BEDROCK}), &full()));
    assert_eq!(errors[0].0, "apiKeys[0]");
}
