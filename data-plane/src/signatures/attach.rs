//! Puts signed parts back into a request.

use std::sync::Arc;
use std::time::Instant;

use translation::format::Family;
use translation::ir::{Message, Part, Request, Role};

use super::{ClientSignatures, Signed, signer};
use crate::shelf::name;

impl ClientSignatures {
    /// `request` as a provider of `family` wants it. Each turn of the model with tool calls gets the signed parts that
    /// are kept for them, unless the client itself has sent parts that this family signed. The request is copied only
    /// where there is something to put in.
    pub fn attach(&self, family: Family, request: &Arc<Request>) -> Arc<Request> {
        let found: Vec<_> = self.find(family, &request.messages);
        if found.is_empty() {
            return Arc::clone(request);
        }
        let mut request = Request::clone(request);
        for (at, signed) in found {
            if let Some(message) = request.messages.get_mut(at) {
                message.parts = with(std::mem::take(&mut message.parts), &signed);
            }
        }
        Arc::new(request)
    }

    /// What is kept for the tool calls of each message, by the number of the message, with one entry for each call in
    /// order.
    fn find(&self, family: Family, messages: &[Message]) -> Vec<(usize, Vec<Option<Arc<Signed>>>)> {
        if self.all.lock().is_empty() {
            return Vec::new();
        }
        let bare = messages.iter().enumerate().filter(|(_, message)| {
            message.role == Role::Assistant && !message.parts.iter().any(|part| signer(part) == Some(family))
        });
        let named =
            bare.map(|(at, message)| (at, calls(message).map(|id| name(&self.proxy_key, id)).collect::<Vec<_>>()));
        let wanted: Vec<_> = named.filter(|(_, names)| !names.is_empty()).collect();
        let now = Instant::now();
        let mut kept = self.all.lock();
        let found = wanted.into_iter().map(|(at, names)| {
            let signed = names.iter().map(|name| kept.get(name, now).filter(|signed| signed.family == family));
            (at, signed.collect::<Vec<_>>())
        });
        found.filter(|(_, signed)| signed.iter().any(Option::is_some)).collect()
    }
}

/// The ids of a message's calls.
fn calls(message: &Message) -> impl Iterator<Item = &str> {
    message.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(call.id.as_str()),
        _ => None,
    })
}

/// `parts` with what is kept for their calls. The thoughts of the first call come before everything else, as the model
/// had them. The thoughts of another call come directly before that call.
fn with(parts: Vec<Part>, signed: &[Option<Arc<Signed>>]) -> Vec<Part> {
    let mut whole = Vec::with_capacity(parts.len() + signed.len());
    let mut of_calls = signed.iter();
    let mut first = true;
    for part in parts {
        let Part::ToolCall(mut call) = part else {
            whole.push(part);
            continue;
        };
        if let Some(Some(signed)) = of_calls.next() {
            let at = if first { 0 } else { whole.len() };
            whole.splice(at..at, signed.thoughts.iter().cloned());
            if let Some(signature) = &signed.signature {
                // A signature of another family, which the provider cannot read, is replaced.
                call.signature = Some(signature.clone());
            }
        }
        first = false;
        whole.push(Part::ToolCall(call));
    }
    whole
}
