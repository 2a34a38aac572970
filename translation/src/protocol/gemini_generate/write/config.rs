//! `generationConfig`. Values are brought into their range, and fields that the model refuses are left out
//! (`docs/TRANSLATION.md` section 6).

use super::extensions::Extensions;
use super::writer::{Settings, Writer};
use super::{output, thinking};
use crate::facts::Sampling;
use crate::ir::{Field, TranslateError};

/// The most texts that end an answer.
const MOST_STOPS: usize = 5;
/// The most alternatives for a token.
const MOST_LOGPROBS: u32 = 20;

/// Writes `generationConfig`. `answered` says that the answer comes through a function.
pub(super) fn write(
    writer: &mut Writer<'_>,
    extensions: &Extensions,
    answered: bool,
) -> Result<Settings, TranslateError> {
    let mut config = Settings::default();
    tokens(writer, &mut config)?;
    sampling(writer, &mut config);
    candidates(writer, &mut config)?;
    logprobs(writer, &mut config)?;
    stop(writer, &mut config);
    if !answered {
        output::write(writer, &mut config)?;
    }
    if !writer.request.modalities.is_empty() {
        let words: Vec<String> = writer.request.modalities.iter().map(|word| word.to_ascii_uppercase()).collect();
        config.set("responseModalities", &words);
    }
    if let Some(given) = &extensions.thinking_config {
        config.set("thinkingConfig", given);
    } else if let Some(thinking) = thinking::plan(writer) {
        config.set("thinkingConfig", &thinking);
    }
    for (name, value) in &extensions.generation_config {
        if !config.has(name) {
            config.set(name, value);
        }
    }
    Ok(config)
}

fn tokens(writer: &Writer<'_>, config: &mut Settings) -> Result<(), TranslateError> {
    let Some(wanted) = writer.request.max_output_tokens else { return Ok(()) };
    if wanted == 0 {
        let param = Field::MaxOutputTokens.name(writer.request.origin);
        return Err(TranslateError::invalid(param, "an answer has at least one token"));
    }
    let most = writer.target.facts.max_output.unwrap_or(u64::MAX).min(i32::MAX.unsigned_abs().into());
    config.set("maxOutputTokens", &wanted.min(most));
    Ok(())
}

fn sampling(writer: &mut Writer<'_>, config: &mut Settings) {
    let request = writer.request;
    let takes = writer.target.facts.sampling != Sampling::None;
    let both = writer.target.facts.sampling == Sampling::OneOf && request.temperature.is_some();
    // Models since 2.5 answer 400 to penalties ("Penalty is not enabled for this model"), except to 0, which asks for
    // nothing.
    let penalises = takes && writer.target.facts.penalties;
    // Penalties have to be below 2.
    let penalty = |value: Option<f64>| {
        let value = value.filter(|value| penalises || *value != 0.0)?;
        Some(value.clamp(-2.0, 1.999))
    };
    let values = [
        ("temperature", request.temperature.map(|value| value.clamp(0.0, 2.0)), Field::Temperature, takes),
        ("topP", request.top_p.map(|value| value.clamp(0.0, 1.0)), Field::TopP, takes && !both),
        ("presencePenalty", penalty(request.presence_penalty), Field::PresencePenalty, penalises),
        ("frequencyPenalty", penalty(request.frequency_penalty), Field::FrequencyPenalty, penalises),
    ];
    for (name, value, field, takes) in values {
        match value {
            Some(value) if takes => config.set(name, &value),
            Some(_) => writer.dropped.field(request, field),
            None => {}
        }
    }
    match request.top_k {
        Some(value) if takes => config.set("topK", &value),
        Some(_) => writer.dropped.field(request, Field::TopK),
        None => {}
    }
    // The seed has to be an int32, and not a negative one.
    if let Some(seed) = request.seed {
        config.set("seed", &seed.rem_euclid(1 << 31));
    }
}

fn candidates(writer: &Writer<'_>, config: &mut Settings) -> Result<(), TranslateError> {
    let request = writer.request;
    let param = Field::Candidates.name(request.origin);
    match request.candidates {
        None | Some(1) => {}
        Some(0) => return Err(TranslateError::invalid(param, "at least one answer must be asked for")),
        Some(_) if !writer.target.facts.candidates => {
            return Err(TranslateError::unsupported(param, "this model gives one answer to a request"));
        }
        Some(_) if writer.target.stream || request.stream => {
            return Err(TranslateError::unsupported(param, "a stream carries one answer"));
        }
        Some(wanted @ 2..=8) => config.set("candidateCount", &wanted),
        Some(_) => return Err(TranslateError::unsupported(param, "this model gives at most 8 answers to a request")),
    }
    Ok(())
}

fn logprobs(writer: &Writer<'_>, config: &mut Settings) -> Result<(), TranslateError> {
    let request = writer.request;
    if request.logprobs != Some(true) {
        return Ok(());
    }
    if !writer.target.facts.logprobs {
        let param = Field::Logprobs.name(request.origin);
        return Err(TranslateError::unsupported(param, "this model gives no log probabilities"));
    }
    config.set("responseLogprobs", &true);
    if let Some(wanted) = request.top_logprobs.filter(|wanted| *wanted > 0) {
        config.set("logprobs", &wanted.min(MOST_LOGPROBS));
    }
    Ok(())
}

fn stop(writer: &mut Writer<'_>, config: &mut Settings) {
    let texts: Vec<&str> = writer.request.stop.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    if texts.len() > MOST_STOPS {
        writer.dropped.field(writer.request, Field::Stop);
    }
    if !texts.is_empty() {
        config.set("stopSequences", &texts[..texts.len().min(MOST_STOPS)]);
    }
}
