use axum::body::Body;
use bytes::Bytes;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use futures_util::stream;
use http::{Method, Request};
use serde_json::json;
use shared::pb::usage_record::Outcome;

use super::{bench, plain, request};

const FORM: &str = "multipart/form-data; boundary=XbX";

fn part(name: &str, value: &str) -> String {
    let file = if name == "file" || name == "image" { "; filename=\"f\"\r\nContent-Type: audio/wav" } else { "" };
    format!("--XbX\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
}

fn form(parts: &[(&str, &str)]) -> String {
    parts.iter().map(|(name, value)| part(name, value)).collect::<String>() + "--XbX--\r\n"
}

fn upload(path: &str, body: impl Into<Body>) -> Request<Body> {
    request(Method::POST, path).header("content-type", FORM).body(body.into()).unwrap()
}

#[tokio::test]
async fn each_upload_goes_where_its_model_is() {
    let mut bench = plain(&[("g", "openai")]).await;
    let cases = [
        ("/v1/audio/transcriptions", vec![("file", "RIFF"), ("model", "alias")], "audio"),
        ("/v1/audio/translations", vec![("model", "alias"), ("file", "RIFF")], "audio"),
        ("/v1/images/edits", vec![("image", "PNG"), ("prompt", "a cat"), ("model", "alias")], "images"),
        ("/v1/images/variations", vec![("model", "alias"), ("image", "PNG")], "images"),
    ];
    for (path, parts, api) in cases {
        let body = form(&parts);
        let got = bench.send(0, upload(path, body.clone())).await;
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        let sent = bench.providers[0].journal().last().unwrap();
        assert_eq!((sent.path.as_str(), sent.header("content-type")), (path, FORM));
        assert_eq!(sent.body, body.replace("alias", "upstream-m"));
        let record = bench.record();
        assert_eq!((record.api.as_str(), record.outcome()), (api, Outcome::Success));
        assert_eq!((record.requested_model.as_str(), record.upstream_model.as_str()), ("alias", "upstream-m"));
        assert_eq!(record.request_bytes, body.len() as u64);
    }
    let got = bench.send(0, upload("/v1/images/variations", form(&[("image", "PNG")]))).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(bench.record().requested_model, "dall-e-2");
    let text = form(&[("file", "RIFF"), ("model", "m"), ("response_format", "srt")]);
    let got = bench.send(0, upload("/v1/audio/transcriptions", text)).await;
    assert!(got.content_type.starts_with("text/plain") && got.text().starts_with("1\n"), "{}", got.text());
}

#[tokio::test]
async fn a_small_upload_is_tried_again_and_a_large_one_is_not() {
    let mut bench = plain(&[("a", "openai"), ("b", "openai")]).await;
    let small = form(&[("file", "RIFF"), ("model", "m")]);
    bench.providers[0].script(Target::All, Script::error(503));
    assert_eq!(bench.send(0, upload("/v1/audio/transcriptions", small)).await.status, 200);
    assert_eq!(bench.record().attempts.len(), 2);

    let sound = "x".repeat(3 << 20);
    for parts in [[("file", sound.as_str()), ("model", "m")], [("model", "m"), ("file", sound.as_str())]] {
        bench.forget();
        let large = form(&parts);
        bench.providers[0].script(Target::All, Script::error(500));
        assert_eq!(bench.send(0, upload("/v1/audio/transcriptions", large.clone())).await.status, 500);
        let record = bench.record();
        assert_eq!((record.attempts.len(), record.outcome()), (1, Outcome::UpstreamError));
        let got = bench.send(0, upload("/v1/audio/transcriptions", large.clone())).await;
        assert_eq!(got.status, 200, "{}", got.text());
        let sent = bench.providers[0].journal().last().unwrap();
        assert!(sent.body == large);
        assert_eq!(bench.record().request_bytes, large.len() as u64);
    }
}

#[tokio::test]
async fn a_group_that_cannot_take_an_upload_does_not_use_it_up() {
    let mut bench = plain(&[("a", "anthropic"), ("b", "openai")]).await;
    let large = form(&[("model", "m"), ("file", &"x".repeat(3 << 20))]);
    assert_eq!(bench.send(0, upload("/v1/audio/transcriptions", large)).await.status, 200);
    assert_eq!(bench.record().group_id, "b");
}

#[tokio::test]
async fn the_limit_of_uploads_is_their_own() {
    let mut bench = bench(&[("g", "openai")], |_, _, limits| {
        limits.max_body_bytes = 1000;
        limits.max_upload_bytes = 2 << 20;
    })
    .await;
    let code = |got: super::Got| (got.status, got.json()["error"]["code"].clone());
    let sound = |size: usize| form(&[("model", "m"), ("file", &"x".repeat(size))]);
    let path = "/v1/audio/transcriptions";
    assert_eq!(bench.send(0, upload(path, sound(1 << 20))).await.status, 200);
    bench.forget();
    assert_eq!(code(bench.send(0, upload(path, sound(3 << 20))).await), (413, json!("request_too_large")));
    assert_eq!(bench.record().outcome(), Outcome::Refused);
    assert_eq!(bench.asked()[0].len(), 0);
    // This upload does not announce its length, and is on its way when it turns out too long.
    let portions: Vec<_> = sound(3 << 20)
        .into_bytes()
        .chunks(50_000)
        .map(|part| Ok::<_, std::io::Error>(Bytes::copy_from_slice(part)))
        .collect();
    let body = Body::from_stream(stream::iter(portions));
    assert_eq!(code(bench.send(0, upload(path, body)).await), (413, json!("request_too_large")));
    let record = bench.record();
    assert_eq!((record.outcome(), record.attempts.len()), (Outcome::Refused, 1));
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_the_clients_fault() {
    let mut bench = plain(&[("g", "openai"), ("h", "openai")]).await;
    let broken = |size: usize| {
        let start = part("model", "m") + &part("file", &"x".repeat(size));
        let portions = [Ok(Bytes::from(start)), Err(std::io::Error::other("reset"))];
        upload("/v1/audio/transcriptions", Body::from_stream(stream::iter(portions)))
    };
    for size in [10, 3 << 20] {
        let got = bench.send(0, broken(size)).await;
        assert_eq!((got.status, &got.json()["error"]["code"]), (400, &json!("body_unreadable")));
        assert_eq!(bench.record().outcome(), Outcome::ClientGone);
    }
    // Readers differ in which of two models counts.
    let sound = "x".repeat(3 << 20);
    for twice in [form(&[("model", "m"), ("model", "n")]), form(&[("model", "m"), ("file", &sound), ("model", "n")])] {
        let got = bench.send(0, upload("/v1/audio/transcriptions", twice)).await;
        assert_eq!((got.status, &got.json()["error"]["param"]), (400, &json!("model")));
        assert!(bench.record().attempts.len() < 2);
    }
    assert!(bench.asked()[1].is_empty());
    let json = request(Method::POST, "/v1/images/edits").header("content-type", "application/json");
    let got = bench.send(0, json.body(Body::from("{}")).unwrap()).await;
    assert_eq!(got.status, 400);
    let nameless = upload("/v1/audio/transcriptions", form(&[("file", "RIFF")]));
    let got = bench.send(0, nameless).await;
    assert_eq!((got.status, &got.json()["error"]["param"]), (400, &json!("model")));
    let unknown = upload("/v1/audio/transcriptions", form(&[("file", "RIFF"), ("model", "unknown")]));
    let got = bench.send(0, unknown).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (404, &json!("model_not_found")));
}
