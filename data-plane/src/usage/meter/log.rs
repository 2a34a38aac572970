//! The line of the log for a request that is over.

use std::time::Duration;

use shared::pb::usage_record::Outcome;
use tracing::{info, warn};
use translation::ir::Usage;

use super::Meter;
use crate::metrics::outcome_name;
use crate::usage::attempts::{cut, micros};

impl Meter {
    pub(super) fn log(&self, total: Duration, usage: Option<Usage>) {
        let key = self.proxy_key.as_ref().map(|key| &*key.name);
        let last = self.attempts.last();
        let group = last.map(|last| &*last.tried.group.name);
        let (input, output) = usage.map(|usage| (usage.input, usage.output)).unzip();
        let attempt_error = last.map(|last| cut(&last.error)).filter(|error| !error.is_empty());
        macro_rules! line {
            ($level:ident) => {
                $level!(
                    request_id = self.id,
                    trace_id = self.trace_id,
                    method = cut(self.method.as_str()),
                    path = self.path,
                    status = self.status,
                    outcome = outcome_name(self.outcome),
                    error_code = (!self.error_code.is_empty()).then_some(self.error_code),
                    error = (!self.error_message.is_empty()).then_some(self.error_message.as_str()),
                    proxy_key = key,
                    model = self.model,
                    group,
                    attempts = self.attempts(),
                    attempt_error,
                    streamed = self.streamed,
                    input_tokens = input,
                    output_tokens = output,
                    first_byte_us = self.first_byte.map(micros),
                    total_us = micros(total),
                    "request"
                )
            };
        }
        if self.outcome == Outcome::InternalError { line!(warn) } else { line!(info) }
    }
}
