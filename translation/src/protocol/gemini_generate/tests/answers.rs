//! A provider's whole answer, and one for a client (`docs/TRANSLATION.md` section 7).

use serde_json::{Value, json};

use super::scenes::asked;
use crate::format::Family;
use crate::ir::{
    Choice, Citation, ErrorKind, Finish, Media, MediaKind, MediaSource, Part, ProviderError, Response, Signature,
    ToolCall, Usage,
};
use crate::json::Json;
use crate::protocol::contract::Protocol as _;
use crate::protocol::gemini_generate::GeminiGenerate;

fn read(body: &Value) -> Response {
    GeminiGenerate.decode_response(body.to_string().as_bytes()).unwrap()
}

fn failure(body: &str) -> ProviderError {
    GeminiGenerate.decode_response(body.as_bytes()).unwrap_err()
}

/// An answer of `parts` that stopped with `reason`.
fn answer(parts: Value, reason: Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": reason}], "modelVersion": "m", "responseId": "r"})
}

fn finish(parts: Value, reason: &str) -> Option<Finish> {
    read(&answer(parts, reason.into())).choices[0].finish
}

fn write(response: &Response) -> Value {
    serde_json::from_slice(&GeminiGenerate.encode_response(response, &asked("gemini-2.5-flash"))).unwrap()
}

fn call(arguments: &str) -> ToolCall {
    let (id, name, arguments) = ("call_1".to_owned(), "f".to_owned(), arguments.to_owned());
    ToolCall { id, name, arguments, kind: crate::ir::CallKind::Function, signature: None, cache: None }
}

fn said(parts: Vec<Part>, finish: Finish) -> Response {
    let choice = Choice { parts, finish: Some(finish), ..Choice::default() };
    Response { choices: vec![choice], ..Response::default() }
}

#[test]
fn point_02_a_call_without_arguments_has_an_empty_object() {
    for call in [json!({"name": "f"}), json!({"name": "f", "args": {}}), json!({"name": "f", "args": null})] {
        let response = read(&answer(json!([{"functionCall": call}]), "STOP".into()));
        let [Part::ToolCall(call)] = &response.choices[0].parts[..] else { panic!("{response:?}") };
        assert_eq!(call.arguments, "{}");
    }
}

#[test]
fn arguments_keep_their_numbers_and_their_order_and_lose_white_space() {
    let body = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{
        "z": 12345678901234567890123, "a" : 1.0, "text": "a  \" b\n{ }", "list": [ 1 , 2 ]
    }}}]}}]}"#
        .replace("b\n", "b\\n");
    let response = GeminiGenerate.decode_response(body.as_bytes()).unwrap();
    let [Part::ToolCall(call)] = &response.choices[0].parts[..] else { panic!("{response:?}") };
    assert_eq!(call.arguments, r#"{"z":12345678901234567890123,"a":1.0,"text":"a  \" b\n{ }","list":[1,2]}"#);
}

#[test]
fn ids_of_calls_are_kept_or_made_up_and_never_alike() {
    let parts = json!([{"functionCall": {"id": "x8i0", "name": "f"}}, {"functionCall": {"name": "f"}}, {"functionCall": {"name": "f", "id": ""}}]);
    let ids: Vec<String> = read(&answer(parts, "STOP".into())).choices[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolCall(call) => call.id.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids[0], "x8i0");
    assert!(ids[1] != ids[2] && ids.iter().all(|id| !id.is_empty() && id.len() <= 40), "{ids:?}");
}

#[test]
fn point_05_calls_make_the_reason_tool_calls() {
    let call = json!([{"functionCall": {"name": "f"}}]);
    for reason in ["STOP", "UNEXPECTED_TOOL_CALL", "OTHER", "MALFORMED_FUNCTION_CALL"] {
        assert_eq!(finish(call.clone(), reason), Some(Finish::ToolCalls), "{reason}");
    }
    assert_eq!(finish(call, "MAX_TOKENS"), Some(Finish::Length));
    let unsaid = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]});
    assert_eq!(read(&unsaid).choices[0].finish, Some(Finish::ToolCalls));
}

#[test]
fn point_06_every_reason_has_a_neutral_one() {
    let text = json!([{"text": "x"}]);
    let filtered = [
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "LANGUAGE",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
        "ESCALATION",
    ];
    for reason in filtered {
        assert_eq!(finish(text.clone(), reason), Some(Finish::ContentFilter), "{reason}");
    }
    let stops = ["STOP", "OTHER", "NO_IMAGE", "IMAGE_OTHER", "FINISH_REASON_UNSPECIFIED", "NEVER_HEARD_OF", ""];
    for reason in stops {
        assert_eq!(finish(text.clone(), reason), Some(Finish::Stop), "{reason}");
    }
    assert_eq!(finish(text, "MAX_TOKENS"), Some(Finish::Length));
}

#[test]
fn reasons_may_be_numbers() {
    let text = json!([{"text": "x"}]);
    let numbers =
        [(0, Finish::Stop), (1, Finish::Stop), (2, Finish::Length), (3, Finish::ContentFilter), (99, Finish::Stop)];
    for (number, finish) in numbers {
        let response = read(&answer(text.clone(), number.into()));
        assert_eq!(response.choices[0].finish, Some(finish), "{number}");
    }
}

#[test]
fn a_broken_call_is_a_failure_unless_something_was_said() {
    let reasons = [
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "TOO_MANY_TOOL_CALLS",
        "UNEXPECTED_TOOL_CALL",
    ];
    for reason in reasons {
        let body = json!({"candidates": [{"finishReason": reason, "finishMessage": "Malformed: print(f())"}]});
        let error = failure(&body.to_string());
        assert_eq!((error.status, error.code.as_deref()), (502, Some("malformed_function_call")), "{reason}");
        assert_eq!(error.message, "Malformed: print(f())");
        assert_eq!(finish(json!([{"text": "x"}]), reason), Some(Finish::Stop), "{reason}");
        // In another answer of the same request, too.
        let said = json!({"index": 1, "content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"});
        let response = read(&json!({"candidates": [{"index": 0, "finishReason": reason}, said]}));
        assert_eq!(response.choices[0].finish, Some(Finish::Stop), "{reason}");
        assert_eq!(response.choices[1].parts, [Part::text("x")], "{reason}");
    }
}

#[test]
fn point_07_counts_are_parts_of_their_sums() {
    let mut body = answer(json!([{"text": "x"}]), "STOP".into());
    body["usageMetadata"] = json!({
        "promptTokenCount": 100, "toolUsePromptTokenCount": 20, "candidatesTokenCount": 30, "thoughtsTokenCount": 7,
        "cachedContentTokenCount": 64, "totalTokenCount": 157, "serviceTier": "standard",
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 60}, {"modality": "AUDIO", "tokenCount": 40}],
        "candidatesTokensDetails": [{"modality": 4, "tokenCount": "25"}],
    });
    let response = read(&body);
    let usage = response.usage.unwrap();
    let wanted = Usage {
        input: 120,
        cached: 64,
        input_audio: 40,
        output: 37,
        reasoning: 7,
        output_audio: 25,
        ..Usage::default()
    };
    assert_eq!(usage, wanted);
    assert_eq!(usage.total(), 157);
    assert_eq!(response.service_tier.as_deref(), Some("default"));
    // Whatever is missing is 0; nothing at all is not known.
    body["usageMetadata"] = json!({"thoughtsTokenCount": 4, "candidatesTokenCount": null});
    assert_eq!(read(&body).usage, Some(Usage { output: 4, reasoning: 4, ..Usage::default() }));
    body["usageMetadata"] = json!({"trafficType": "ON_DEMAND"});
    assert_eq!(read(&body).usage, None);
}

#[test]
fn point_12_a_blocked_prompt_is_an_answer_that_declines() {
    let body =
        json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 9}});
    let response = read(&body);
    let [choice] = &response.choices[..] else { panic!("{response:?}") };
    assert_eq!(choice.parts, [Part::Refusal("Blocked by Gemini: PROHIBITED_CONTENT".to_owned())]);
    assert_eq!(choice.finish, Some(Finish::ContentFilter));
    assert_eq!(response.usage.unwrap().input, 9);
    let error = failure(r#"{"usageMetadata": {"promptTokenCount": 9}}"#);
    assert_eq!((error.kind, error.status), (ErrorKind::Server, 502));
}

#[test]
fn point_12_a_candidate_without_content_is_no_failure() {
    for content in [json!({}), json!({"role": "model"}), json!({"parts": []}), json!(null)] {
        let cut = json!({"candidates": [{"content": content, "finishReason": "MAX_TOKENS"}]});
        let choice = read(&cut).choices.remove(0);
        assert_eq!((choice.parts.len(), choice.finish), (0, Some(Finish::Length)));
        let safe = json!({"candidates": [{"content": content, "finishReason": "SAFETY"}]});
        assert_eq!(read(&safe).choices[0].parts, [Part::Refusal("Blocked by Gemini: SAFETY".to_owned())]);
    }
}

#[test]
fn point_21_thoughts_and_their_signatures_stay_apart_from_the_text() {
    let parts = json!([
        {"text": "Hmm.", "thought": true, "thoughtSignature": "c2ln"},
        {"text": "One "}, {"text": "two", "thoughtSignature": "dGV4dA=="},
        {"text": "three"}, {"text": "", "thoughtSignature": "bGFzdA=="},
    ]);
    let signed = |data: &str| Some(Signature { family: Family::Gemini, data: data.to_owned() });
    let text = |text: &str, signature| Part::Text { text: text.to_owned(), cache: None, citations: vec![], signature };
    let wanted = [
        Part::Thinking { text: "Hmm.".to_owned(), signature: signed("c2ln") },
        text("One ", None),
        text("two", signed("dGV4dA==")),
        text("three", signed("bGFzdA==")),
    ];
    assert_eq!(read(&answer(parts, "STOP".into())).choices[0].parts, wanted);
}

#[test]
fn point_24_blocks_of_own_tools_are_no_calls_and_unknown_ones_no_failure() {
    let parts = json!([
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}, "thoughtSignature": "c2ln"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"somethingNew": {"x": 1}}, {"text": "It is "}, {"text": "1."}, {"text": 5}, "odd",
    ]);
    let choice = read(&answer(parts, "STOP".into())).choices.remove(0);
    assert_eq!(choice.finish, Some(Finish::Stop));
    let [Part::Opaque { family: Family::Gemini, block }, Part::Opaque { .. }, one, two] = &choice.parts[..] else {
        panic!("{choice:?}")
    };
    assert_eq!(block.get(), r#"{"executableCode":{"language":"PYTHON","code":"print(1)"},"thoughtSignature":"c2ln"}"#);
    assert_eq!((one.as_text(), two.as_text()), (Some("It is "), Some("1.")));
}

#[test]
fn pictures_are_media() {
    let parts = json!([{"inlineData": {"mimeType": "image/png", "data": "-_8"}}, {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/f"}}]);
    let media = |kind, source, mime: &str| Part::Media(Media::new(kind, source, Some(mime.to_owned())));
    let wanted = [
        media(MediaKind::Image, MediaSource::Base64("+/8=".to_owned()), "image/png"),
        media(MediaKind::Video, MediaSource::Url("gs://b/f".to_owned()), "video/mp4"),
    ];
    assert_eq!(read(&answer(parts, "STOP".into())).choices[0].parts, wanted);
}

#[test]
fn fields_of_unexpected_types_count_as_absent() {
    let body = json!({
        "candidates": [{"content": {"parts": [{"text": "x", "thought": "no", "thoughtSignature": 5}], "role": 7},
            "finishReason": {}, "index": "zero", "safetyRatings": 5, "groundingMetadata": []}],
        "usageMetadata": [], "modelVersion": 3, "responseId": ["r"], "promptFeedback": "none",
    });
    let response = read(&body);
    assert_eq!(response.choices[0].parts, [Part::text("x")]);
    assert_eq!((response.id, response.model, response.usage), (None, None, None));
}

#[test]
fn several_candidates_are_as_many_choices() {
    let candidate = |index: u64, text: &str| json!({"index": index, "content": {"parts": [{"text": text}]}, "finishReason": "STOP"});
    let response = read(&json!({"candidates": [candidate(1, "b"), candidate(0, "a")]}));
    let texts: Vec<_> = response.choices.iter().map(|choice| choice.parts[0].as_text().unwrap()).collect();
    assert_eq!(texts, ["a", "b"]);
}

#[test]
fn an_array_of_chunks_is_one_answer() {
    let chunks = json!([
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}], "responseId": "r"},
        {"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 2}},
    ]);
    let response = read(&chunks);
    assert_eq!((response.choices.len(), response.choices[0].finish), (1, Some(Finish::ToolCalls)));
    assert_eq!((response.id.as_deref(), response.usage.unwrap().input), (Some("r"), 2));
}

#[test]
fn what_is_no_answer_is_an_error() {
    assert_eq!(failure("<html>bad gateway</html>").code.as_deref(), Some("bad_upstream_response"));
    assert_eq!(failure("").status, 502);
    let body = r#"{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}"#;
    assert_eq!(failure(body).kind, ErrorKind::Overloaded);
    assert_eq!(failure(&format!("[{body}]")).kind, ErrorKind::Overloaded);
}

#[test]
fn point_25_citations_count_characters_of_their_text() {
    let mut body = answer(json!([{"text": "hm", "thought": true}, {"text": "Zürich is öde."}]), "STOP".into());
    body["candidates"][0]["groundingMetadata"] = json!({
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"retrievedContext": {"text": "x"}}],
        "groundingSupports": [
            {"segment": {"endIndex": 7, "text": "Zürich"}, "groundingChunkIndices": [0, 1, 9]},
            {"segment": {"startIndex": 1, "endIndex": 2}, "groundingChunkIndices": [0]},
            {"segment": {"startIndex": 11, "endIndex": 16, "partIndex": 1}, "groundingChunkIndices": [0]},
            {"segment": {"startIndex": 2}, "groundingChunkIndices": [0]},
        ],
    });
    let choice = read(&body).choices.remove(0);
    let Part::Text { citations, .. } = &choice.parts[1] else { panic!("{choice:?}") };
    let spans: Vec<_> = citations.iter().map(|citation| (citation.start.unwrap(), citation.end.unwrap())).collect();
    assert_eq!(spans, [(0, 6), (10, 14)], "{citations:?}");
    assert_eq!(citations[0].url.as_deref(), Some("https://a"));
    assert_eq!(citations[0].quote.as_deref(), Some("Zürich"));
}

#[test]
fn log_probabilities_take_the_neutral_shape() {
    let mut body = answer(json!([{"text": "é"}]), "STOP".into());
    body["candidates"][0]["logprobsResult"] = json!({
        "topCandidates": [{"candidates": [{"token": "é", "tokenId": 5, "logProbability": -0.1}, {"token": "e", "logProbability": -2}]}],
        "chosenCandidates": [{"token": "é", "logProbability": -0.1}, {"token": "!", "logProbability": -1.5}],
    });
    let logprobs: Value = read(&body).choices[0].logprobs.as_ref().unwrap().read().unwrap();
    assert_eq!(logprobs["content"][0]["bytes"], json!([195, 169]));
    assert_eq!(logprobs["content"][0]["top_logprobs"][1]["logprob"], json!(-2.0));
    assert_eq!(logprobs["content"][1]["top_logprobs"], json!([]));
    let mut response = said(vec![Part::text("é")], Finish::Stop);
    response.choices[0].logprobs = Some(Json::of(&logprobs));
    let chosen = &write(&response)["candidates"][0]["logprobsResult"]["chosenCandidates"];
    assert_eq!(chosen[0], json!({"token": "é", "logProbability": -0.1}));
}

#[test]
fn an_answer_is_written_as_gemini_does() {
    let usage = Usage { input: 10, cached: 4, output: 9, reasoning: 3, ..Usage::default() };
    let mut response = said(vec![Part::text("Let me look."), Part::ToolCall(call(r#"{"a":1.0}"#))], Finish::ToolCalls);
    (response.id, response.usage, response.service_tier) =
        (Some("msg_1".to_owned()), Some(usage), Some("default".to_owned()));
    let wanted = json!({
        "candidates": [{
            "content": {"parts": [{"text": "Let me look."}, {"functionCall": {"id": "call_1", "name": "f", "args": {"a": 1.0}}}], "role": "model"},
            "finishReason": "STOP", "index": 0,
        }],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 6, "totalTokenCount": 19, "cachedContentTokenCount": 4,
            "thoughtsTokenCount": 3, "serviceTier": "standard"},
        "modelVersion": "gemini-2.5-flash", "responseId": "msg_1",
    });
    assert_eq!(write(&response), wanted);
}

#[test]
fn arguments_are_always_an_object() {
    let written = |arguments: &str| {
        let parts = vec![Part::ToolCall(call(arguments))];
        write(&said(parts, Finish::ToolCalls))["candidates"][0]["content"]["parts"][0]["functionCall"]["args"].clone()
    };
    assert_eq!(written(""), json!({}));
    assert_eq!(written(r#" {"a": [1]} "#), json!({"a": [1]}));
    assert_eq!(written(r#"{"a": "#), json!({"input": "{\"a\": "}));
    assert_eq!(written("[1]"), json!({"input": "[1]"}));
}

#[test]
fn reasons_are_told_in_geminis_words() {
    let reasons = [
        (Finish::Stop, "STOP"),
        (Finish::Length, "MAX_TOKENS"),
        (Finish::ToolCalls, "STOP"),
        (Finish::ContentFilter, "SAFETY"),
        (Finish::Pause, "STOP"),
    ];
    for (finish, word) in reasons {
        assert_eq!(write(&said(vec![Part::text("x")], finish))["candidates"][0]["finishReason"], word);
    }
    let declined = write(&said(vec![Part::Refusal("I will not.".to_owned())], Finish::Stop));
    let candidate = &declined["candidates"][0];
    assert_eq!((&candidate["finishReason"], &candidate["finishMessage"]), (&json!("SAFETY"), &json!("I will not.")));
    let again = read(&declined);
    assert_eq!(again.choices[0].parts, [Part::Refusal("I will not.".to_owned())]);
}

#[test]
fn citations_come_back_to_the_same() {
    let citation = |start, end| Citation {
        url: Some("https://a".to_owned()),
        title: Some("A".to_owned()),
        start: Some(start),
        end: Some(end),
        quote: None,
    };
    let citations = vec![citation(0, 6), citation(10, 14)];
    let text = Part::Text { text: "Zürich is öde.".to_owned(), cache: None, citations, signature: None };
    let response = said(vec![text], Finish::Stop);
    let written = write(&response);
    assert_eq!(written["candidates"][0]["groundingMetadata"]["groundingChunks"].as_array().unwrap().len(), 1);
    assert_eq!(read(&written).choices, response.choices);
}
