//! Reads the usage in an answer that is no chat. Each endpoint of OpenAI's API has its own words for the same thing:
//! `prompt_tokens` (completions, embeddings) or `input_tokens` (images, transcriptions). Vendors of reranking and
//! embeddings report nothing but a total.

use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use shared::prices::UnitCounts;
use translation::ir::Usage;

#[derive(Deserialize)]
struct Answer<'b> {
    #[serde(borrow)]
    usage: Option<&'b RawValue>,
    #[serde(borrow, rename = "usageMetadata")]
    usage_metadata: Option<&'b RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    prompt_tokens: Option<u64>,
    input_tokens: Option<u64>,
    #[serde(rename = "promptTokenCount")]
    prompt_token_count: Option<u64>,
    completion_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    input_tokens_details: Option<Details>,
    input_token_details: Option<Details>,
    completion_tokens_details: Option<Details>,
    output_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    #[serde(rename = "cached_tokens")]
    cached: Option<u64>,
    #[serde(rename = "audio_tokens")]
    audio: Option<u64>,
    #[serde(rename = "image_tokens")]
    image: Option<u64>,
    #[serde(rename = "reasoning_tokens")]
    reasoning: Option<u64>,
}

/// The usage that a whole JSON answer reports.
pub(super) fn usage(body: &[u8]) -> Option<Usage> {
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    let counts = answer.usage.or(answer.usage_metadata)?;
    serde_json::from_str::<Counts>(counts.get()).ok()?.usage()
}

/// What a whole JSON answer shows of what is not counted in tokens: the images of OpenAI's images API (API reference,
/// "The image generation response"), the seconds of its transcriptions (`usage` of type `duration`), begun ones as
/// whole, and the search units of Cohere's rerank API (`meta.billed_units`).
pub(super) fn units(body: &[u8]) -> UnitCounts {
    #[derive(Deserialize)]
    struct Shown<'b> {
        #[serde(borrow)]
        data: Option<&'b RawValue>,
        #[serde(borrow)]
        usage: Option<&'b RawValue>,
        #[serde(borrow)]
        meta: Option<&'b RawValue>,
    }
    #[derive(Deserialize)]
    struct Image {
        b64_json: Option<IgnoredAny>,
        url: Option<IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Duration {
        seconds: Option<f64>,
    }
    #[derive(Deserialize)]
    struct Meta {
        billed_units: Billed,
    }
    #[derive(Deserialize)]
    struct Billed {
        search_units: Option<f64>,
    }

    let names: [&[u8]; 4] = [br#""b64_json""#, br#""url""#, br#""seconds""#, br#""search_units""#];
    if names.into_iter().all(|name| memmem::find(body, name).is_none()) {
        return UnitCounts::default();
    }
    let Ok(shown) = serde_json::from_slice::<Shown<'_>>(body) else { return UnitCounts::default() };
    let images: Vec<Image> = read(shown.data).unwrap_or_default();
    let duration: Option<Duration> = read(shown.usage);
    let meta: Option<Meta> = read(shown.meta);
    UnitCounts {
        images: images.iter().filter(|image| image.b64_json.is_some() || image.url.is_some()).count() as u64,
        seconds: begun(duration.and_then(|usage| usage.seconds)),
        reranks: begun(meta.and_then(|meta| meta.billed_units.search_units)),
        ..UnitCounts::default()
    }
}

fn read<'b, T: Deserialize<'b>>(raw: Option<&'b RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

/// The number as a whole one, where what has begun counts. No request has more than a million.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is between its bounds")]
fn begun(number: Option<f64>) -> u64 {
    number.filter(|number| number.is_finite()).unwrap_or_default().clamp(0.0, 1_000_000.0).ceil() as u64
}

/// The usage at the end of a stream, or of an answer that is too large to hold. It is the last object in a field of
/// that name.
pub(super) fn usage_in_tail(tail: &[u8]) -> Option<Usage> {
    let at = memmem::rfind(tail, br#""usage""#)?;
    let rest = tail[at + br#""usage""#.len()..].trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Counts>();
    values.next()?.ok()?.usage()
}

impl Counts {
    fn usage(self) -> Option<Usage> {
        let output = self.completion_tokens.or(self.output_tokens);
        let input = self.prompt_tokens.or(self.input_tokens).or(self.prompt_token_count);
        let rest = self.total_tokens.map(|total| total.saturating_sub(output.unwrap_or_default()));
        let input = input.or(rest);
        if input.is_none() && output.is_none() {
            return None;
        }
        let details = self.prompt_tokens_details.or(self.input_tokens_details).or(self.input_token_details);
        let details = details.unwrap_or_default();
        let output_details = self.completion_tokens_details.or(self.output_tokens_details).unwrap_or_default();
        let usage = Usage {
            input: input.unwrap_or_default(),
            cached: details.cached.unwrap_or_default(),
            input_audio: details.audio.unwrap_or_default(),
            input_image: details.image.unwrap_or_default(),
            output: output.unwrap_or_default(),
            output_audio: output_details.audio.unwrap_or_default(),
            output_image: output_details.image.unwrap_or_default(),
            reasoning: output_details.reasoning.unwrap_or_default(),
            ..Usage::default()
        };
        Some(usage.fitted())
    }
}

#[cfg(test)]
mod tests;
