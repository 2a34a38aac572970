use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use futures_util::stream;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::StreamBody;

use super::{Collected, UnpackError, collect, unpack};

fn packed(encoding: &str, plain: &[u8]) -> (HeaderMap, Bytes) {
    let body = match encoding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(plain, 3).unwrap(),
        _ => plain.to_vec(),
    };
    let mut headers = HeaderMap::new();
    headers.insert("content-encoding", encoding.parse().unwrap());
    (headers, body.into())
}

#[test]
fn each_encoding_is_undone_within_the_bound() {
    let plain = vec![b'x'; 100_000];
    for encoding in ["gzip", "deflate", "zstd", "identity"] {
        let (headers, body) = packed(encoding, &plain);
        assert_eq!(unpack(&headers, body.clone(), 100_000).unwrap(), plain, "{encoding}");
        if encoding != "identity" {
            assert_eq!(unpack(&headers, body.clone(), 99_999), Err(UnpackError::TooLarge), "{encoding}");
            assert!(
                matches!(unpack(&headers, body.slice(..body.len() / 2), 100_000), Err(UnpackError::Damaged)),
                "{encoding}"
            );
        }
    }
    let (headers, body) = packed("br", b"x");
    assert_eq!(unpack(&headers, body, 10), Err(UnpackError::Unknown("br".to_owned())));
}

#[tokio::test]
async fn frames_are_put_together_up_to_the_bound() {
    let body = |frames: &[&'static str]| {
        let frames: Vec<_> =
            frames.iter().map(|text| Ok::<_, String>(Frame::data(Bytes::from_static(text.as_bytes())))).collect();
        StreamBody::new(stream::iter(frames))
    };
    let pause = Duration::from_secs(5);
    for (frames, expected) in [(&[] as &[_], ""), (&["one"], "one"), (&["one", "", "two", "3"], "onetwo3")] {
        match collect(body(frames), 7, pause).await.unwrap() {
            Collected::Whole(bytes) => assert_eq!(bytes, expected),
            Collected::Larger { .. } => panic!("{frames:?} is within the bound"),
        }
    }
    match collect(body(&["one", "two", "three"]), 5, pause).await.unwrap() {
        Collected::Larger { start, .. } => assert_eq!(start.concat(), b"onetwo"),
        Collected::Whole(_) => panic!("over the bound"),
    }
    let broken = StreamBody::new(stream::iter([Ok(Frame::data(Bytes::from_static(b"x"))), Err("cut")]));
    assert!(collect(broken, 10, pause).await.is_err());
    let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, String>>());
    assert!(collect(silent, 10, Duration::from_millis(20)).await.is_err());
}
