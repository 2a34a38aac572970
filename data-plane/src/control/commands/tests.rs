use std::sync::Arc;
use std::time::Duration;

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use serde_json::{Value, json};
use shared::drain::Tasks;
use shared::pb;
use shared::pb::command::Command;
use shared::pb::node_message::Message as ToControl;
use shared::snapshot::{Group, UpstreamKey, UpstreamStream};
use shared::telemetry::Metrics;
use shared::time::steady_ms;
use tokio::sync::mpsc;

use super::{Commands, MOST_AT_ONCE};
use crate::attempt::Walker;
use crate::metrics::ProbeMetrics;
use crate::route::current::ConfigState;
use crate::route::fixtures::{group, snapshot, upstream_key};
use crate::route::health::{Health, KeyState};
use crate::route::table::RouteTable;
use crate::upstream::Upstream;

/// A node that is told what to do, and the provider of its one group.
struct Bench {
    provider: FakeProvider,
    config: ConfigState,
    commands: Arc<Commands>,
    metrics: Metrics,
    tasks: Tasks,
    learnt: mpsc::Receiver<KeyState>,
    to_control: mpsc::Sender<pb::NodeMessage>,
    from_node: mpsc::Receiver<pb::NodeMessage>,
}

/// A node whose group `g` is of this vendor, with the keys `g-1` and `g-2`.
async fn bench(vendor: &str, change: impl FnOnce(&mut Group)) -> Bench {
    let provider = FakeProvider::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut group = group("g", &["m"]);
    group.provider_type = vendor.into();
    group.base_url = if vendor.starts_with("openai") { provider.base_url() } else { provider.origin() }.into();
    group.upstream_keys.push(upstream_key("g-2"));
    change(&mut group);
    let config = ConfigState::default();
    config.replace(RouteTable::compile(Arc::new(snapshot([group], [])), None));
    let (key_states, learnt) = mpsc::channel(10);
    let (metrics, tasks) = (Metrics::new(), Tasks::new());
    let prober = Walker::new(Upstream::new().unwrap(), key_states, Duration::from_secs(10)).prober();
    let commands = Arc::new(Commands::new(prober, ProbeMetrics::register(&metrics), tasks.clone()));
    let (to_control, from_node) = mpsc::channel(64);
    Bench { provider, config, commands, metrics, tasks, learnt, to_control, from_node }
}

impl Bench {
    fn begin(&self, command: Command) -> Option<pb::CommandResult> {
        let command = pb::Command { id: "c".to_owned(), timeout_ms: 10_000, command: Some(command) };
        self.commands.carry_out(&self.config, command, &self.to_control)
    }

    async fn result(&mut self) -> pb::CommandResult {
        let message = self.from_node.recv().await.unwrap().message;
        let Some(ToControl::CommandResult(result)) = message else { panic!("{message:?}") };
        assert_eq!(result.id, "c");
        result
    }

    async fn run(&mut self, command: Command) -> (pb::CommandResult, Value) {
        let result = match self.begin(command) {
            Some(result) => result,
            None => self.result().await,
        };
        let report = serde_json::from_str(&result.result_json).unwrap_or_default();
        (result, report)
    }

    async fn probe(&mut self, key: &str, model: &str) -> (pb::CommandResult, Value) {
        let asked =
            pb::ProbeUpstreamKey { group_id: "g".to_owned(), upstream_key_id: key.to_owned(), model: model.to_owned() };
        self.run(Command::ProbeUpstreamKey(asked)).await
    }

    async fn models(&mut self) -> (pb::CommandResult, Value) {
        self.run(Command::ListModels(pb::ListModels { group_id: "g".to_owned(), ..pb::ListModels::default() })).await
    }

    async fn prompt(&mut self, prompt: &str) -> (pb::CommandResult, Value) {
        let (group_id, prompt) = ("g".to_owned(), prompt.to_owned());
        self.run(Command::TestPrompt(pb::TestPrompt { group_id, prompt, ..pb::TestPrompt::default() })).await
    }

    /// The path and the body of the one request that the provider got.
    fn asked(&self) -> (String, Value) {
        let requests = self.provider.journal().requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        (requests[0].path.clone(), requests[0].json())
    }

    /// What this node knows of the key `id`.
    fn is_out(&self, id: &str) -> bool {
        let table = self.config.table().unwrap();
        table.kept.key(id).unwrap().health.at(steady_ms(), "m").is_err()
    }
}

fn disabled(id: &str) -> Arc<UpstreamKey> {
    Arc::new(UpstreamKey { enabled: false, ..UpstreamKey::clone(&upstream_key(id)) })
}

fn refused(key: &str) -> KeyState {
    KeyState {
        upstream_key_id: key.into(),
        group_id: "g".into(),
        model: "".into(),
        health: Health::Invalid,
        until_ms: 0,
        times: 0,
        reason: "".into(),
        status: 401,
        observed_at_ms: steady_ms(),
    }
}

#[tokio::test]
async fn a_probe_asks_for_one_token_in_the_vendors_own_words() {
    let user = json!([{ "role": "user", "content": "Hi" }]);
    let mut openai = bench("openai", |_| {}).await;
    assert!(openai.probe("g-1", "m").await.0.ok);
    let (path, body) = openai.asked();
    assert_eq!(
        (path.as_str(), &body["messages"], &body["max_completion_tokens"]),
        ("/v1/chat/completions", &user, &json!(1))
    );
    assert!(body.get("stream").is_none_or(|stream| stream == false), "{body}");

    let mut responses = bench("openai_responses", |_| {}).await;
    assert!(responses.probe("g-1", "m").await.0.ok);
    let (path, body) = responses.asked();
    // The API takes no lower limit.
    assert_eq!((path.as_str(), &body["max_output_tokens"]), ("/v1/responses", &json!(16)));

    let mut anthropic = bench("anthropic", |_| {}).await;
    assert!(anthropic.probe("g-1", "claude-haiku-4-5").await.0.ok);
    let (path, body) = anthropic.asked();
    assert_eq!(
        (path.as_str(), &body["model"], &body["max_tokens"]),
        ("/v1/messages", &json!("claude-haiku-4-5"), &json!(1))
    );
    assert!(body.get("max_completion_tokens").is_none(), "{body}");

    let mut gemini = bench("gemini", |_| {}).await;
    let (result, report) = gemini.probe("g-1", "gemini-2.5-flash").await;
    assert!(result.ok && report["ok"] == true && report["status"] == 200, "{report}");
    let (path, body) = gemini.asked();
    assert_eq!(path, "/v1beta/models/gemini-2.5-flash:generateContent");
    assert_eq!(body["contents"][0]["parts"][0]["text"], "Hi");
    assert_eq!(body["generationConfig"]["maxOutputTokens"], 1);
    assert_eq!(body["generationConfig"]["thinkingConfig"]["thinkingBudget"], 0);
}

#[tokio::test]
async fn a_model_that_does_not_chat_is_asked_for_what_it_is_for() {
    let mut openai = bench("openai", |_| {}).await;
    openai.config.table().unwrap().kept.observe(&refused("g-1"));
    let (result, report) = openai.probe("g-1", "text-embedding-3-small").await;
    assert!(result.ok && report["model"] == "text-embedding-3-small", "{report}");
    assert_eq!(
        openai.asked(),
        ("/v1/embeddings".to_owned(), json!({ "model": "text-embedding-3-small", "input": "Hi" }))
    );
    assert_eq!(openai.learnt.try_recv().unwrap().health, Health::Valid, "an answer says that the key works");
    openai.provider.journal().clear();
    assert!(openai.probe("g-1", "rerank-v3.5").await.0.ok);
    let (path, body) = openai.asked();
    assert_eq!((path.as_str(), &body["query"], &body["documents"]), ("/v1/rerank", &json!("Hi"), &json!(["Hi"])));
    openai.provider.always(Target::All, Script::error(401));
    let (result, report) = openai.probe("g-1", "text-embedding-3-small").await;
    assert!(!result.ok && report["result"] == "key_refused", "{report}");

    let mut gemini = bench("gemini", |_| {}).await;
    assert!(gemini.probe("g-1", "gemini-embedding-001").await.0.ok);
    let (path, body) = gemini.asked();
    assert!(path.starts_with("/v1beta/models/gemini-embedding-001:"), "{path}");
    assert!(body.to_string().contains("Hi"), "{body}");
}

#[tokio::test]
async fn a_model_whose_every_request_is_dear_is_asked_nothing_and_the_list_stands_for_it() {
    let mut bench = bench("openai", |_| {}).await;
    let (result, report) = bench.probe("g-2", "dall-e-3").await;
    assert!(result.ok, "{result:?}");
    assert_eq!((&report["model"], &report["upstreamKeyId"]), (&json!("dall-e-3"), &json!("g-2")));
    let request = bench.provider.journal().last().unwrap();
    assert_eq!((request.path.as_str(), request.key()), ("/v1/models", "sk-upstream-g-2"));
    assert!(!bench.metrics.encode().unwrap().contains(r#"orchestration_probes_total{result="success"} 1"#));
    bench.provider.always(Target::All, Script::error(401));
    let (result, report) = bench.probe("g-2", "dall-e-3").await;
    assert!(!result.ok && report["result"] == "key_refused", "{report}");

    // A server without a list leaves it unchecked, and so does a vendor without one.
    bench.provider.clear_scripts();
    bench.provider.always(Target::All, Script::error(404));
    let (result, _) = bench.probe("g-2", "dall-e-3").await;
    assert!(!result.ok && result.result_json.is_empty() && result.error.contains("no list of models"), "{result:?}");
}

#[tokio::test]
async fn a_model_that_cannot_but_think_gets_room_and_the_least_effort() {
    let mut bench = bench("openai", |_| {}).await;
    assert!(bench.probe("g-1", "gpt-5").await.0.ok);
    let (_, body) = bench.asked();
    assert_eq!((&body["max_completion_tokens"], &body["reasoning_effort"]), (&json!(16), &json!("minimal")));
    assert!(body.get("max_tokens").is_none() && body.get("temperature").is_none(), "{body}");
}

#[tokio::test]
async fn config_is_applied_to_a_probe_but_makes_it_no_dearer() {
    let mut bench = bench("openai", |group| {
        let set = json!({ "max_completion_tokens": 5000, "user": "gateway" });
        group.parameter_overrides = set.as_object().unwrap().clone();
    })
    .await;
    assert!(bench.probe("g-1", "m").await.0.ok);
    let (_, body) = bench.asked();
    assert_eq!((&body["max_completion_tokens"], &body["user"]), (&json!(1), &json!("gateway")));
}

#[tokio::test]
async fn a_probe_reaches_a_key_that_is_switched_off_and_a_group_that_is() {
    let mut key_off = bench("openai", |group| group.upstream_keys[0] = disabled("g-1")).await;
    let (result, report) = key_off.probe("g-1", "").await;
    assert!(result.ok, "{result:?}");
    assert_eq!((&report["upstreamKeyId"], &report["model"]), (&json!("g-1"), &json!("m")));
    assert_eq!(key_off.provider.journal().last().unwrap().key(), "sk-upstream-g-1");

    let mut group_off = bench("openai", |group| {
        group.enabled = false;
        group.upstream_keys[0] = disabled("g-1");
    })
    .await;
    assert!(group_off.probe("g-1", "").await.0.ok);
    group_off.provider.always(Target::All, Script::error(401));
    let (result, report) = group_off.probe("g-2", "").await;
    assert!(!result.ok && result.status == 401, "{result:?}");
    assert_eq!(report["result"], "key_refused");
}

#[tokio::test]
async fn what_a_probe_learns_of_a_key_is_told_as_after_any_attempt() {
    let mut bench = bench("openai", |_| {}).await;
    bench.config.table().unwrap().kept.observe(&refused("g-1"));
    assert!(bench.is_out("g-1"));
    assert!(bench.probe("g-1", "").await.0.ok);
    let told = bench.learnt.try_recv().unwrap();
    assert_eq!((&*told.upstream_key_id, told.health), ("g-1", Health::Valid));
    assert!(!bench.is_out("g-1"));

    let words = json!({ "error": { "message": "You exceeded your current quota", "code": "insufficient_quota" } });
    bench.provider.always(Target::All, Script::verbatim(429, "application/json", words.to_string()));
    let (result, report) = bench.probe("g-1", "").await;
    assert!(!result.ok && result.status == 429, "{result:?}");
    assert!(result.error.contains("You exceeded your current quota"), "{report}");
    assert_eq!(bench.learnt.try_recv().unwrap().health, Health::Exhausted);
    assert!(bench.is_out("g-1") && !bench.is_out("g-2"));
}

#[tokio::test]
async fn keys_that_are_out_already_fail_alike_without_the_group_resting() {
    let mut bench = bench("openai", |group| {
        group.upstream_keys.extend(["g-3", "g-4", "g-5", "g-6"].map(upstream_key));
    })
    .await;
    bench.provider.always(Target::All, Script::error(401));
    let table = bench.config.table().unwrap();
    for key in ["g-1", "g-2", "g-3", "g-4"] {
        table.kept.observe(&refused(key));
        assert!(!bench.probe(key, "m").await.0.ok);
    }
    assert!(!table.routes("m")[0].is_resting(steady_ms()));
    assert!(bench.is_out("g-1") && !bench.is_out("g-5"));
}

#[tokio::test]
async fn a_probe_is_counted_and_keeps_nothing_busy() {
    let mut bench = bench("openai", |_| {}).await;
    bench.provider.script(Target::All, Script::error(500));
    for _ in 0..2 {
        bench.probe("g-1", "").await;
    }
    let metrics = bench.metrics.encode().unwrap();
    assert!(metrics.contains(r#"orchestration_probes_total{result="success"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"orchestration_probes_total{result="server_error"} 1"#), "{metrics}");
    let table = bench.config.table().unwrap();
    let key = &table.groups()[0].keys[0];
    assert_eq!((key.load.in_flight(), key.load.first_byte_us()), (0, None));
}

#[tokio::test]
async fn failed_probes_open_no_breaker_and_an_answered_one_closes_it() {
    let mut bench = bench("openai", |_| {}).await;
    bench.provider.always(Target::All, Script::error(500));
    for _ in 0..10 {
        bench.probe("g-1", "").await;
    }
    let table = bench.config.table().unwrap();
    let key = &table.groups()[0].keys[0];
    assert!(key.breaker.is_closed());
    while !key.breaker.failed(steady_ms(), steady_ms()) {}
    bench.provider.clear_scripts();
    assert!(bench.probe("g-1", "").await.0.ok);
    assert!(key.breaker.is_closed());
}

#[tokio::test]
async fn a_prompt_is_answered_in_words_whole_or_as_a_stream() {
    for stream in [UpstreamStream::Auto, UpstreamStream::Always] {
        let mut bench = bench("anthropic", |group| group.upstream_stream = stream).await;
        bench.provider.always(Target::All, Script::saying("Four."));
        let (result, report) = bench.prompt("What is two and two?").await;
        assert!(result.ok, "{result:?}");
        assert_eq!(report["text"], "Four.");
        assert!(report["outputTokens"].as_u64().is_some(), "{report}");
        assert!(bench.asked().1["messages"].to_string().contains("two and two"));
    }
}

#[tokio::test]
async fn models_are_listed_at_every_kind_of_vendor_and_prove_no_key() {
    for vendor in ["openai", "anthropic", "gemini"] {
        let mut bench = bench(vendor, |_| {}).await;
        bench.config.table().unwrap().kept.observe(&refused("g-1"));
        bench.config.table().unwrap().kept.observe(&refused("g-2"));
        let (result, report) = bench.models().await;
        assert!(result.ok, "{vendor}: {result:?}");
        let models = report["models"].as_array().unwrap();
        assert!(!models.is_empty(), "{vendor}");
        assert!(models.iter().all(|model| !model.as_str().unwrap().starts_with("models/")), "{models:?}");
        assert!(bench.is_out("g-1") && bench.learnt.try_recv().is_err());
        // It costs nothing.
        assert!(!bench.metrics.encode().unwrap().contains(r#"orchestration_probes_total{result="success"} 1"#));
    }
    let mut bedrock = bench("vertex", |_| {}).await;
    let (result, _) = bedrock.models().await;
    assert!(!result.ok && result.result_json.is_empty(), "{result:?}");
}

#[tokio::test]
async fn a_list_in_pages_is_read_to_its_end() {
    let mut bench = bench("anthropic", |_| {}).await;
    let page = |id: &str, more: bool| Script::json(json!({ "data": [{ "id": id }], "has_more": more, "last_id": id }));
    bench.provider.script(Target::All, page("claude-a", true));
    bench.provider.script(Target::All, page("claude-b", false));
    let (_, report) = bench.models().await;
    assert_eq!(report["models"], json!(["claude-a", "claude-b"]));
    let paths: Vec<_> = bench.provider.journal().requests().iter().map(|request| request.path.clone()).collect();
    assert_eq!(paths, ["/v1/models?limit=1000", "/v1/models?limit=1000&after_id=claude-a"]);
}

#[tokio::test]
async fn nothing_of_a_result_tells_a_secret() {
    let mut bench = bench("openai", |_| {}).await;
    let echo = json!({ "error": { "message": "Incorrect API key provided: sk-upstream-g-1" } });
    bench.provider.always(Target::All, Script::verbatim(400, "application/json", echo.to_string()));
    let (result, _) = bench.probe("g-1", "").await;
    assert!(!result.ok && result.error.contains("[redacted]"), "{result:?}");
    assert!(!format!("{result:?}").contains("sk-upstream"), "{result:?}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_and_nothing_is_sent() {
    let mut bench = bench("openai", |group| group.models.clear()).await;
    let (result, _) = bench.probe("g-1", "").await;
    assert!(result.error.contains("testModel"), "{result:?}");
    assert!(bench.probe("nobody", "m").await.0.error.contains("key"));
    assert_eq!(bench.provider.journal().total(), 0);
}

#[tokio::test]
async fn only_so_many_commands_ask_providers_at_a_time_and_all_end_with_the_node() {
    let mut bench = bench("openai", |_| {}).await;
    bench.provider.always(Target::All, Script::new().head_delay(Duration::from_mins(1)));
    let asked = pb::ProbeUpstreamKey { group_id: "g".into(), upstream_key_id: "g-1".into(), model: String::new() };
    for _ in 0..MOST_AT_ONCE {
        assert_eq!(bench.begin(Command::ProbeUpstreamKey(asked.clone())), None);
    }
    let refused = bench.begin(Command::ProbeUpstreamKey(asked)).unwrap();
    assert!(!refused.ok && refused.error.contains("commands already"), "{refused:?}");
    assert!(bench.tasks.drain("commands", Duration::from_secs(20)).await);
    assert_eq!(bench.result().await.error, "the node ends");
}
