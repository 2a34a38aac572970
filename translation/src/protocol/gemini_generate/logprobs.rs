//! Log probabilities: Gemini's `logprobsResult`, and OpenAI chat's shape, in which the neutral form has them.

use serde::{Deserialize, Serialize};

use super::answer::{LogprobsResult, TokenLogprob};
use crate::json::Json;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Document {
    content: Vec<Token>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Token {
    #[serde(rename = "token")]
    text: String,
    logprob: f64,
    /// The token's bytes in UTF-8.
    bytes: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<Token>>,
}

fn token(of: &TokenLogprob) -> Token {
    let token = of.token.clone().unwrap_or_default();
    let bytes = Some(token.as_bytes().to_vec());
    Token { text: token, logprob: of.log_probability.unwrap_or_default(), bytes, top_logprobs: None }
}

/// Log probabilities in the neutral shape. `top_logprobs` is always a list (`docs/TRANSLATION.md` section 7).
pub(super) fn read(result: &LogprobsResult) -> Option<Json> {
    if result.chosen_candidates.is_empty() {
        return None;
    }
    let tokens = result.chosen_candidates.iter().enumerate().map(|(at, chosen)| {
        let top = result.top_candidates.get(at).map_or(&[][..], |top| &top.candidates);
        Token { top_logprobs: Some(top.iter().map(token).collect()), ..token(chosen) }
    });
    Some(Json::of(&Document { content: tokens.collect() }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Result {
    top_candidates: Vec<Top>,
    chosen_candidates: Vec<Chosen>,
}

#[derive(Serialize)]
struct Top {
    candidates: Vec<Chosen>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Chosen {
    token: String,
    log_probability: f64,
}

/// Log probabilities in Gemini's shape.
pub(super) fn write(logprobs: &Json) -> Option<Result> {
    let tokens = logprobs.read::<Document>().ok()?.content;
    let chosen = |token: Token| Chosen { token: token.text, log_probability: token.logprob };
    let mut result = Result { top_candidates: Vec::new(), chosen_candidates: Vec::new() };
    for mut token in tokens {
        let top = token.top_logprobs.take().unwrap_or_default();
        result.top_candidates.push(Top { candidates: top.into_iter().map(chosen).collect() });
        result.chosen_candidates.push(chosen(token));
    }
    Some(result)
}
