//! Examples of the document: bodies that succeed when they are sent as they are, and for each error answer one that is
//! made as the answer itself is made.

use std::time::Duration;

use serde_json::{Value, json};
use utoipa::openapi::{OpenApi as Document, RefOr};

use crate::error::{ApiError, FieldError};
use crate::store::StoreError;
use crate::web::problem::PROBLEM_JSON;

/// Fills in the examples of all bodies and error answers.
pub(super) fn fill(document: &mut Document) {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                for content in body.content.values_mut() {
                    let RefOr::T(content) = content else { continue };
                    content.example = body_example(operation.operation_id.as_deref().unwrap_or_default());
                }
            }
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                if let Some(RefOr::T(content)) = response.content.get_mut(PROBLEM_JSON) {
                    content.example = example(status);
                }
            }
        }
    }
}

/// A body of the operation. A test sends each to a new installation, to a group or proxy key that the first example has
/// made.
fn body_example(operation: &str) -> Option<Value> {
    let group = json!({
        "groupName": "openai-primary", "providerType": "openai", "apiKeys": ["sk-your-upstream-key"],
        "models": ["gpt-4o", "gpt-4o-mini"], "modelAliases": {"fast": "gpt-4o-mini"}, "priority": 1, "timeout": 60,
        "parameters": {"temperature": 0.7}
    });
    Some(match operation {
        "login" => json!({"username": "admin", "password": "the password that the first start printed"}),
        "changePassword" => json!({
            "currentPassword": "the password that the first start printed", "newPassword": "a longer password for tomorrow"
        }),
        "createGroup" | "replaceGroup" => group,
        "changeGroup" => json!({"models": ["gpt-4o", "gpt-4o-mini", "o3*"], "priority": 5}),
        "createProxyKey" | "replaceProxyKey" => {
            json!({"name": "my-app-key", "description": "What my application uses", "allowedModels": ["gpt-4o*", "fast"]})
        }
        "tryErrorRules" => json!({
            "providerType": "openai", "status": 429, "headers": {"retry-after": "20"},
            "body": {"error": {"message": "No seats left today", "type": "rate_limit_error"}},
            "rules": [{"words": ["no seats left"], "effect": "exhaust", "scope": "key", "seconds": 3600}]
        }),
        "recoverUpstreamKey" => json!({"probe": false}),
        "replaceErrorRules" => json!({
            "rules": [{"statuses": [429], "words": ["no seats left"], "effect": "exhaust", "scope": "key", "seconds": 3600}]
        }),
        "repriceUsage" => json!({"from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z", "model": "gpt-4o"}),
        "replacePrices" => json!({
            "vendors": [{"providerTypes": ["openai"], "source": "https://relay.example/prices", "lookedUp": "2026-12-01",
                         "rows": [{"models": ["gpt-4o"], "rates": {"input": 2_000_000, "output": 8_000_000}}]}]
        }),
        "importPrices" => json!({
            "openai": {"id": "openai", "models": {"gpt-4o": {"cost": {"input": 2, "output": 8, "cache_read": 1}}}}
        }),
        "runHealthChecks" => json!({"kinds": ["provider", "key"]}),
        "testGroup" => json!({"model": "gpt-4o-mini", "prompt": "Say hello."}),
        "changeProxyKey" => json!({"enabled": false}),
        _ => return None,
    })
}

/// The problem document of an answer with `status`.
fn example(status: &str) -> Option<Value> {
    let error = match status {
        "400" => ApiError::Invalid(vec![FieldError::new("groupName", "is required")]),
        "401" => ApiError::Unauthenticated("log in at /auth/login and send the token"),
        "403" => ApiError::Forbidden("viewers change nothing"),
        "404" => ApiError::NotFound("what the path names was"),
        "405" => ApiError::MethodNotAllowed,
        "408" => ApiError::BodyTimeout,
        "409" => ApiError::Store(StoreError::Stale),
        "413" => ApiError::TooLarge(1024 * 1024),
        "415" => ApiError::NotJson,
        "429" => ApiError::TooManyLogins { retry_after: Duration::from_secs(30) },
        "503" => ApiError::Busy,
        "507" => ApiError::Store(StoreError::Full),
        _ => return None,
    };
    serde_json::to_value(error.problem()).ok()
}
