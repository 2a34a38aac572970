//! Tests of the whole REST API against a store of its own, without sockets.

mod auth;
mod examples;
mod health_checks;
mod key_states;
mod metrics;
mod permissions;
mod problems;
mod resources;

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use shared::drain::Tasks;
use shared::health::Readiness;
use shared::ids::new_id;
use shared::telemetry::Metrics;
use tower::ServiceExt as _;

use crate::ControlPlane;
use crate::auth::passwords::Passwords;
use crate::config::ControlPlaneSettings;
use crate::store::tests::database::TestDatabase;
use crate::store::users::{self, User, UserRole};

const PASSWORD: &str = "a password for tests";

/// A control plane with the user `admin`, and others that a test adds.
struct Plane {
    control: ControlPlane,
    router: Router,
    database: TestDatabase,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Names of the bad fields of a problem document.
    fn fields(&self) -> Vec<String> {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{}", self.text);
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16());
        let errors = document["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str()).map(str::to_owned).collect()
    }
}

impl Plane {
    async fn start() -> Self {
        Self::over(TestDatabase::new().await).await
    }

    async fn over(database: TestDatabase) -> Self {
        let data_directory = database.directory.path().to_owned();
        let mut settings = ControlPlaneSettings { data_directory, ..ControlPlaneSettings::default() };
        settings.database.url = Some(database.url.as_str().into());
        settings.auth.password = Some(PASSWORD.into());
        let tasks = Tasks::new();
        let control = ControlPlane::start(settings, &Metrics::new(), &Readiness::new("test"), &tasks).await.unwrap();
        let router = control.router().fallback_service(control.fallback());
        Self { control, router, database }
    }

    /// A control plane, and the token of an admin who has logged in.
    async fn with_admin() -> (Self, String) {
        let plane = Self::start().await;
        let token = plane.login("admin").await;
        (plane, token)
    }

    async fn add_user(&self, username: &str, role: UserRole, enabled: bool) {
        let password_hash = Passwords::new().await.unwrap().hash(PASSWORD.into()).await.unwrap();
        let user = User { id: new_id(), username: username.to_owned(), password_hash, role, enabled };
        users::create(self.control.store(), &user).await.unwrap();
    }

    async fn login(&self, username: &str) -> String {
        let body = json!({ "username": username, "password": PASSWORD });
        let answer = self.call(Method::POST, "/auth/login", "", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    async fn call(&self, method: Method, path: &str, token: &str, body: &Value) -> Answer {
        let mut headers = Vec::new();
        let bearer = format!("Bearer {token}");
        if !token.is_empty() {
            headers.push(("authorization", bearer.as_str()));
        }
        if !body.is_null() {
            headers.push(("content-type", "application/json"));
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(method, path, &headers, body).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, &Value::Null).await
    }

    async fn raw(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let peer = ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
        let mut request = Request::builder().method(method).uri(path).header("host", "gateway.test").extension(peer);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        assert!(parts.headers.contains_key("x-request-id"), "{path}");
        assert_eq!(parts.headers["x-content-type-options"], "nosniff");
        assert!(parts.headers.contains_key("content-security-policy"));
        Answer { status: parts.status, headers: parts.headers, text }
    }
}

fn group(name: &str) -> Value {
    json!({ "groupName": name, "providerType": "openai", "apiKeys": ["sk-upstream-key-0001"], "models": ["gpt-4o"] })
}
