//! Tests of the edits that routing asks for (model alias, parameter defaults and overrides, usage in streams), and of
//! the model list.

use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::admin::Key;
use harness::http::{Connection, bare};
use harness::planes::{Planes, chat, group};
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{Bed, chunks, content, provider, raw_post, standalone};

async fn key(planes: &Planes) -> Key {
    let key = planes.admin.create_key(&json!({ "name": "edits" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_becomes_the_vendors_name_and_nothing_else_changes() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let mut body = group("aliased", &provider.base_url(), &["sk-upstream-key-0001"], &["gpt-4o"]);
    body["modelAliases"] = json!({ "fast": "gpt-4o-mini" });
    planes.admin.create_group(&body).await.unwrap();
    let key = key(&planes).await;

    let sent =
        r#"{ "messages":[{"role":"user","content":"the \"model\": \"fast\" one"}], "x":1.0,  "model" : "fast" }"#;
    let request = raw_post("/v1/chat/completions", &key.value, sent).unwrap();
    let answer = Connection::to(planes.api().http).fetch(request).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = bed_body(&provider);
    let mut expected: Value = serde_json::from_str(sent).unwrap();
    expected["model"] = json!("gpt-4o-mini");
    assert_eq!(serde_json::from_str::<Value>(&received).unwrap(), expected);
    assert!(received.contains(r#""x":1.0,"#) && received.contains(r#"the \"model\": \"fast\" one"#), "{received}");

    // The real name serves too if the group lists it, and only then.
    assert_eq!(planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap().status, 200);
    assert_eq!(planes.api().chat(&key.value, &chat("gpt-4o-mini", false)).await.unwrap().status, 404);

    let records = crate::support::chat_records(&planes, 3, crate::support::SOON).await.unwrap();
    let record = records.iter().find(|record| record["requestedModel"] == "fast").unwrap();
    assert_eq!(record["upstreamModel"], "gpt-4o-mini");
}

fn bed_body(provider: &fake_provider::FakeProvider) -> String {
    String::from_utf8_lossy(&provider.journal().last().unwrap().body).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn parameter_defaults_fill_what_the_client_left_out() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let mut body = group("defaults", &provider.base_url(), &["sk-upstream-key-0001"], &["gpt-4o"]);
    body["parameters"] = json!({ "temperature": 0.7, "max_tokens": 2000 });
    planes.admin.create_group(&body).await.unwrap();
    let key = key(&planes).await;

    let mut request = chat("gpt-4o", false);
    request["temperature"] = json!(0.1);
    request["unknown"] = json!({ "kept": [1, 2.5, null] });
    assert_eq!(planes.api().chat(&key.value, &request).await.unwrap().status, 200);
    request["max_tokens"] = json!(2000);
    assert_eq!(provider.journal().last().unwrap().json(), request);

    // The client gives both, so nothing is edited and the bytes are the client's.
    let sent = r#"{"max_tokens":5 , "temperature":  0, "model":"gpt-4o","messages":[]}"#;
    let request = raw_post("/v1/chat/completions", &key.value, sent).unwrap();
    assert_eq!(Connection::to(planes.api().http).fetch(request).await.unwrap().status, 200);
    assert_eq!(bed_body(&provider), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usage_chunk_is_asked_for_and_hidden_from_who_did_not_ask() {
    let bed = Bed::start(standalone()).await.unwrap();
    let options = [Value::Null, json!({ "include_obfuscation": false }), json!({ "include_usage": false })];
    for options in options {
        bed.provider.script(Target::All, Script::saying("one two").usage(11, 7));
        let mut request = chat("gpt-4o", true);
        if !options.is_null() {
            request["stream_options"] = options.clone();
        }
        let mut stream = bed.planes.api().chat_stream(&bed.key.value, &request).await.unwrap();
        let events = stream.rest().await.unwrap();
        assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
        let chunks = chunks(&events);
        assert_eq!(content(&chunks), "one two");
        for chunk in &chunks {
            assert_eq!(chunk["choices"].as_array().map(Vec::len), Some(1), "{chunk}");
            assert!(chunk["usage"].is_null(), "{chunk}");
        }
        let received = bed.provider.journal().last().unwrap().json();
        assert_eq!(received["stream_options"]["include_usage"], true, "with {options}");
        assert_eq!(received["stream_options"]["include_obfuscation"], options["include_obfuscation"]);
    }
    for record in bed.chat_records(3).await.unwrap() {
        assert_eq!((&record["inputTokens"], &record["outputTokens"]), (&json!(11), &json!(7)), "{record}");
        assert_eq!(record["usageSource"], "reported");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usage_chunk_reaches_who_asked() {
    let bed = Bed::start(standalone()).await.unwrap();
    bed.provider.script(Target::All, Script::saying("one two").usage(11, 7));
    let mut request = chat("gpt-4o", true);
    request["stream_options"] = json!({ "include_usage": true });
    let mut stream = bed.planes.api().chat_stream(&bed.key.value, &request).await.unwrap();
    let chunks = chunks(&stream.rest().await.unwrap());
    let last = chunks.last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(18)));
    assert!(chunks[..chunks.len() - 1].iter().all(|chunk| chunk["usage"].is_null()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unary_request_is_not_given_stream_options() {
    let bed = Bed::start(standalone()).await.unwrap();
    bed.chat(&chat("gpt-4o", false)).await.unwrap();
    assert_eq!(bed.provider.journal().last().unwrap().json(), chat("gpt-4o", false));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_list_has_names_and_aliases_of_enabled_groups_once() {
    let planes = standalone().start().await.unwrap();
    let mut one = group("one", "http://127.0.0.1:9/v1", &["sk-upstream-key-0001"], &["gpt-4o", "b-model"]);
    one["modelAliases"] = json!({ "fast": "gpt-4o" });
    let two = group("two", "http://127.0.0.1:9/v1", &["sk-upstream-key-0002"], &["gpt-4o", "org/model:v1"]);
    let mut off = group("off", "http://127.0.0.1:9/v1", &["sk-upstream-key-0003"], &["hidden"]);
    off["enabled"] = json!(false);
    for body in [one, two, off] {
        planes.admin.create_group(&body).await.unwrap();
    }
    let key = key(&planes).await;
    let request = bare(Method::GET, "/v1/models", &key.value).unwrap();
    let answer = Connection::to(planes.api().http).fetch(request).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(!answer.header("x-request-id").is_empty());
    let list = answer.json();
    assert_eq!(list["object"], "list");
    let data = list["data"].as_array().unwrap();
    let mut ids: Vec<&str> = data.iter().map(|model| model["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["b-model", "fast", "gpt-4o", "org/model:v1"]);
    for model in data {
        assert_eq!(model["object"], "model");
        assert!(model["created"].is_i64() && model["owned_by"].is_string(), "{model}");
    }
    let refused = planes.api().get("/v1/models").await.unwrap();
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (401, &json!("invalid_request_error")));
}
