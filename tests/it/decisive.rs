//! Tests that a client cannot show the gateway one model, or one limit, and the provider another.

use bytes::Bytes;
use harness::http::Connection;
use harness::planes::group;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::json;

use crate::support::{Bed, provider, raw_post, split};

/// A deployment whose group serves two models, and a key that may use `ok-model` alone.
async fn bed() -> Bed {
    let provider = provider().await;
    let planes = split(1).start().await.unwrap();
    for (name, vendor, base) in
        [("openai", "openai", provider.base_url()), ("gemini", "gemini", provider.base_url().replace("/v1", "/v1beta"))]
    {
        let models: &[&str] = if vendor == "openai" { &["ok-model", "other-model"] } else { &["ok-gemini"] };
        let mut body = group(name, &base, &[&format!("sk-upstream-key-{name}")], models);
        body["providerType"] = json!(vendor);
        planes.admin.create_group(&body).await.unwrap();
    }
    let key = json!({ "name": "limited", "allowedModels": ["ok-model", "ok-gemini"] });
    let key = planes.admin.create_key(&key).await.unwrap();
    planes.knows(&key).await.unwrap();
    Bed { planes, provider, key }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_readers_understand_differently_is_refused_on_every_route() {
    let bed = bed().await;
    let messages = r#""messages":[{"role":"user","content":"Hi"}]"#;
    let doubled = [
        r#""model":"ok-model","Model":"other-model""#,
        r#""MODEL":"other-model","model":"ok-model""#,
        r#""model":"ok-model","model":"other-model""#,
        r#""model":"ok-model","mod\u0065l":"other-model""#,
        r#""model":"ok-model","stream":false,"Stream":true"#,
        r#""model":"ok-model","\u017ftream":true"#,
        r#""model":"ok-model","max_tokens":1,"max_to\u212aens":9000"#,
        r#""model":"ok-model","n":1,"N":64"#,
        r#""model":"ok-model","service_tier":"default","Service_Tier":"priority""#,
    ];
    let mut cases = Vec::new();
    for fields in doubled {
        for (path, rest) in [
            ("/v1/chat/completions", messages),
            ("/v1/messages", messages),
            ("/v1/messages/count_tokens", messages),
            ("/v1/responses", r#""input":"Hi""#),
            ("/v1/responses/compact", r#""input":"Hi""#),
            ("/v1/completions", r#""prompt":"Hi""#),
            ("/v1/embeddings", r#""input":"Hi""#),
            ("/v1/moderations", r#""input":"Hi""#),
            ("/v1/images/generations", r#""prompt":"Hi""#),
            ("/v1/audio/speech", r#""input":"Hi","voice":"alloy""#),
            ("/v1/rerank", r#""query":"Hi","documents":[]"#),
        ] {
            cases.push((path.to_owned(), format!("{{{fields},{rest}}}")));
        }
    }
    let contents = r#""contents":[{"parts":[{"text":"Hi"}]}]"#;
    for (method, body) in [
        ("generateContent", format!(r#"{{{contents},"generationConfig":{{}},"generation_config":{{}}}}"#)),
        ("countTokens", format!(r#"{{{contents},"Contents":[]}}"#)),
        ("embedContent", r#"{"content":{"parts":[]},"model":"models/other"}"#.to_owned()),
        ("batchEmbedContents", r#"{"requests":[{"model":"models/other"}]}"#.to_owned()),
    ] {
        cases.push((format!("/v1beta/models/ok-gemini:{method}"), body));
    }
    cases.push(("/v1/embeddings?model=other-model".to_owned(), r#"{"model":"ok-model","input":"Hi"}"#.to_owned()));
    let mut connection = Connection::to(bed.planes.api().http);
    for (path, body) in cases {
        let mut request = raw_post(&path, &bed.key.value, body.clone()).unwrap();
        for name in ["x-api-key", "x-goog-api-key"] {
            request.headers_mut().insert(name, bed.key.value.parse().unwrap());
        }
        let answer = connection.fetch(request).await.unwrap();
        assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text());
        assert!(answer.json()["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", answer.text());
    }
    assert_eq!(bed.provider.journal().total(), 0);

    let further = r#"{"model":"ok-model","models":["other-model"],"messages":[{"role":"user","content":"Hi"}]}"#;
    let answer = connection.fetch(raw_post("/v1/chat/completions", &bed.key.value, further).unwrap()).await.unwrap();
    assert_eq!(answer.status, 403, "{}", answer.text());
    let plain = format!(r#"{{"model":"ok-model",{messages},"unknown_field":1}}"#);
    let answer = connection.fetch(raw_post("/v1/chat/completions", &bed.key.value, plain).unwrap()).await.unwrap();
    assert_eq!((answer.status, bed.provider.journal().total()), (200, 1), "{}", answer.text());
}

fn upload(path: &str, key: &str, content_type: &str, body: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", content_type)
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_readers_understand_differently_is_refused() {
    let bed = bed().await;
    let part =
        |name: &str, value: &str| format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let (ok, other) = (part("model", "ok-model"), part("model", "other-model"));
    let file = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n";
    let plain = "multipart/form-data; boundary=B";
    let of_c = other.replace("--B", "--C");
    let path = "/v1/audio/transcriptions";
    let cases = [
        (
            "two boundaries",
            path,
            "multipart/form-data; boundary=B; boundary=C",
            format!("{of_c}--C--\r\n{ok}{file}--B--\r\n"),
        ),
        (
            "two boundaries, one extended",
            path,
            "multipart/form-data; boundary=B; boundary*=C",
            format!("{ok}{file}--B--\r\n"),
        ),
        ("a preamble", path, plain, format!("{of_c}--C--\r\n{ok}{file}--B--\r\n")),
        ("an epilogue", path, plain, format!("{ok}{file}--B--\r\n{other}--B--\r\n")),
        ("a second model", path, plain, format!("{ok}{file}{other}--B--\r\n")),
        ("another case", path, plain, format!("{ok}{file}{}--B--\r\n", part("Model", "other-model"))),
        ("a list", path, plain, format!("{ok}{file}{}--B--\r\n", part("model[]", "other-model"))),
        ("line feeds alone", path, plain, format!("{ok}{file}--B--\r\n").replace("RIFF", &other.replace("\r\n", "\n"))),
        ("a second n", "/v1/images/edits", plain, format!("{ok}{}{}--B--\r\n", part("n", "1"), part("n", "64"))),
        ("a model in the query", "/v1/audio/transcriptions?model=other-model", plain, format!("{ok}{file}--B--\r\n")),
        ("a list in the query", "/v1/audio/transcriptions?Model[]=other-model", plain, format!("{ok}{file}--B--\r\n")),
    ];
    let mut connection = Connection::to(bed.planes.api().http);
    for (what, path, content_type, body) in cases {
        let answer = connection.fetch(upload(path, &bed.key.value, content_type, &body)).await.unwrap();
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        assert!(answer.json()["error"]["message"].is_string(), "{what}: {}", answer.text());
        connection = Connection::to(bed.planes.api().http);
    }
    assert_eq!(bed.provider.journal().total(), 0);
    let quoted = "multipart/form-data; charset=utf-8; boundary=\"B\"";
    let body = format!("{ok}{file}--B--\r\n");
    let answer = connection.fetch(upload(path, &bed.key.value, quoted, &body)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(bed.provider.journal().last().unwrap().header("content-type"), plain);
}
