//! What the API refuses in a conversation: roles that it does not know, results without calls, calls without the
//! signature of the thoughts before them (ai.google.dev/gemini-api/docs/thought-signatures).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::check::{field, list, parts};
use crate::fields::text_of;
use crate::refusal::Refusal;
use crate::signature;

/// The documented placeholders for a signature that nobody has.
const DUMMIES: &[&str] = &["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"];

/// Checks the contents of `request`.
pub(super) fn check(request: &Value, model: &str) -> Result<(), Refusal> {
    let contents = list(request, "contents");
    if contents.is_empty() {
        return Err(Refusal::invalid("* GenerateContentRequest.contents: contents is not specified\n"));
    }
    for (at, content) in contents.iter().enumerate() {
        if !matches!(text_of(content, "role"), None | Some("user" | "model" | "function")) {
            return Err(Refusal::invalid("Please use a valid role: user, model."));
        }
        if parts(content).is_empty() {
            let message = format!("* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty.\n");
            return Err(Refusal::invalid(message));
        }
        if parts(content).iter().any(|part| part.as_object().is_none_or(|part| !has_data(part))) {
            return Err(Refusal::invalid(
                "Unable to submit request because it must have a text parameter. Add a text parameter and try again.",
            ));
        }
    }
    answers(contents)?;
    signatures(contents, model)
}

fn has_data(part: &serde_json::Map<String, Value>) -> bool {
    part.keys().any(|name| !matches!(name.as_str(), "thought" | "thoughtSignature" | "thought_signature"))
}

fn of_kind<'a>(content: &'a Value, name: &'a str) -> impl Iterator<Item = &'a Value> {
    parts(content).iter().filter_map(move |part| field(part, name))
}

/// The turns of a conversation. Neighbours of one role are one turn, as recorded. Google's package gives a streamed
/// answer back as one content for each chunk.
fn turns(contents: &[Value]) -> impl Iterator<Item = (usize, &[Value])> {
    let by_model = |content: &Value| text_of(content, "role") == Some("model");
    contents.chunk_by(move |one, next| by_model(one) == by_model(next)).scan(0, |at, turn| {
        let start = *at;
        *at += turn.len();
        Some((start, turn))
    })
}

/// Checks that the next turn answers all calls, by name, and that each answer holds an object.
fn answers(contents: &[Value]) -> Result<(), Refusal> {
    let count = |turn: &[Value], name: &str| turn.iter().map(|content| of_kind(content, name).count()).sum::<usize>();
    let mut called = 0;
    for (at, turn) in turns(contents) {
        let calls = count(turn, "functionCall");
        let next = contents.get(at + turn.len()..).and_then(|rest| turns(rest).next());
        if calls > 0 && next.is_some_and(|(_, next)| count(next, "functionResponse") != calls) {
            return Err(Refusal::invalid(
                "Please ensure that the number of function response parts is equal to the number of function call parts of the \
                 function call turn.",
            ));
        }
        if count(turn, "functionResponse") > 0 && called == 0 {
            return Err(Refusal::invalid(
                "Please ensure that function response turn comes immediately after a function call turn.",
            ));
        }
        called = calls;
        let answers = turn.iter().flat_map(|content| of_kind(content, "functionResponse"));
        for (index, answer) in answers.enumerate() {
            let path = format!("contents[{at}].parts[{index}].function_response");
            if text_of(answer, "name").is_none_or(str::is_empty) {
                let message = format!("* GenerateContentRequest.{path}.name: Name cannot be empty.\n");
                return Err(Refusal::invalid(message));
            }
            if !answer["response"].is_object() {
                let message =
                    format!("Invalid value at '{path}.response' (type.googleapis.com/google.protobuf.Struct)");
                return Err(Refusal::invalid(message));
            }
        }
    }
    Ok(())
}

/// Checks signatures. In the current turn, which begins with the last words of the user, models of the third generation
/// want a signature on the first call of each step. A signature anywhere must be one that was made here.
fn signatures(contents: &[Value], model: &str) -> Result<(), Refusal> {
    let turn = contents
        .iter()
        .rposition(|content| {
            text_of(content, "role") == Some("user") && of_kind(content, "functionResponse").next().is_none()
        })
        .unwrap_or(0);
    for (at, step) in turns(contents) {
        let mut first = true;
        for part in step.iter().flat_map(parts) {
            let signature = field(part, "thoughtSignature").and_then(Value::as_str);
            if signature.is_some_and(|signature| !known(signature)) {
                return Err(Refusal::invalid("Corrupted thought signature."));
            }
            let Some(call) = field(part, "functionCall") else { continue };
            if first && signature.is_none() && at + step.len() > turn && model.starts_with("gemini-3") {
                return Err(Refusal::invalid(format!(
                    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work \
                     correctly, and missing thought_signature may lead to degraded model performance. Additional data, function \
                     call `default_api:{}` , position {}. Please refer to \
                     https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
                    text_of(call, "name").unwrap_or_default(),
                    at + 1
                )));
            }
            first = false;
        }
    }
    Ok(())
}

fn known(signature: &str) -> bool {
    let dummy = |text: &[u8]| DUMMIES.iter().any(|dummy| dummy.as_bytes() == text);
    signature::is_ours(signature)
        || dummy(signature.as_bytes())
        || STANDARD.decode(signature).is_ok_and(|plain| dummy(&plain))
}
