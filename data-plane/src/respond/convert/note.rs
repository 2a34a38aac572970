//! Notes the usage in an answer that is converted.

use translation::ir::Event;

use crate::usage::meter::Meter;

/// Notes the usage that `event` reports, and the content that is to be counted if no event reports any.
pub(super) fn note(meter: &mut Meter, event: &Event) {
    match event {
        Event::Start(start) => {
            meter.usage = start.usage.or(meter.usage);
            meter.served_by(start.service_tier.clone());
        }
        Event::Usage(usage) => meter.usage = Some(*usage),
        Event::Finish { .. } => meter.finished = true,
        _ => {
            meter.heard.event(event);
            meter.one_more();
        }
    }
}
