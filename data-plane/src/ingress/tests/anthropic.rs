//! What Anthropic's clients rely on beside messages.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use super::*;

async fn anthropic() -> Bench {
    bench(|group| {
        group.provider_type = "anthropic".into();
        group.base_url = group.base_url.trim_end_matches("/v1").into();
    })
    .await
}

fn messages(path: &str, more: &Value) -> Request<Body> {
    let mut body = json!({ "model": "gpt-4o", "max_tokens": 9, "messages": [{ "role": "user", "content": "Hello" }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Request::post(path)
        .header("x-api-key", "sk-client")
        .header("anthropic-version", "2023-06-01")
        .body(Body::from(body.to_string()))
        .unwrap()
}

#[tokio::test]
async fn the_id_of_a_request_stands_where_anthropics_packages_look_for_it() {
    let bench = anthropic().await;
    for request in [
        messages("/v1/messages", &json!({})),
        messages("/claude/v1/messages", &json!({ "model": "gpt-99" })),
        messages("/v1/messages/nowhere", &json!({})),
        Request::get("/claude/v1/models").header("x-api-key", "sk-client").body(Body::empty()).unwrap(),
    ] {
        let response = bench.send(request).await;
        assert_eq!(response.headers()["request-id"], response.headers()["x-request-id"]);
    }
    let response = bench.send(chat(&plain("gpt-4o", false))).await;
    assert!(!response.headers().contains_key("request-id"));
}

#[tokio::test]
async fn what_is_no_part_of_the_api_for_good_stays_marked() {
    let bench = anthropic().await;
    for (path, sent) in [
        ("/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/claude/v1/messages?x=1&beta=true&key=secret", "/v1/messages?beta=true"),
        ("/v1/messages?beta=false", "/v1/messages"),
    ] {
        assert_eq!(bench.send(messages(path, &json!({}))).await.status(), 200);
        assert_eq!(bench.provider.journal().last().unwrap().path, sent);
    }
}

#[tokio::test]
async fn a_thread_is_kept_by_anthropic_and_by_nobody_else() {
    let thread = json!({ "thread": { "type": "create" } });
    let native = anthropic().await;
    assert_eq!(native.send(messages("/v1/messages?beta=true", &thread)).await.status(), 200);
    assert_eq!(native.provider.journal().last().unwrap().json()["thread"], thread["thread"]);

    let other = bench(|_| {}).await;
    let response = other.send(messages("/v1/messages?beta=true", &thread)).await;
    assert_eq!(response.status(), 400);
    let refusal = error(&text(response).await);
    assert_eq!(refusal["type"], "invalid_request_error");
    assert_eq!(refusal["details"], json!({ "error_code": "thread_unsupported_request" }));
    assert_eq!(other.provider.journal().total(), 0);
}

/// A body of that many pieces, which counts how many are left.
struct Pieces(Arc<AtomicUsize>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        Poll::Ready((left > 0).then(|| Ok(Frame::data(Bytes::from_static(b"{}")))))
    }
}

#[tokio::test]
async fn a_refused_request_is_read_to_its_end() {
    // A body that is left unread closes the connection behind the answer, and the client's next request on it is lost.
    let bench = bench(|_| {}).await;
    for path in ["/v1/messages", "/v1/nowhere", "/v1/models", "/v1/models/m:nothing"] {
        let left = Arc::new(AtomicUsize::new(20));
        let body = Body::new(Pieces(Arc::clone(&left)));
        let request = Request::post(path).header("x-api-key", "sk-wrong").body(body).unwrap();
        assert!(bench.send(request).await.status().is_client_error());
        assert_eq!(left.load(Ordering::Relaxed), 0, "{path}");
    }
}

#[tokio::test]
async fn a_refused_request_that_does_not_end_is_not_waited_for() {
    let bench = bench(|_| {}).await;
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let body = Body::new(Pieces(Arc::clone(&left)));
    let request = Request::post("/v1/messages").header("x-api-key", "sk-wrong").body(body).unwrap();
    assert_eq!(bench.send(request).await.status(), 401);
    assert!(left.load(Ordering::Relaxed) > usize::MAX - 1_000_000);
}
