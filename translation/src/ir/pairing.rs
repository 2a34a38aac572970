//! Calls of tools and their results, in the order that every provider takes.
//!
//! Providers refuse a conversation in which a call has no result, a result has no call or comes twice, or something
//! else stands between a call and its result, and each says so in words of its own. So it is checked here, once for all
//! targets: what stands in another order is put in order, and what is missing, unknown or doubled is refused with the
//! name of the call (`docs/TRANSLATION.md` section 13, point 1).

use std::borrow::Cow;

use super::error::TranslateError;
use super::part::{Part, ToolCall, ToolResult};
use super::request::{Message, Request, Role};

/// `request` with each turn of calls followed at once by the results of all its calls, in the order of the calls. It is
/// copied only where something has to be moved.
///
/// # Errors
/// Names the call that has no result, and the result that has no call or comes a second time.
pub fn paired(request: &Request) -> Result<Cow<'_, Request>, TranslateError> {
    let mut turn = Turn::default();
    let mut in_order = true;
    for message in &request.messages {
        in_order &= turn.take(request, message)?;
    }
    turn.close(request)?;
    if in_order {
        return Ok(Cow::Borrowed(request));
    }
    let mut request = request.clone();
    request.messages = ordered(std::mem::take(&mut request.messages));
    Ok(Cow::Owned(request))
}

/// The calls of the model since something else was said, and what came behind them.
#[derive(Default)]
struct Turn<'r> {
    calls: Vec<OpenCall<'r>>,
    /// How many of the calls have a result.
    answered: usize,
    /// Whether a message that is no result has come behind the calls.
    interrupted: bool,
    /// Whether that message is the user's, who speaks only when a turn is over.
    ended: bool,
}

struct OpenCall<'r> {
    message: &'r Message,
    call: &'r ToolCall,
    answered: bool,
}

impl<'r> Turn<'r> {
    /// Takes the next message. Whether it stands where every provider takes it.
    fn take(&mut self, request: &Request, message: &'r Message) -> Result<bool, TranslateError> {
        match message.role {
            Role::Tool => {
                let results = message.parts.iter().enumerate().filter_map(|(at, part)| Some((at, result_in(part)?)));
                let mut in_order = true;
                for (at, result) in results {
                    in_order &= self.answer(request, message, at, result)?;
                }
                Ok(in_order)
            }
            Role::Assistant => {
                if self.answered > 0 || self.ended {
                    self.close(request)?;
                }
                // More of the same turn may follow calls that no result has come for.
                let in_order = self.calls.is_empty();
                let calls = message.parts.iter().filter_map(call_in);
                self.calls.extend(calls.map(|call| OpenCall { message, call, answered: false }));
                Ok(in_order)
            }
            Role::User | Role::System | Role::Developer => {
                self.interrupted |= !self.calls.is_empty();
                self.ended |= self.interrupted && message.role == Role::User;
                Ok(true)
            }
        }
    }

    /// Takes a result. Whether it is the one that is next.
    fn answer(
        &mut self,
        request: &Request,
        message: &Message,
        at: usize,
        result: &ToolResult,
    ) -> Result<bool, TranslateError> {
        let of_call = |open: &OpenCall<'_>| open.call.id == result.call_id;
        let Some(place) = self.calls.iter().position(|open| of_call(open) && !open.answered) else {
            let path = request.call_id_path(message, at);
            let words = match (self.calls.iter().any(of_call), &result.name) {
                (true, _) => format!("The tool call `{}` has a result already.", result.call_id),
                (false, Some(name)) => {
                    format!("There is no tool call `{}` of `{name}` in the message before this result.", result.call_id)
                }
                (false, None) => {
                    format!("There is no tool call `{}` in the message before this result.", result.call_id)
                }
            };
            return Err(TranslateError::invalid(path, words));
        };
        self.calls[place].answered = true;
        self.answered += 1;
        Ok(place + 1 == self.answered && !self.interrupted)
    }

    /// Ends the turn.
    fn close(&mut self, request: &Request) -> Result<(), TranslateError> {
        if let Some(open) = self.calls.iter().find(|open| !open.answered) {
            let path = request.path(open.message, None);
            let words = format!("The tool call `{}` has no result: each call must be followed by one.", open.call.id);
            return Err(TranslateError::invalid(path, words));
        }
        *self = Self::default();
        Ok(())
    }
}

/// The messages of a conversation in which each call has one result, with all of them in order.
fn ordered(messages: Vec<Message>) -> Vec<Message> {
    let mut ordered = Vec::with_capacity(messages.len());
    // The ids of the calls of the turn, each with the message and the part that answer it.
    let mut calls: Vec<(String, Option<(Message, Part)>)> = Vec::new();
    let mut behind: Vec<Message> = Vec::new();
    for mut message in messages {
        match message.role {
            Role::Tool => {
                for part in std::mem::take(&mut message.parts) {
                    let Part::ToolResult(result) = &part else { continue };
                    let open = calls.iter_mut().find(|(id, given)| *id == result.call_id && given.is_none());
                    if let Some((_, given)) = open {
                        *given = Some((Message { parts: Vec::new(), ..message.clone() }, part));
                    }
                }
            }
            Role::Assistant => {
                let over = calls.iter().any(|(_, given)| given.is_some()) || calls.is_empty();
                if over {
                    close(&mut ordered, &mut calls, &mut behind);
                }
                calls.extend(message.parts.iter().filter_map(call_in).map(|call| (call.id.clone(), None)));
                match ordered.last_mut() {
                    // Calls of one turn stand in one message, since a result must follow each message with calls.
                    Some(last) if !over && last.role == Role::Assistant => last.parts.append(&mut message.parts),
                    _ => ordered.push(message),
                }
            }
            _ if calls.is_empty() => ordered.push(message),
            _ => behind.push(message),
        }
    }
    close(&mut ordered, &mut calls, &mut behind);
    ordered
}

/// Appends the results of a turn, in the order of its calls, and what was said behind the calls.
fn close(ordered: &mut Vec<Message>, calls: &mut Vec<(String, Option<(Message, Part)>)>, behind: &mut Vec<Message>) {
    let first = ordered.len();
    for (mut message, part) in calls.drain(..).filter_map(|(_, given)| given) {
        match ordered[first..].last_mut() {
            Some(last) if last.origin == message.origin => last.parts.push(part),
            _ => {
                message.parts.push(part);
                ordered.push(message);
            }
        }
    }
    ordered.append(behind);
}

fn call_in(part: &Part) -> Option<&ToolCall> {
    match part {
        Part::ToolCall(call) => Some(call),
        _ => None,
    }
}

fn result_in(part: &Part) -> Option<&ToolResult> {
    match part {
        Part::ToolResult(result) => Some(result),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
