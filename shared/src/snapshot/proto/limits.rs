//! What config says of limits, to the wire and back.

use super::unknown;
use crate::pb;
use crate::snapshot::{
    LimitMode, LimitQueue, LimitRaise, LimitSpan, LimitUnit, LimitWindow, ModelLimits, SnapshotError, SubjectLimits,
    TokenWeights,
};

impl From<&SubjectLimits> for pb::SubjectLimits {
    fn from(limits: &SubjectLimits) -> Self {
        let TokenWeights { cached, output, reasoning } = limits.weights;
        Self {
            windows: limits.windows.iter().map(Into::into).collect(),
            concurrency: limits.concurrency,
            mode: limits.mode.as_str().to_owned(),
            weights: Some(pb::TokenWeights { cached, output, reasoning }),
            queue_length: limits.queue.length,
            queue_wait_ms: limits.queue.wait_ms,
            raise_percent: limits.raise.map_or(0, |raise| raise.percent),
            raise_until_ms: limits.raise.map_or(0, |raise| raise.until_ms),
            models: limits.models.iter().map(|(model, limits)| (model.to_string(), limits.into())).collect(),
        }
    }
}

impl From<&ModelLimits> for pb::ModelLimits {
    fn from(limits: &ModelLimits) -> Self {
        Self { windows: limits.windows.iter().map(Into::into).collect(), concurrency: limits.concurrency }
    }
}

impl From<&LimitWindow> for pb::LimitWindow {
    fn from(window: &LimitWindow) -> Self {
        Self { unit: window.unit.as_str().to_owned(), window: window.window.as_str().to_owned(), amount: window.amount }
    }
}

/// The limits at `place`, where there are any.
pub(super) fn read(
    place: &str,
    message: Option<pb::SubjectLimits>,
) -> Result<Option<Box<SubjectLimits>>, SnapshotError> {
    let Some(message) = message else { return Ok(None) };
    let place = format!("{place}.limits");
    let mode = match &*message.mode {
        "" => LimitMode::default(),
        name => LimitMode::from_name(name).ok_or_else(|| unknown(format!("{place}.mode"), name))?,
    };
    let weights = message.weights.map_or_else(TokenWeights::default, |weights| TokenWeights {
        cached: weights.cached,
        output: weights.output,
        reasoning: weights.reasoning,
    });
    let of_model = |(model, limits): (String, pb::ModelLimits)| {
        let windows = windows(&format!("{place}.models[{model}]"), limits.windows)?;
        Ok((model.into(), ModelLimits { windows, concurrency: limits.concurrency }))
    };
    let raise = LimitRaise { percent: message.raise_percent, until_ms: message.raise_until_ms };
    let limits = SubjectLimits {
        windows: windows(&place, message.windows)?,
        concurrency: message.concurrency,
        mode,
        weights,
        queue: LimitQueue { length: message.queue_length, wait_ms: message.queue_wait_ms },
        raise: Some(raise).filter(|raise| raise.percent > 0),
        models: message.models.into_iter().map(of_model).collect::<Result<_, _>>()?,
    };
    Ok(limits.or_none())
}

fn windows(place: &str, messages: Vec<pb::LimitWindow>) -> Result<Vec<LimitWindow>, SnapshotError> {
    let window = |(index, message): (usize, pb::LimitWindow)| {
        let bad = |field: &str, name: &str| unknown(format!("{place}.windows[{index}].{field}"), name);
        Ok(LimitWindow {
            unit: LimitUnit::from_name(&message.unit).ok_or_else(|| bad("unit", &message.unit))?,
            window: LimitSpan::from_name(&message.window).ok_or_else(|| bad("window", &message.window))?,
            amount: message.amount,
        })
    };
    messages.into_iter().enumerate().map(window).collect()
}
