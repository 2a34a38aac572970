//! Hosts that get another address.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fake_provider::FakeProvider;
use fake_provider::journal::End;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use tower::service_fn;

use super::super::resolver::Resolver;
use super::super::way::{LOOK, LOOK_TIMEOUT};
use super::{Exit, RequestBody, Upstream};
use crate::route::fixtures::group;

/// A name whose address can be changed.
#[derive(Clone, Debug, Default)]
struct Name {
    /// None: it cannot be looked up.
    address: Arc<Mutex<Option<IpAddr>>>,
    looks: Arc<AtomicUsize>,
}

impl Name {
    fn is_at(&self, last: Option<u8>) {
        *self.address.lock().unwrap() = last.map(|last| [127, 0, 0, last].into());
    }

    fn resolver(&self) -> Resolver {
        let name = self.clone();
        Resolver::new(service_fn(move |_| {
            name.looks.fetch_add(1, Ordering::SeqCst);
            let found = *name.address.lock().unwrap();
            async move {
                let found = found.ok_or_else(|| io::Error::other("no such name"))?;
                Ok(vec![SocketAddr::new(found, 0)].into_iter())
            }
        }))
    }

    /// Waits until it has been looked up so many times more.
    async fn is_looked_up(&self, times: usize) {
        let enough = self.looks.load(Ordering::SeqCst) + times;
        while self.looks.load(Ordering::SeqCst) < enough {
            tokio::task::yield_now().await;
        }
    }
}

/// Two providers at one port: at 127.0.0.1 and, when it has moved, at 127.0.0.2.
async fn providers() -> (FakeProvider, FakeProvider) {
    loop {
        let old = FakeProvider::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        if let Ok(new) = FakeProvider::bind(SocketAddr::from(([127, 0, 0, 2], old.addr.port()))).await {
            return (old, new);
        }
    }
}

fn exit_to(port: u16) -> Exit {
    let mut group = group("g", &["m"]);
    group.base_url = format!("http://provider.test:{port}/v1").into();
    Exit::of(&group)
}

fn chat(port: u16, stream: bool) -> Request<RequestBody> {
    let body = json!({ "model": "m", "stream": stream, "messages": [{ "role": "user", "content": "Hello" }] });
    Request::post(format!("http://provider.test:{port}/v1/chat/completions"))
        .header("authorization", "Bearer sk-1")
        .header("content-type", "application/json")
        .body(RequestBody::Whole(Full::new(Bytes::from(body.to_string()))))
        .unwrap()
}

#[tokio::test]
async fn requests_follow_a_host_that_moves_and_what_runs_ends_undisturbed() {
    let (old, new) = providers().await;
    let (port, name) = (old.addr.port(), Name::default());
    name.is_at(Some(1));
    let upstream = Upstream::resolving(name.resolver(), Duration::from_millis(20)).unwrap();
    let exit = exit_to(port);
    let send = async || {
        let answer = upstream.send(&exit, chat(port, false)).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
    };
    old.script(Target::All, Script::paced(10, Duration::from_millis(100)));
    let running = upstream.send(&exit, chat(port, true)).await.unwrap();

    // It is busy all the time, so no connection is ever idle for long.
    name.is_at(Some(2));
    while new.journal().total() == 0 {
        send().await;
    }
    let before = old.journal().total();
    for _ in 0..20 {
        send().await;
    }
    assert_eq!((old.journal().total(), new.journal().total()), (before, 21));

    let whole = running.into_body().collect().await.unwrap().to_bytes();
    assert!(whole.ends_with(b"data: [DONE]\n\n"), "{whole:?}");
    assert_eq!(old.journal().requests()[0].end().unwrap().0, End::Answered);
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_has_not_moved() {
    let (old, new) = providers().await;
    let (port, name) = (old.addr.port(), Name::default());
    name.is_at(Some(1));
    let upstream = Upstream::resolving(name.resolver(), Duration::from_millis(5)).unwrap();
    let exit = exit_to(port);
    let send = async || {
        let answer = upstream.send(&exit, chat(port, false)).await.unwrap();
        answer.into_body().collect().await.unwrap();
    };
    send().await;
    name.is_at(None);
    name.is_looked_up(4).await;
    // A new connection could not be made now.
    send().await;
    assert_eq!((old.journal().total(), new.journal().total()), (2, 0));
}

#[tokio::test]
async fn groups_of_one_host_share_its_connections_and_others_have_their_own() {
    let name = Name::default();
    name.is_at(Some(1));
    let upstream = Upstream::resolving(name.resolver(), LOOK).unwrap();
    let way = |exit: &Exit| Arc::clone(exit.way().get_or_init(|| upstream.way(exit)));
    let of = |change: &dyn Fn(&mut shared::snapshot::Group)| {
        let mut group = group("g", &["m"]);
        group.base_url = "https://API.example.com/v1".into();
        change(&mut group);
        Exit::of(&group)
    };
    let (one, two) = (of(&|_| {}), of(&|group| group.base_url = "https://api.example.com/v2".into()));
    assert!(Arc::ptr_eq(&way(&one), &way(&two)));
    let other = of(&|group| group.base_url = "https://other.example.com/v1".into());
    let slow = of(&|group| group.routing.connect_timeout = Some(Duration::from_mins(1)));
    let (literal, none) = (of(&|group| group.base_url = "https://[::1]/v1".into()), Exit::default());
    assert!(!Arc::ptr_eq(&way(&one), &way(&other)) && !Arc::ptr_eq(&way(&one), &way(&slow)));
    assert!(Arc::ptr_eq(&way(&literal), &way(&none)), "an address does not move");
    assert_eq!((one.name(), literal.name(), none.name()), (Some("api.example.com"), None, None));
}

#[test]
fn a_host_that_has_moved_is_noticed_within_30_s() {
    assert!(2 * LOOK + LOOK_TIMEOUT < Duration::from_secs(30));
}
