//! What a client learns of a provider's failure: broken documents, codes, and headers.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use http::Request;
use serde_json::{Value, json};
use shared::snapshot::Group;
use translation::Format;

use super::matrix::{CLIENTS, bench_with, request};
use super::{Bench, bench, chat, error, plain, text};

/// Vendors, and the formats of their own clients.
const OWN: [(&str, bool, &str, Format); 4] = [
    ("openai", true, "gpt-4o", Format::OpenAiChat),
    ("openai_responses", true, "gpt-4.1", Format::OpenAiResponses),
    ("anthropic", false, "claude-sonnet-4-5", Format::AnthropicMessages),
    ("gemini", false, "gemini-2.5-flash", Format::GeminiGenerate),
];

async fn of(vendor: &str) -> Bench {
    let (_, versioned, model, _) = OWN.into_iter().find(|(name, ..)| *name == vendor).unwrap();
    bench_with(vendor, versioned, model, |group| group.retry_count = 0).await
}

async fn asked(bench: &Bench, format: Format) -> Response {
    bench.send(request(format, "Hello", false, false)).await
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// A raw HTTP answer, without the headers that the fake provider adds.
fn verbatim(status: &str, headers: &[(&str, String)], body: &Value) -> Script {
    let body = body.to_string();
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
    Script { raw: Some(format!("{head}{}\r\n{body}", headers.concat())), ..Script::default() }
}

fn overloaded() -> Value {
    json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } })
}

#[tokio::test]
async fn rule_5_a_page_is_an_error_of_the_clients_where_the_formats_are_the_same() {
    for (vendor, _, _, format) in OWN {
        let bench = of(vendor).await;
        for status in [400, 404, 500, 502] {
            for (kind, body) in [
                ("text/html", "<html><h1>Bad</h1></html>"),
                ("text/plain", "upstream connect error"),
                ("application/json", "{\"detail\":\"No such thing\"}"),
                ("application/json", ""),
            ] {
                bench.forgive();
                bench.provider.script(Target::All, Script::verbatim(status, kind, body));
                let response = asked(&bench, format).await;
                assert_eq!(
                    (response.status().as_u16(), header(&response, "content-type")),
                    (status, "application/json")
                );
                let answer = text(response).await;
                assert!(
                    error(&answer)["message"].as_str().is_some_and(|words| !words.is_empty()),
                    "{vendor}: {answer}"
                );
                assert!(!answer.contains("<h1>"), "{vendor}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn rule_9_an_error_of_geminis_in_an_array_stays_as_it_is_for_its_own_clients() {
    let bench = of("gemini").await;
    let body =
        json!([{ "error": { "code": 400, "message": "Bad.", "status": "INVALID_ARGUMENT", "details": [{ "a": 1 }] } }]);
    bench.provider.script(Target::All, Script::verbatim(400, "application/json", body.to_string()));
    let response = asked(&bench, Format::GeminiGenerate).await;
    assert_eq!(serde_json::from_str::<Value>(&text(response).await).unwrap(), body);
}

#[tokio::test]
async fn rules_5_and_9_the_code_is_openais_word_or_none() {
    for (vendor, status, code) in [
        ("anthropic", 400, Value::Null),
        ("anthropic", 500, Value::Null),
        ("anthropic", 413, json!("request_too_large")),
        ("anthropic", 429, json!("rate_limit_exceeded")),
        ("anthropic", 529, json!("overloaded")),
        ("gemini", 400, Value::Null),
        ("gemini", 500, Value::Null),
        ("gemini", 503, json!("overloaded")),
        ("gemini", 504, json!("timeout")),
    ] {
        let bench = of(vendor).await;
        bench.provider.script(Target::All, Script::error(status));
        for format in [Format::OpenAiChat, Format::OpenAiResponses] {
            bench.provider.script(Target::All, Script::error(status));
            let answer = text(asked(&bench, format).await).await;
            assert_eq!(error(&answer)["code"], code, "{vendor} {status}: {answer}");
            bench.provider.clear_scripts();
        }
    }
}

#[tokio::test]
async fn rule_5_an_overloaded_provider_is_to_be_asked_again_later() {
    for format in CLIENTS {
        for (headers, pause) in [(vec![], "1"), (vec![("retry-after", "7".to_owned())], "7")] {
            let mut bench = of("anthropic").await;
            bench.provider.script(Target::All, verbatim("529 Overloaded", &headers, &overloaded()));
            let response = asked(&bench, format).await;
            let status = response.status();
            assert_eq!(status.as_u16(), if format == Format::AnthropicMessages { 529 } else { 503 });
            // Clients of the vendor's own format get its words.
            let pause = if format == Format::AnthropicMessages && headers.is_empty() { "" } else { pause };
            assert_eq!(header(&response, "retry-after"), pause, "{format}");
            assert_eq!(bench.record().status, u32::from(status.as_u16()));

            // The same document comes with the status 200.
            bench.provider.script(Target::All, verbatim("200 OK", &headers, &overloaded()));
            let response = asked(&bench, format).await;
            assert_eq!(
                (response.status(), header(&response, "retry-after")),
                (status, if headers.is_empty() { "1" } else { "7" }),
                "{format}"
            );
            assert_eq!(bench.record().status, u32::from(status.as_u16()), "{format}");
        }
    }
}

#[tokio::test]
async fn rule_5_anthropics_limits_are_told_in_openais_words() {
    let limited = json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "Too many." } });
    let time = |seconds| (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string();
    let headers = [
        ("anthropic-ratelimit-requests-limit", "50".to_owned()),
        ("anthropic-ratelimit-requests-remaining", "49".to_owned()),
        ("anthropic-ratelimit-requests-reset", time(2)),
        ("anthropic-ratelimit-tokens-limit", "20000".to_owned()),
        ("anthropic-ratelimit-tokens-remaining", "0".to_owned()),
        ("anthropic-ratelimit-tokens-reset", time(30)),
    ];
    for format in CLIENTS {
        let bench = of("anthropic").await;
        bench.provider.script(Target::All, verbatim("429 Too Many Requests", &headers, &limited));
        let response = asked(&bench, format).await;
        assert_eq!(response.status(), 429);
        let pause: u64 = header(&response, "retry-after").parse().unwrap();
        assert!((28..=30).contains(&pause), "the last of the windows: {pause}");
        if format == Format::AnthropicMessages {
            continue;
        }
        for (name, value) in [
            ("x-ratelimit-limit-requests", "50"),
            ("x-ratelimit-remaining-requests", "49"),
            ("x-ratelimit-limit-tokens", "20000"),
            ("x-ratelimit-remaining-tokens", "0"),
        ] {
            assert_eq!(header(&response, name), value, "{format}: {name}");
        }
        let reset = header(&response, "x-ratelimit-reset-tokens").strip_suffix('s').unwrap();
        assert!((28.0..=30.0).contains(&reset.parse::<f64>().unwrap()), "{reset}");
    }
}

#[tokio::test]
async fn rule_5_the_providers_own_id_of_the_request_is_told() {
    for (vendor, _, _, _) in OWN.into_iter().filter(|(vendor, ..)| *vendor != "gemini") {
        let bench = of(vendor).await;
        for format in CLIENTS {
            for status in [200, 400, 503] {
                bench.provider.script(Target::All, Script { status, ..Script::new() });
                let response = asked(&bench, format).await;
                assert_eq!(header(&response, "x-upstream-request-id"), "req_fake", "{format} from {vendor}, {status}");
                assert_ne!(header(&response, "x-request-id"), "req_fake");
            }
        }
    }
}

#[tokio::test]
async fn a_whole_answer_that_is_no_object_is_none() {
    for (vendor, _, _, format) in OWN {
        let mut bench = of(vendor).await;
        for body in ["null", "[]", "\"text\"", "7", " true"] {
            bench.provider.script(Target::All, Script::verbatim(200, "application/json", body));
            let response = asked(&bench, format).await;
            assert_eq!(response.status(), 502, "{vendor}: {body}");
            assert!(error(&text(response).await)["message"].is_string());
            assert_eq!(bench.record().status, 502);
        }
    }
}

#[tokio::test]
async fn what_will_fare_the_same_is_not_to_be_tried_again() {
    let bench = bench(|group| group.upstream_keys.clear()).await;
    let wrong_key = || {
        let request = Request::post("/v1/messages").header("x-api-key", "wrong");
        request.body(Body::from(plain("gpt-4o", false).to_string())).unwrap()
    };
    for (request, status) in [
        (wrong_key(), 401),
        (chat(&plain("unknown", false)), 404),
        (chat(&json!([])), 400),
        (chat(&plain("gpt-4o", false)), 503),
    ] {
        let response = bench.send(request).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["x-should-retry"], "false", "{status}");
    }
}

#[tokio::test]
async fn a_base_url_with_too_little_or_too_much_is_explained() {
    let bench = bench(|_| {}).await;
    for (path, words, anthropics) in [
        ("/chat/completions", "has to end in /v1", false),
        ("/messages", "has to end in /v1", true),
        ("/v1/v1/messages", "must not end in it", true),
        ("/v1beta/v1beta/models/m:generateContent", "must not end in it", false),
    ] {
        let mut request = Request::post(path).header("authorization", "Bearer sk-client");
        if anthropics {
            request = request.header("anthropic-version", "2023-06-01");
        }
        let response = bench.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 404, "{path}");
        let body = text(response).await;
        assert!(error(&body)["message"].as_str().unwrap().contains(words), "{body}");
        assert_eq!(body.contains("request_id"), anthropics, "{body}");
    }
}

/// What must not reach a client: the names of the group, its upstream key, the provider's host, and the node.
const HIDDEN: [&str; 5] = ["pool-of-berlin", "g-1", "127.0.0.1", "localhost", "node-7"];

/// A group with a name of its own and one upstream key, as `change` makes it.
async fn named(vendor: &str, change: impl FnOnce(&mut Group)) -> Bench {
    let (_, versioned, model, _) = OWN.into_iter().find(|(name, ..)| *name == vendor).unwrap();
    bench_with(vendor, versioned, model, |group| {
        (group.name, group.retry_count) = ("pool-of-berlin".into(), 0);
        group.upstream_keys.truncate(1);
        change(group);
    })
    .await
}

/// Sends `request`, and gives the status, the text and the ledger's error of what is no answer and names nothing
/// hidden.
async fn refused(bench: &mut Bench, request: Request<Body>) -> (u16, String, String) {
    let about = format!("{} {}", request.method(), request.uri());
    let mut response = bench.send(request).await;
    // It names the group on purpose, as long as the node's setting says so.
    response.headers_mut().remove("x-orchestration-group");
    let (status, headers) = (response.status().as_u16(), format!("{:?}", response.headers()));
    let answer = text(response).await;
    for hidden in HIDDEN {
        assert!(!answer.contains(hidden) && !headers.contains(hidden), "{about}: {status} {headers} {answer}");
    }
    (status, answer, bench.record().error_message)
}

fn to(path: &str, kind: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path).header("authorization", "Bearer sk-client").header("content-type", kind);
    request.body(body.into()).unwrap()
}

/// A group without a key serves nobody. The client learns that of the model, and the operator of the group.
#[tokio::test]
async fn a_group_that_cannot_serve_is_named_to_the_operator_and_not_to_the_client() {
    let mut bench = named("openai", |group| group.upstream_keys.clear()).await;
    let form = "--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x\r\n\
        content-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\na\r\n--x--\r\n";
    let of_model = json!({ "model": "m", "input": "a", "prompt": "a", "query": "a", "documents": ["a"] }).to_string();
    let counted = json!({ "model": "m", "messages": [{ "role": "user", "content": "a" }] }).to_string();
    let mut requests: Vec<_> = CLIENTS
        .into_iter()
        .flat_map(|format| [false, true].map(|stream| request(format, "Hello", stream, false)))
        .collect();
    for path in ["/v1/completions", "/v1/embeddings", "/v1/moderations", "/v1/images/generations", "/v1/audio/speech"] {
        requests.push(to(path, "application/json", of_model.clone()));
    }
    requests.push(to("/v1/messages/count_tokens", "application/json", counted));
    requests.push(to("/v1/audio/transcriptions", "multipart/form-data; boundary=x", form));
    for request in requests {
        let about = request.uri().to_string();
        let (status, answer, noted) = refused(&mut bench, request).await;
        // Anthropic has a status of its own for it.
        assert!(matches!(status, 503 | 529), "{about}: {status} {answer}");
        assert!(answer.contains("the model 'm'") && answer.contains("operator"), "{about}: {answer}");
        assert!(noted.ends_with("the group has no enabled upstream key (group pool-of-berlin)"), "{about}: {noted}");
    }

    // Requests without a model go by the group.
    let list = Request::get("/v1/files").header("authorization", "Bearer sk-client").body(Body::empty()).unwrap();
    for request in [list, to("/v1/files", "multipart/form-data; boundary=x", "--x--\r\n")] {
        let about = request.uri().to_string();
        let (status, answer, noted) = refused(&mut bench, request).await;
        assert_eq!(status, 404, "{about}: {answer}");
        assert!(answer.contains("operator"), "{about}: {answer}");
        assert!(noted.ends_with("(group pool-of-berlin)"), "{about}: {noted}");
    }
}

/// Whatever goes wrong behind the gateway, what it says of it names nothing that is the operator's to know.
#[tokio::test]
async fn no_error_of_the_gateways_names_a_group_a_key_a_host_or_a_node() {
    let quiet = |status| Script::verbatim(status, "text/plain", "");
    let scripts = [
        quiet(400),
        quiet(401),
        quiet(403),
        quiet(404),
        quiet(408),
        quiet(429),
        quiet(500),
        quiet(508),
        Script::verbatim(302, "text/plain", "").header("location", "http://127.0.0.1:1/pool-of-berlin"),
        Script::verbatim(200, "text/html", "<html>"),
        Script::verbatim(200, "application/json", "{\"id\":"),
        Script::verbatim(200, "text/event-stream", ""),
        Script { raw: Some("junk\r\n\r\n".to_owned()), ..Script::default() },
        Script::default().cut(Cut::BeforeHead),
        Script::default().head_delay(Duration::from_mins(1)),
    ];
    for (vendor, ..) in OWN {
        let mut bench = named(vendor, |group| group.timeout = Duration::from_millis(200)).await;
        let mut unreached = named(vendor, |group| group.base_url = "http://127.0.0.1:1".into()).await;
        for (format, stream) in CLIENTS.into_iter().flat_map(|format| [(format, false), (format, true)]) {
            unreached.forgive();
            for script in &scripts {
                bench.forgive();
                bench.provider.clear_scripts();
                bench.provider.always(Target::All, script.clone());
                let (status, answer, _) = refused(&mut bench, request(format, "Hello", stream, false)).await;
                assert!(status >= 400, "{vendor} to {format}: {script:?} {answer}");
            }
            assert_eq!(refused(&mut unreached, request(format, "Hello", stream, false)).await.0, 502);
        }
    }
}
