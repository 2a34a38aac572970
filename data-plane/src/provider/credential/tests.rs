use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request as Received;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use shared::drain::Tasks;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use translation::vendors::Auth;

use super::{Credential, Errand};
use crate::upstream::{Exit, Upstream};

mod aws;
mod bedrock;
mod google;
mod vertex;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What the fake answers, and after how long.
pub(super) struct Say {
    status: u16,
    body: Bytes,
    content_type: &'static str,
    pause: Duration,
}

impl Say {
    fn after(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }
}

fn say(status: u16, body: impl Into<Bytes>) -> Say {
    Say { status, body: body.into(), content_type: "application/json", pause: Duration::ZERO }
}

/// A server on a port of its own that answers as it is told. It stops when it is dropped.
pub(super) struct Fake {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    tasks: Tasks,
}

impl Fake {
    /// Answers as `answer` says of the request and of how many came before it.
    async fn new(answer: impl Fn(usize, &Seen) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let router = axum::Router::new().fallback(move |request: Received| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let arrived = Seen { uri: parts.uri, headers: parts.headers, body };
                let before = {
                    let mut log = log.lock().unwrap();
                    log.push(arrived.clone());
                    log.len() - 1
                };
                let say = answer(before, &arrived);
                sleep(say.pause).await;
                let response = Response::builder().status(say.status).header("content-type", say.content_type);
                response.body(Body::from(say.body)).unwrap()
            }
        });
        let tasks = Tasks::new();
        tasks.spawn("fake", async move { axum::serve(listener, router).await });
        Self { url, seen, tasks }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

fn post(url: &str, body: &str) -> (Request<Full<Bytes>>, Bytes) {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.parse().unwrap();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    (request, body)
}

/// The way of a group without a proxy.
struct Way {
    upstream: Upstream,
    exit: Exit,
}

impl Way {
    fn new() -> Self {
        Self { upstream: Upstream::new().unwrap(), exit: Exit::default() }
    }

    fn errand(&self, within: Duration) -> Errand<'_> {
        Errand { upstream: &self.upstream, exit: &self.exit, deadline: Instant::now() + within }
    }
}

#[tokio::test]
async fn a_credential_is_sent_and_never_printed() {
    let way = Way::new();
    for (auth, name, key, value) in [
        (Auth::Bearer, "authorization", "sk-secret", "Bearer sk-secret"),
        (Auth::XApiKey, "x-api-key", "sk-secret", "sk-secret"),
        (Auth::GoogApiKey, "x-goog-api-key", "sk-secret", "sk-secret"),
        (Auth::AzureApiKey, "api-key", "sk-secret", "sk-secret"),
        (Auth::AwsSigV4, "authorization", "ABSKsecret", "Bearer ABSKsecret"),
    ] {
        let credential = Credential::of(auth, key, "https://h", None).unwrap();
        assert!(!format!("{credential:?}").contains("secret"));
        let (mut request, body) = post("https://h", "{}");
        credential.put(&mut request, &body, way.errand(Duration::from_secs(1))).await.unwrap();
        assert_eq!(request.headers()[name], value);
        assert!(request.headers()[name].is_sensitive());
        assert!(!credential.renew(StatusCode::UNAUTHORIZED, Some(&request.headers()[name])));
    }
    assert!(Credential::of(Auth::Bearer, "a\nb", "https://h", None).is_err());
    assert!(Credential::of(Auth::AwsSigV4, "sk-secret", "https://h", None).is_err());
    assert!(Credential::of(Auth::GoogleServiceAccount, "{}", "https://h", None).is_err());
}

#[tokio::test]
async fn a_header_of_the_operators_stays() {
    let way = Way::new();
    for (auth, key) in [(Auth::Bearer, "sk-1"), (Auth::AwsSigV4, "AKIA1:secret@us-east-1")] {
        let credential = Credential::of(auth, key, "https://h", None).unwrap();
        let (mut request, body) = post("https://h", "{}");
        request.headers_mut().insert("authorization", HeaderValue::from_static("Basic own"));
        credential.put(&mut request, &body, way.errand(Duration::from_secs(1))).await.unwrap();
        assert_eq!(request.headers()["authorization"], "Basic own");
    }
}
