use fake_provider::queue::Target;
use fake_provider::script::Script;
use http::Method;
use serde_json::{Value, json};
use shared::pb::usage_record::{Outcome, UsageSource};

use super::{Bench, plain, post};

const GROUPS: [(&str, &str); 3] = [("c", "openai_compatible"), ("a", "openai"), ("b", "openai")];

/// Makes a response at `b`, on node 0.
async fn made(bench: &mut Bench, stream: bool) -> String {
    // The first group in order does not keep responses, and the second is away.
    let mut body = json!({ "model": "only-b", "input": "Hello", "stream": stream });
    body["store"] = json!(true);
    let got = bench.send(0, post("/v1/responses", &body)).await;
    assert_eq!(got.status, 200, "{}", got.text());
    let id = if stream {
        let text = got.text();
        let created = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().to_owned();
        serde_json::from_str::<Value>(&created).unwrap()["response"]["id"].as_str().unwrap().to_owned()
    } else {
        got.id()
    };
    assert_eq!(bench.record().group_id, "b");
    bench.forget();
    id
}

async fn groups() -> Bench {
    super::bench(&GROUPS, |group, _, _| {
        if &*group.id == "b" {
            group.models.push("only-b".into());
        }
    })
    .await
}

#[tokio::test]
async fn a_kept_response_is_asked_for_where_it_was_made() {
    for stream in [false, true] {
        let mut bench = groups().await;
        let id = made(&mut bench, stream).await;
        let got = bench.get(0, &format!("/v1/responses/{id}?include[]=x")).await;
        assert_eq!((got.status, got.id()), (200, id.clone()));
        let record = bench.record();
        assert_eq!((record.api.as_str(), record.outcome()), ("openai_responses", Outcome::Success));
        // The response was counted when it was made.
        assert_eq!((record.usage_source(), record.output_tokens), (UsageSource::None, 0));
        let got = bench.get(0, &format!("/v1/responses/{id}/input_items")).await;
        assert!(got.json()["data"].is_array());
        let got = bench.call(0, Method::POST, &format!("/v1/responses/{id}/cancel")).await;
        assert_eq!(got.status, 400, "{}", got.text());
        let got = bench.call(0, Method::DELETE, &format!("/v1/responses/{id}")).await;
        assert_eq!(got.json()["deleted"], true);
        let asked = bench.asked();
        assert!(asked[0].is_empty() && asked[1].is_empty(), "{asked:?}");
        assert_eq!(asked[2][0], format!("GET /v1/responses/{id}?include[]=x"));
    }
}

#[tokio::test]
async fn another_node_finds_it() {
    let mut bench = groups().await;
    let id = made(&mut bench, false).await;
    let got = bench.call(1, Method::POST, &format!("/v1/responses/{id}/cancel")).await;
    assert_eq!((got.status, bench.record().group_id.as_str()), (400, "b"));
    let asked = bench.asked();
    assert_eq!((asked[0].len(), asked[1].len(), asked[2].len()), (0, 1, 2));
    let got = bench.get(1, "/v1/responses/resp_unknown").await;
    assert_eq!(got.status, 404);
    assert!(got.json()["error"]["message"].as_str().unwrap().contains("resp_unknown"));
}

#[tokio::test]
async fn a_conversation_goes_on_where_it_began() {
    for node in [0, 1] {
        let mut bench = groups().await;
        let id = made(&mut bench, false).await;
        let body = json!({ "model": "m", "input": "And then?", "previous_response_id": id });
        let got = bench.send(node, post("/v1/responses", &body)).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(bench.record().group_id, "b");
        let compact = json!({ "model": "m", "input": "x", "previous_response_id": id });
        let got = bench.send(node, post("/v1/responses/compact", &compact)).await;
        assert_eq!((got.status, &got.json()["object"]), (200, &json!("response.compaction")), "{}", got.text());
        let record = bench.record();
        assert_eq!((record.group_id.as_str(), record.requested_model.as_str()), ("b", "m"));
    }
}

#[tokio::test]
async fn what_names_nothing_kept_goes_its_usual_way() {
    let mut bench = plain(&[("a", "openai"), ("b", "openai")]).await;
    assert_eq!(bench.post("/v1/responses", &json!({ "model": "m", "input": "x" })).await.status, 200);
    let record = bench.record();
    assert_eq!((record.group_id.as_str(), record.attempts.len()), ("a", 1));
    let body = json!({ "model": "m", "input": "x", "previous_response_id": "resp_unknown" });
    let got = bench.post("/v1/responses", &body).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (400, &json!("previous_response_not_found")));
}

/// Networks cut a stream anywhere.
#[tokio::test]
async fn a_response_whose_first_event_comes_in_pieces_is_remembered() {
    let mut bench = groups().await;
    bench.providers[2].script(Target::All, Script { split_bytes: Some(20), ..Script::new() });
    let id = made(&mut bench, true).await;
    assert_eq!(bench.get(0, &format!("/v1/responses/{id}")).await.status, 200);
    let asked = bench.asked();
    assert!(asked[0].is_empty() && asked[1].is_empty(), "{asked:?}");
}
