use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt as _;

use super::{AllowedOrigins, layer};

fn origins(setting: &[&str]) -> AllowedOrigins {
    let setting: Vec<String> = setting.iter().map(ToString::to_string).collect();
    AllowedOrigins::of(&setting).unwrap().unwrap()
}

async fn send(allowed: &[&str], method: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap) {
    let answer = async || ([("x-request-id", "r"), ("x-ratelimit-left", "3")], StatusCode::UNAUTHORIZED);
    let router = Router::new().route("/", post(answer)).layer(from_fn_with_state(origins(allowed), layer));
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    (response.status(), response.headers().clone())
}

const PREFLIGHT: [(&str, &str); 2] =
    [("access-control-request-method", "POST"), ("access-control-request-headers", "authorization,content-type")];

#[tokio::test]
async fn a_preflight_is_answered_before_the_key_is_asked_for() {
    for (allowed, told) in
        [(&["*"][..], "*"), (&["https://app.test", "http://localhost:3000"], "http://localhost:3000")]
    {
        let [method, headers] = PREFLIGHT;
        let (status, got) = send(allowed, "OPTIONS", &[("origin", "http://localhost:3000"), method, headers]).await;
        assert_eq!(status, 204);
        assert_eq!(got["access-control-allow-origin"], told);
        assert_eq!(got["access-control-allow-headers"], "authorization,content-type");
        assert!(got["access-control-allow-methods"].to_str().unwrap().contains("POST"));
        assert!(got["vary"].to_str().unwrap().contains("origin"));
        assert!(!got.contains_key("access-control-allow-credentials"));
    }
}

#[tokio::test]
async fn every_answer_says_that_the_page_may_read_it() {
    let (status, got) = send(&["https://app.test"], "POST", &[("origin", "https://app.test")]).await;
    assert_eq!(
        (status, &got["access-control-allow-origin"]),
        (StatusCode::UNAUTHORIZED, &"https://app.test".parse().unwrap())
    );
    assert_eq!(got["vary"], "origin");
    let exposed = got["access-control-expose-headers"].to_str().unwrap();
    for name in ["x-request-id", "retry-after", "x-ratelimit-remaining-requests", "x-ratelimit-left"] {
        assert!(exposed.split(", ").any(|exposed| exposed == name), "{name} in {exposed}");
    }
}

#[tokio::test]
async fn other_origins_are_told_nothing() {
    for origin in ["https://evil.test", "http://app.test", "https://app.test.evil.test", "https://app.test:444", "null"]
    {
        for method in ["POST", "OPTIONS"] {
            let [asked, headers] = PREFLIGHT;
            let (_, got) = send(&["https://app.test"], method, &[("origin", origin), asked, headers]).await;
            assert!(!got.keys().any(|name| name.as_str().starts_with("access-control-")), "{origin}: {got:?}");
            assert_eq!(got["vary"], "origin", "a cache must not give this answer to another origin");
        }
    }
    let (_, got) = send(&["*"], "POST", &[]).await;
    assert!(!got.contains_key("access-control-allow-origin"), "no browser has asked");
}

#[test]
fn an_origin_is_scheme_host_and_port() {
    assert_eq!(AllowedOrigins::of(&[]).unwrap(), None);
    for bad in ["app.test", "https://app.test/", "https://app.test/path", "https://*.test", "", "https://u@app.test"] {
        let refused = AllowedOrigins::of(&[bad.to_owned()]);
        assert!(refused.unwrap_err().to_string().contains("Server:AllowedOrigins"), "{bad}");
    }
}
