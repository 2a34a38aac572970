//! What a provider may send ahead on HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use shared::drain::Tasks;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::super::{RequestBody, WINDOW, builder};

/// How many answers are not taken. With hyper's own windows, three of them use up the window of their connection.
const UNTAKEN: usize = 32;

/// What an HTTP/2 server of hyper's holds itself of each answer that it cannot send, in bytes.
const HELD_BY_SERVER: usize = 512 * 1024;

const PIECE: &[u8] = &[b'x'; 16 * 1024];

const WHOLE: usize = 4 * 1024 * 1024;

#[tokio::test]
async fn answers_that_nobody_takes_are_bounded_and_leave_others_on_their_connection_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let (tasks, connections) = (Tasks::new(), Tasks::new());
    tasks.spawn_request(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sent = Arc::clone(&counted);
            let service = service_fn(move |request: Request<Incoming>| {
                let sent = Arc::clone(&sent);
                let endless = stream::repeat_with(move || {
                    sent.fetch_add(PIECE.len(), Ordering::Relaxed);
                    Ok::<_, Infallible>(Frame::data(Bytes::from_static(PIECE)))
                });
                let body = match request.uri().path() {
                    "/endless" => Either::Left(StreamBody::new(endless)),
                    _ => Either::Right(Full::new(Bytes::from(vec![b'y'; WHOLE]))),
                };
                async move { Ok::<_, Infallible>(Response::new(body)) }
            });
            let served = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
            connections.spawn_request(async move { drop(served.await) });
        }
    });
    let pool = builder().http2_only(true).build(HttpConnector::new());
    let ask = |path: &str| {
        let request = Request::builder().uri(format!("http://{address}{path}"));
        pool.request(request.body(RequestBody::Whole(Full::default())).unwrap())
    };
    let mut untaken = Vec::new();
    for _ in 0..UNTAKEN {
        untaken.push(ask("/endless").await.unwrap());
    }
    let whole = async { ask("/whole").await.unwrap().into_body().collect().await.unwrap().to_bytes() };
    let whole = timeout(Duration::from_secs(10), whole).await.expect("an answer that is taken comes");
    assert_eq!(whole.len(), WHOLE);
    let each = sent.load(Ordering::Relaxed) / UNTAKEN;
    assert!(each <= WINDOW as usize + HELD_BY_SERVER, "{each} bytes each");
}
