use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};
use shared::drain::Tasks;
use shared::health::Readiness;
use shared::telemetry::Metrics;
use tempfile::TempDir;

use super::{PASSWORD, Plane, group};
use crate::ControlPlane;
use crate::config::ControlPlaneSettings;
use crate::store::users::UserRole;

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gives_a_token_and_a_careful_cookie() {
    let plane = Plane::start().await;
    let body = json!({ "username": "admin", "password": PASSWORD });
    let answer = plane.call(Method::POST, "/auth/login", "", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let document = answer.json();
    assert_eq!(document["user"]["username"], "admin");
    assert_eq!(document["user"]["role"], "admin");
    assert!(document["expiresAt"].as_i64().unwrap() > shared::time::now_ms());
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("authToken="), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=86400"] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    let token = document["token"].as_str().unwrap();
    let verified = plane.get("/auth/verify", token).await;
    assert_eq!((verified.status, &verified.json()["valid"]), (StatusCode::OK, &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logged_out_token_is_refused_everywhere() {
    let (plane, token) = Plane::with_admin().await;
    assert_eq!(plane.get("/admin/status", &token).await.status, StatusCode::OK);
    let answer = plane.call(Method::POST, "/auth/logout", &token, &Value::Null).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    for path in ["/auth/verify", "/admin/status", "/admin/groups"] {
        let answer = plane.get(path, &token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.fields(), [""; 0]);
    }
    assert_eq!(plane.get("/admin/status", &plane.login("admin").await).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_under_admin_wants_a_login() {
    let plane = Plane::start().await;
    for path in ["status", "groups", "groups/x", "proxy-keys", "proxy-keys/x", "logs", "nodes", "audit"] {
        for token in ["", "x", "a.b.c"] {
            let answer = plane.get(&format!("/admin/{path}"), token).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
        }
    }
    let create = plane.call(Method::POST, "/admin/groups", "", &group("a")).await;
    assert_eq!(create.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn p31_five_wrong_logins_and_then_the_right_password_has_to_wait_too() {
    let plane = Plane::start().await;
    plane.add_user("other", UserRole::Viewer, true).await;
    let login = async |username: &str, password: &str| {
        let body = json!({ "username": username, "password": password });
        plane.call(Method::POST, "/auth/login", "", &body).await
    };
    for username in ["admin", "nobody"] {
        for _ in 0..5 {
            let answer = login(username, "wrong").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.json()["detail"], "Wrong user name or password.");
        }
    }
    let refused = login("admin", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(login("other", PASSWORD).await.status, StatusCode::OK, "another account");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_does_not_get_in() {
    let plane = Plane::start().await;
    plane.add_user("gone", UserRole::Admin, false).await;
    let body = json!({ "username": "gone", "password": PASSWORD });
    assert_eq!(plane.call(Method::POST, "/auth/login", "", &body).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_read_and_operators_write() {
    let (plane, admin) = Plane::with_admin().await;
    plane.add_user("viewer", UserRole::Viewer, true).await;
    plane.add_user("operator", UserRole::Operator, true).await;
    let (viewer, operator) = (plane.login("viewer").await, plane.login("operator").await);
    let made = plane.call(Method::POST, "/admin/groups", &operator, &group("a")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let path = format!("/admin/groups/{}", made.json()["id"].as_str().unwrap());
    for path in [
        "/admin/status",
        "/admin/groups",
        "/admin/providers",
        "/admin/proxy-keys",
        "/admin/logs",
        "/admin/nodes",
        "/admin/audit",
        &path,
    ] {
        for token in [&viewer, &operator, &admin] {
            assert_eq!(plane.get(path, token).await.status, StatusCode::OK, "{path}");
        }
    }
    for (method, path) in [
        (Method::POST, "/admin/groups"),
        (Method::PUT, &path),
        (Method::PATCH, &path),
        (Method::DELETE, &path),
        (Method::POST, "/admin/proxy-keys"),
        (Method::DELETE, "/admin/proxy-keys/x"),
    ] {
        let answer = plane.call(method.clone(), path, &viewer, &group("b")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
        assert_eq!(answer.fields(), [""; 0]);
    }
    assert_eq!(plane.call(Method::DELETE, &path, &operator, &Value::Null).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn p33_a_change_with_the_cookie_must_come_from_a_page_of_ours() {
    let (plane, token) = Plane::with_admin().await;
    let cookie = format!("authToken={token}");
    let body = group("from-a-page").to_string();
    let send = async |site: &[(&str, &str)]| {
        let mut headers = vec![("cookie", cookie.as_str()), ("content-type", "application/json")];
        headers.extend(site);
        plane.raw(Method::POST, "/admin/groups", &headers, body.clone()).await.status
    };
    assert_eq!(plane.raw(Method::GET, "/admin/groups", &[("cookie", &cookie)], "").await.status, StatusCode::OK);
    assert_eq!(send(&[]).await, StatusCode::FORBIDDEN);
    assert_eq!(send(&[("origin", "https://evil.test")]).await, StatusCode::FORBIDDEN);
    assert_eq!(
        send(&[("sec-fetch-site", "cross-site"), ("origin", "http://gateway.test")]).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(send(&[("origin", "http://gateway.test")]).await, StatusCode::CREATED);
    assert_eq!(send(&[("sec-fetch-site", "same-origin")]).await, StatusCode::CONFLICT, "it got through");
}

#[tokio::test(flavor = "multi_thread")]
async fn p31_a_first_start_makes_a_password_and_a_second_one_does_not() {
    let directory = TempDir::new().unwrap();
    let settings =
        ControlPlaneSettings { data_directory: directory.path().to_owned(), ..ControlPlaneSettings::default() };
    let start = async |settings: ControlPlaneSettings| {
        let tasks = Tasks::new();
        let control = ControlPlane::start(settings, &Metrics::new(), &Readiness::new("test"), &tasks).await;
        (control, tasks)
    };
    let (first, tasks) = start(settings.clone()).await;
    let admin = first.as_ref().unwrap().initial_admin().unwrap().clone();
    assert_eq!(admin.username, "admin");
    assert!(admin.password.expose().len() >= 20);
    drop(first);
    assert!(tasks.drain("first", Duration::from_secs(10)).await);

    let (second, _tasks) = start(settings.clone()).await;
    assert!(second.unwrap().initial_admin().is_none());

    for (password, jwt_secret) in
        [(Some("admin123"), None), (Some("short"), None), (None, Some("thirty-one bytes are not enough"))]
    {
        let mut settings = settings.clone();
        settings.auth.password = password.map(Into::into);
        settings.auth.jwt_secret = jwt_secret.map(Into::into);
        let (refused, _tasks) = start(settings).await;
        let error = refused.err().unwrap().to_string();
        assert!(error.starts_with("Auth:"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_counts_at_once_and_ends_the_other_logins() {
    const NEW: &str = "another password for tests";
    let (plane, token) = Plane::with_admin().await;
    let other = plane.login("admin").await;
    plane.add_user("viewer", UserRole::Viewer, true).await;
    let viewer = plane.login("viewer").await;
    let change = async |token: &str, current: &str, new: &str| {
        let body = json!({ "currentPassword": current, "newPassword": new });
        plane.call(Method::POST, "/auth/change-password", token, &body).await
    };
    assert_eq!(change("", PASSWORD, NEW).await.status, StatusCode::UNAUTHORIZED);
    let empty = plane.call(Method::POST, "/auth/change-password", &token, &json!({})).await;
    assert_eq!(empty.fields(), ["currentPassword", "newPassword"]);
    for poor in ["short", "admin123", "Admin2026!", "your-secure-password", "admin"] {
        let refused = change(&token, PASSWORD, poor).await;
        assert_eq!(
            (refused.status, refused.fields()),
            (StatusCode::BAD_REQUEST, vec!["newPassword".to_owned()]),
            "{poor}"
        );
        assert!(!refused.text.contains(poor) || poor.len() < 6, "{}", refused.text);
    }
    let wrong = change(&token, "not the password", NEW).await;
    assert_eq!((wrong.status, wrong.fields()), (StatusCode::BAD_REQUEST, vec!["currentPassword".to_owned()]));

    let changed = change(&token, PASSWORD, NEW).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.text);
    assert_eq!(plane.get("/auth/verify", &token).await.status, StatusCode::OK, "the login that asked goes on");
    assert_eq!(plane.get("/auth/verify", &other).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(plane.get("/auth/verify", &viewer).await.status, StatusCode::OK, "another user");
    let login = async |password: &str| {
        let body = json!({ "username": "admin", "password": password });
        plane.call(Method::POST, "/auth/login", "", &body).await.status
    };
    assert_eq!((login(PASSWORD).await, login(NEW).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    let audit = plane.get("/admin/audit", &token).await.json();
    let entry = audit["items"].as_array().unwrap().iter().find(|entry| entry["action"] == "change_password").unwrap();
    assert_eq!((&entry["username"], &entry["clientIp"]), (&json!("admin"), &json!("127.0.0.1")));
    assert!(!audit.to_string().contains(NEW));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_taken_over_a_login_cannot_try_passwords_for_ever() {
    let (plane, token) = Plane::with_admin().await;
    let change = async |current: &str| {
        let body = json!({ "currentPassword": current, "newPassword": "another password for tests" });
        plane.call(Method::POST, "/auth/change-password", &token, &body).await
    };
    for _ in 0..5 {
        assert_eq!(change("wrong").await.status, StatusCode::BAD_REQUEST);
    }
    let refused = change(PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    // It is counted apart from logins.
    assert_eq!(plane.get("/auth/verify", &plane.login("admin").await).await.status, StatusCode::OK);
}
