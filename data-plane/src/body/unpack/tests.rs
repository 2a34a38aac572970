use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::HeaderMap;

use super::{UnpackError, unpack};

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
