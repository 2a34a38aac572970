use std::sync::Arc;

use proptest::prelude::*;
use translation::Format;
use translation::format::Family;
use translation::ir::{CallKind, Choice, Event, Message, Part, Request, Response, Role, Signature, ToolCall};

use super::{ClientSignatures, Signatures};
use crate::shelf::LARGEST;

fn signature(family: Family, data: &str) -> Signature {
    Signature { family, data: data.to_owned() }
}

fn thought(family: Family, text: &str) -> Part {
    Part::Thinking { text: text.to_owned(), signature: Some(signature(family, &format!("sig of {text}"))) }
}

fn call(id: &str, signature: Option<Signature>) -> Part {
    let (name, arguments) = ("f".to_owned(), "{}".to_owned());
    Part::ToolCall(ToolCall { id: id.to_owned(), name, arguments, kind: CallKind::Function, signature, cache: None })
}

fn answer(parts: Vec<Part>) -> Response {
    Response { choices: vec![Choice { parts, ..Choice::default() }], ..Response::default() }
}

fn turn(parts: Vec<Part>) -> Arc<Request> {
    let mut request = Request::new(Format::OpenAiChat, "m");
    request.messages =
        vec![Message::new(Role::User, vec![Part::text("Hi")], 0), Message::new(Role::Assistant, parts, 1)];
    Arc::new(request)
}

fn client() -> ClientSignatures {
    Arc::new(Signatures::default()).of(&"key".into())
}

/// The turn of the model after signatures are attached.
fn attached(client: &ClientSignatures, family: Family, parts: Vec<Part>) -> Vec<Part> {
    client.attach(family, &turn(parts)).messages[1].parts.clone()
}

#[test]
fn thoughts_come_back_before_the_call_they_led_to() {
    let client = client();
    let redacted = Part::RedactedThinking(signature(Family::Anthropic, "secret"));
    let said = vec![
        thought(Family::Anthropic, "first"),
        redacted.clone(),
        Part::text("I look."),
        call("a", None),
        call("b", None),
        thought(Family::Anthropic, "second"),
        call("c", None),
    ];
    client.remember(Family::Anthropic, &answer(said));
    let sent = vec![Part::text("I look."), call("a", None), call("b", None), call("c", None)];
    let expected = vec![
        thought(Family::Anthropic, "first"),
        redacted,
        Part::text("I look."),
        call("a", None),
        call("b", None),
        thought(Family::Anthropic, "second"),
        call("c", None),
    ];
    assert_eq!(attached(&client, Family::Anthropic, sent), expected);
}

#[test]
fn point_20_a_thought_signature_comes_back_on_its_call() {
    let client = client();
    let signed = Some(signature(Family::Gemini, "abc"));
    client.remember(Family::Gemini, &answer(vec![call("a", signed.clone()), call("b", None)]));
    let sent = vec![call("a", None), call("b", None)];
    assert_eq!(attached(&client, Family::Gemini, sent), [call("a", signed), call("b", None)]);
}

#[test]
fn a_stream_is_watched_as_a_whole_answer_is_read() {
    let events = [
        Event::Thinking("fir".to_owned()),
        Event::Thinking("st".to_owned()),
        Event::ThinkingSignature(signature(Family::Anthropic, "sig of first")),
        Event::Thinking("unsigned".to_owned()),
        Event::Text("I look.".to_owned()),
        Event::ThinkingSignature(signature(Family::Anthropic, "of nothing shown")),
        Event::ToolStart {
            call: 0,
            id: "a".to_owned(),
            name: "f".to_owned(),
            kind: CallKind::Function,
            signature: None,
        },
        Event::ToolEnd { call: 0 },
    ];
    let client = client();
    let mut watch = client.watch(Family::Anthropic);
    for event in &events {
        watch.event(event);
    }
    let hidden =
        Part::Thinking { text: String::new(), signature: Some(signature(Family::Anthropic, "of nothing shown")) };
    let expected = [thought(Family::Anthropic, "first"), hidden, call("a", None)];
    assert_eq!(attached(&client, Family::Anthropic, vec![call("a", None)]), expected);
}

#[test]
fn what_the_client_sends_itself_is_trusted_first() {
    let client = client();
    client.remember(Family::Anthropic, &answer(vec![thought(Family::Anthropic, "kept"), call("a", None)]));
    let sent = vec![thought(Family::Anthropic, "sent"), call("a", None)];
    assert_eq!(attached(&client, Family::Anthropic, sent.clone()), sent);

    client.remember(Family::Gemini, &answer(vec![call("g", Some(signature(Family::Gemini, "kept")))]));
    let sent = vec![call("g", Some(signature(Family::Gemini, "sent")))];
    assert_eq!(attached(&client, Family::Gemini, sent.clone()), sent);
    // A signature that the provider cannot read counts as none.
    let foreign = vec![call("g", Some(signature(Family::Anthropic, "sent")))];
    assert_eq!(attached(&client, Family::Gemini, foreign), [call("g", Some(signature(Family::Gemini, "kept")))]);
}

#[test]
fn another_familys_signatures_are_never_attached() {
    let client = client();
    client.remember(Family::Anthropic, &answer(vec![thought(Family::Anthropic, "kept"), call("a", None)]));
    client.remember(Family::Gemini, &answer(vec![thought(Family::OpenAi, "alien"), call("b", None)]));
    let request = turn(vec![call("a", None), call("b", None)]);
    assert!(Arc::ptr_eq(&client.attach(Family::Gemini, &request), &request), "the request is not even copied");
}

#[test]
fn another_clients_signatures_are_never_attached() {
    let all = Arc::new(Signatures::default());
    let (one, other) = (all.of(&"one".into()), all.of(&"other".into()));
    one.remember(Family::Gemini, &answer(vec![call("a", Some(signature(Family::Gemini, "kept")))]));
    let request = turn(vec![call("a", None)]);
    assert!(Arc::ptr_eq(&other.attach(Family::Gemini, &request), &request));
    assert!(!Arc::ptr_eq(&one.attach(Family::Gemini, &request), &request));
}

#[test]
fn what_is_not_signed_is_not_kept() {
    let client = client();
    let unsigned = Part::Thinking { text: "hm".to_owned(), signature: None };
    client.remember(Family::Anthropic, &answer(vec![unsigned, Part::text("x"), call("a", None)]));
    assert!(client.all.lock().is_empty());
}

#[test]
fn a_thought_too_large_is_not_kept_in_part() {
    let client = client();
    let mut watch = client.watch(Family::Anthropic);
    watch.event(&Event::RedactedThinking(signature(Family::Anthropic, "small")));
    for _ in 0..3 {
        watch.event(&Event::Thinking("x".repeat(LARGEST / 2)));
    }
    watch.event(&Event::ThinkingSignature(signature(Family::Anthropic, "sig")));
    let start = |id: &str, signature| {
        let (id, name) = (id.to_owned(), "f".to_owned());
        Event::ToolStart { call: 0, id, name, kind: CallKind::Function, signature }
    };
    watch.event(&start("a", None));
    assert!(client.all.lock().is_empty());
    watch.event(&start("b", Some(signature(Family::Anthropic, "own"))));
    assert_eq!(client.all.lock().len(), 1, "the next call has its own");
}

fn any_family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Anthropic), Just(Family::Gemini), Just(Family::OpenAi)]
}

fn any_signature() -> impl Strategy<Value = Option<Signature>> {
    prop::option::of((any_family(), "[a-z]{1,3}").prop_map(|(family, data)| Signature { family, data }))
}

fn any_part() -> impl Strategy<Value = Part> {
    prop_oneof![
        Just(Part::text("words")),
        ("[a-z]{0,3}", any_signature()).prop_map(|(text, signature)| Part::Thinking { text, signature }),
        any_family().prop_map(|family| Part::RedactedThinking(signature(family, "data"))),
        ("[a-d]", any_signature()).prop_map(|(id, signature)| call(&id, signature)),
    ]
}

proptest! {
    #[test]
    fn attaching_twice_is_attaching_once(
        said in prop::collection::vec(prop::collection::vec(any_part(), 0..6), 0..4),
        sent in prop::collection::vec(any_part(), 0..6),
        families in prop::collection::vec(prop_oneof![Just(Family::Anthropic), Just(Family::Gemini)], 4),
        target in prop_oneof![Just(Family::Anthropic), Just(Family::Gemini)],
    ) {
        let client = client();
        for (parts, family) in said.into_iter().zip(families) {
            client.remember(family, &answer(parts));
        }
        let request = turn(sent);
        let once = client.attach(target, &request);
        let twice = client.attach(target, &once);
        prop_assert!(Arc::ptr_eq(&once, &twice));
        // Nothing that the client sent is lost, and nothing of another family is added.
        let count = |request: &Request, family| {
            request.messages[1].parts.iter().filter(|part| super::signer(part) == Some(family)).count()
        };
        prop_assert!(once.messages[1].parts.len() >= request.messages[1].parts.len());
        for family in [Family::Anthropic, Family::Gemini, Family::OpenAi] {
            if family != target {
                prop_assert!(count(&once, family) <= count(&request, family));
            }
        }
    }
}
