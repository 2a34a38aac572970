//! Paths that are nearly right, and pages in browsers.

use harness::http::{Answer, Connection};
use harness::planes::chat;
use hyper::{Method, Request};

use crate::support::{Bed, split, standalone};

/// Sends a request without a body.
async fn send(bed: &Bed, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let address = bed.planes.api().http;
    let mut request = Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(http_body_util::Full::default()).unwrap();
    Connection::to(address).fetch(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn near_misses_are_told_the_base_url_in_the_shape_of_the_client() {
    for setup in [standalone(), split(1)] {
        let bed = Bed::start(setup).await.unwrap();
        let host = format!("http://{}", bed.planes.api().http);
        for (path, base) in [
            ("/api/v1/chat/completions", format!("{host}/v1")),
            ("//v1/chat/completions", format!("{host}/v1")),
            ("/v1/chat/completions/", format!("{host}/v1")),
            ("/v1/v1/chat/completions", format!("{host}/v1")),
            ("/v1/chat/completions/chat/completions", format!("{host}/v1")),
            ("/openai/v1/chat/completions", format!("{host}/v1")),
            ("/v1beta/openai/chat/completions", format!("{host}/v1")),
            ("/chat/completions", format!("{host}/v1")),
            ("/models", format!("{host}/v1")),
        ] {
            let answer = send(&bed, Method::POST, path, &[("authorization", "Bearer x")]).await;
            let error = &answer.json()["error"];
            assert_eq!(
                (answer.status, error["code"].as_str()),
                (404, Some("unknown_url")),
                "{path}: {}",
                answer.text()
            );
            let message = error["message"].as_str().unwrap();
            assert!(
                message.contains(&format!("{base}.")) || message.contains(&format!("{base},")),
                "{path}: {message}"
            );
        }
        let claude =
            send(&bed, Method::POST, "/v1/v1/messages", &[("x-api-key", "x"), ("anthropic-version", "1")]).await;
        assert_eq!((claude.status, claude.json()["type"].as_str()), (404, Some("error")), "{}", claude.text());
        assert_eq!(claude.json()["error"]["type"], "not_found_error");
        assert!(claude.text().contains(&format!("{host}.")), "{}", claude.text());
        let gemini = send(&bed, Method::POST, "/models/gemini:generateContent", &[("x-goog-api-key", "x")]).await;
        assert_eq!(
            (gemini.status, gemini.json()["error"]["status"].as_str()),
            (404, Some("NOT_FOUND")),
            "{}",
            gemini.text()
        );
        assert!(gemini.text().contains(&format!("{host}/v1beta")), "{}", gemini.text());
        let method = send(&bed, Method::GET, "/v1/chat/completions", &[]).await;
        assert_eq!((method.status, method.header("allow")), (405, "POST"), "{}", method.text());
        assert_eq!(method.json()["error"]["code"], "method_not_allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_may_call_the_client_apis_and_nothing_else() {
    let origin = "https://app.example.com";
    let asked = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    for setup in [standalone(), split(1)] {
        let bed =
            Bed::start(setup.set("Server:AllowedOrigins", format!("http://localhost:1, {origin}"))).await.unwrap();
        for path in [
            "/v1/chat/completions",
            "/v1/messages",
            "/v1beta/models/m:generateContent",
            "/v1/models",
            "/chat/completions",
        ] {
            let preflight = send(&bed, Method::OPTIONS, path, &asked).await;
            assert_eq!(preflight.status, 204, "{path}: {}", preflight.text());
            assert_eq!(preflight.header("access-control-allow-origin"), origin, "{path}");
            assert_eq!(preflight.header("access-control-allow-headers"), "authorization,content-type", "{path}");
            assert!(preflight.header("access-control-allow-methods").contains("POST"), "{path}");
            let other = [("origin", "https://evil.example.com"), asked[1], asked[2]];
            let refused = send(&bed, Method::OPTIONS, path, &other).await;
            assert_eq!(refused.header("access-control-allow-origin"), "", "{path}");
        }
        for (body, status) in [(chat("gpt-4o", false), 200), (chat("gpt-4o", true), 200), (chat("unknown", false), 404)]
        {
            let answer = bed.post(&[("origin", origin)], body.to_string()).await.unwrap();
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, origin));
            assert!(answer.header("vary").contains("origin"));
            assert!(answer.header("access-control-expose-headers").contains("x-request-id"));
        }
        let refused = send(&bed, Method::POST, "/v1/chat/completions", &asked[..1]).await;
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, origin));
        let address = bed.planes.control.http;
        for (method, path) in
            [(Method::OPTIONS, "/admin/groups"), (Method::POST, "/auth/login"), (Method::GET, "/openapi.json")]
        {
            let mut request = Request::builder().method(method).uri(path).header("host", "gateway");
            for (name, value) in asked {
                request = request.header(name, value);
            }
            let request = request.body(http_body_util::Full::default()).unwrap();
            let answer = Connection::to(address).fetch(request).await.unwrap();
            assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        }
    }
    let bed = Bed::start(standalone()).await.unwrap();
    let off = send(&bed, Method::OPTIONS, "/v1/chat/completions", &asked).await;
    assert_eq!((off.status, off.header("access-control-allow-origin")), (405, ""), "it is off by default");
}
