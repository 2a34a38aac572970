use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use proptest::prelude::{any, prop, proptest};
use proptest::prop_assert_eq;
use proptest::sample::Index;

use super::super::scanner::Scanner;
use super::{Held, Incoming, UploadProgress, Uploading};
use crate::limits::RequestLimits;

async fn held(portions: &[&[u8]], bound: usize) -> Held {
    let mut held = Held::new(bound, &RequestLimits::default());
    for portion in portions {
        held.push(Bytes::copy_from_slice(portion)).await.unwrap();
    }
    held.rewind().await.unwrap();
    held
}

fn incoming(portions: Vec<Result<Bytes, std::io::Error>>, limits: &RequestLimits) -> (Incoming, Arc<UploadProgress>) {
    let progress = Arc::new(UploadProgress::default());
    let body = Body::from_stream(stream::iter(portions));
    (Incoming::new(body, Scanner::new("b"), limits, Arc::clone(&progress)), progress)
}

async fn sent(body: Uploading) -> Vec<u8> {
    body.collect().await.unwrap().to_bytes().to_vec()
}

#[tokio::test]
async fn what_is_held_is_sent_with_the_name_replaced() {
    let portions: [&[u8]; 4] = [b"0123", b"4567", b"89ab", b"cdef"];
    for bound in [1, 5, 9, 100] {
        for (range, expected) in [
            (2..4, &b"01NEW456789abcdef"[..]),
            (3..9, &b"012NEW9abcdef"[..]),
            (6..15, &b"012345NEWf"[..]),
            (0..0, &b"NEW0123456789abcdef"[..]),
            (12..16, &b"0123456789abNEW"[..]),
        ] {
            let held = held(&portions, bound).await;
            let whole = held.whole(Some((range.clone(), b"NEW")));
            assert_eq!(whole.is_some(), bound == 100, "{bound}");
            assert!(whole.is_none_or(|whole| whole == expected));
            let body = Uploading::new(held, Some((range, b"NEW")), None, None, Arc::default());
            assert_eq!(body.size_hint().exact(), Some(expected.len() as u64));
            assert_eq!(sent(body).await, expected, "{bound}");
        }
    }
}

#[tokio::test]
async fn the_rest_follows_what_is_held() {
    let limits = RequestLimits::default();
    let (mut incoming, progress) = incoming(vec![Ok("--b".into()), Ok("--".into()), Ok("\r\n \n".into())], &limits);
    let first = incoming.next().await.unwrap().unwrap();
    let held = held(&[&first], 1).await;
    let body = Uploading::new(held, None, Some(incoming), Some(9), Arc::clone(&progress));
    assert_eq!(body.size_hint().exact(), Some(9));
    assert_eq!(sent(body).await, b"--b--\r\n \n");
    assert_eq!(progress.bytes(), 9);
    assert!(progress.fault().is_none());
}

#[tokio::test]
async fn an_upload_that_breaks_off_says_why() {
    let broken = || Err(std::io::Error::other("gone"));
    let small = RequestLimits { max_upload_bytes: 6, ..RequestLimits::default() };
    let cases = [
        (vec![Ok("--b".into()), broken()], RequestLimits::default(), "body_unreadable"),
        (vec![Ok("--b".into())], RequestLimits::default(), "invalid_request"),
        (vec![Ok("--b".into()), Ok("12345".into())], small, "request_too_large"),
    ];
    for (portions, limits, code) in cases {
        let (incoming, progress) = incoming(portions, &limits);
        let body = Uploading::new(held(&[], 1).await, None, Some(incoming), None, Arc::clone(&progress));
        assert_eq!(body.size_hint().exact(), None);
        assert!(body.collect().await.is_err());
        assert_eq!(progress.fault().unwrap().code(), code);
    }
}

#[tokio::test]
async fn a_client_that_pauses_is_not_waited_for() {
    let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let limits = RequestLimits { body_timeout: Duration::from_millis(5), ..RequestLimits::default() };
    let mut incoming = Incoming::new(body, Scanner::new("b"), &limits, Arc::default());
    assert_eq!(incoming.next().await.unwrap_err().code(), "request_timeout");
}

proptest! {
    #[test]
    fn any_portions_are_sent_as_they_came(
        portions in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 1..10),
        bound in 0usize..100,
        cut in any::<(Index, Index)>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let all = portions.concat();
            let (one, other) = (cut.0.index(all.len() + 1), cut.1.index(all.len() + 1));
            let (start, end) = (one.min(other), one.max(other));
            let slices: Vec<&[u8]> = portions.iter().map(Vec::as_slice).collect();
            let held = held(&slices, bound).await;
            let body = Uploading::new(held, Some((start as u64..end as u64, b"new")), None, None, Arc::default());
            let expected = [&all[..start], b"new", &all[end..]].concat();
            prop_assert_eq!(sent(body).await, expected);
            Ok(())
        })?;
    }
}
