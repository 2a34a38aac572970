//! Writes the messages of a conversation, whose calls and results are in order, as turns of content blocks
//! (`docs/TRANSLATION.md` section 2.1).

use std::collections::{HashMap, VecDeque};

use super::turns::{Block, Turn};
use crate::format::Family;
use crate::ir::{
    CacheControl, Dropped, Field, Message, Part, Request, Role, Signature, ToolCall, ToolResult, TranslateError,
};
use crate::json::Json;
use crate::names::Mapping;

/// The request, and what of it is left out.
pub(in crate::protocol) struct Notes<'w, 'r> {
    pub(in crate::protocol) request: &'r Request,
    pub(in crate::protocol) dropped: &'w mut Dropped,
}

impl Notes<'_, '_> {
    /// Notes that `field` is left out.
    pub(in crate::protocol) fn field(&mut self, field: Field) {
        self.dropped.field(self.request, field);
    }

    /// Notes that a part of `message` is left out.
    fn part(&mut self, message: &Message, index: usize) {
        self.dropped.named(self.request.path(message, Some(index)));
    }
}

/// How one of the two APIs writes the parts of a message.
pub(in crate::protocol) trait Api<'w, 'r> {
    /// Its content blocks.
    type Block: Block<'r>;

    /// The request, and what of it is left out.
    fn notes(&mut self) -> &mut Notes<'w, 'r>;

    /// Appends a text of the operator's or of the model's, and a cache breakpoint behind it.
    fn text(&mut self, text: &'r str, cache: Option<&'r CacheControl>, blocks: &mut Vec<Self::Block>);

    /// Appends what a user gives, or the result of a tool. `path` is where it stands in the client's request.
    ///
    /// # Errors
    /// When the API does not take it.
    fn content(
        &mut self,
        part: &'r Part,
        path: &dyn Fn() -> String,
        blocks: &mut Vec<Self::Block>,
    ) -> Result<(), TranslateError>;

    /// A thought of Claude's.
    fn thought(text: &'r str, signature: &'r Signature) -> Self::Block;

    /// A thought of Claude's that cannot be read. None where it is none that the API takes.
    fn redacted(signature: &'r Signature) -> Option<Self::Block>;

    /// A block that only Anthropic's models know. None where the API has no such blocks.
    fn opaque(_block: &'r Json) -> Option<Self::Block> {
        None
    }

    /// The id of a call whose own `id` an earlier call had as well. It is the call number `times` with that id.
    fn next_id(id: &str, times: usize, message: &Message) -> String;

    /// Appends a call of a tool. The API is told this `id` and `name`.
    fn call(&mut self, id: String, name: String, call: &'r ToolCall, blocks: &mut Vec<Self::Block>);

    /// The result of a tool call, and a cache breakpoint behind it.
    ///
    /// # Errors
    /// When the API does not take what is in it.
    fn result(
        &mut self,
        id: String,
        result: &'r ToolResult,
        path: &dyn Fn() -> String,
    ) -> Result<(Self::Block, Option<Self::Block>), TranslateError>;
}

/// The conversation as it is written.
pub(in crate::protocol) struct Conversation<B> {
    /// The texts of all system and developer messages, wherever they stood.
    pub(in crate::protocol) system: Vec<B>,
    /// What the user and the model said in turn. There is at least one turn.
    pub(in crate::protocol) turns: Vec<Turn<B>>,
}

struct Writer<'w, 'r, A, B> {
    request: &'r Request,
    api: A,
    /// Whether the model may be given its thoughts back.
    thinks: bool,
    names: &'w mut Mapping,
    ids: &'w mut Mapping,
    system: Vec<B>,
    turns: Vec<Turn<B>>,
    /// What the target is told are the ids of the calls that wait for a result. Results come in the order of the calls.
    waiting: VecDeque<String>,
    /// How often each id has been that of a call so far.
    used: HashMap<&'r str, usize>,
    /// The blocks of the user's turn that is under way, the results of calls first.
    user: Vec<B>,
}

/// Writes the messages of `request` in the manner of `api`. `thinks` says whether the model may be given its thoughts
/// back.
///
/// # Errors
/// Names the message at fault.
pub(in crate::protocol) fn write<'w, 'r, A: Api<'w, 'r>>(
    request: &'r Request,
    api: A,
    thinks: bool,
    names: &mut Mapping,
    ids: &mut Mapping,
) -> Result<Conversation<A::Block>, TranslateError> {
    let mut writer = Writer {
        request,
        api,
        thinks,
        names,
        ids,
        system: Vec::new(),
        turns: Vec::with_capacity(request.messages.len()),
        waiting: VecDeque::new(),
        used: HashMap::new(),
        user: Vec::new(),
    };
    for message in &request.messages {
        writer.message(message)?;
    }
    writer.finish_user();
    writer.end_turn();
    let Writer { system, turns, .. } = writer;
    if turns.is_empty() {
        let words = "The conversation has no message besides those of the system: at least one is required.";
        return Err(TranslateError::invalid(Field::Messages.name(request.origin), words));
    }
    Ok(Conversation { system, turns })
}

impl<'w, 'r, A: Api<'w, 'r>> Writer<'_, 'r, A, A::Block> {
    fn message(&mut self, message: &'r Message) -> Result<(), TranslateError> {
        if message.name.is_some() {
            self.api.notes().field(Field::Name);
        }
        match message.role {
            Role::System | Role::Developer => self.system(message),
            Role::User => {
                for (index, part) in message.parts.iter().enumerate() {
                    let path = || self.request.path(message, Some(index));
                    self.api.content(part, &path, &mut self.user)?;
                }
                Ok(())
            }
            Role::Tool => message.parts.iter().try_for_each(|part| match part {
                Part::ToolResult(result) => self.result(message, result),
                _ => Ok(()),
            }),
            Role::Assistant => {
                self.assistant(message);
                Ok(())
            }
        }
    }

    fn system(&mut self, message: &'r Message) -> Result<(), TranslateError> {
        for (index, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text { text, cache, .. } => self.api.text(text, cache.as_ref(), &mut self.system),
                Part::Opaque { .. } => self.api.notes().part(message, index),
                _ => {
                    let path = self.request.path(message, Some(index));
                    return Err(TranslateError::unsupported(path, "A system message can hold nothing but text."));
                }
            }
        }
        Ok(())
    }

    fn assistant(&mut self, message: &'r Message) {
        self.finish_user();
        // Of other clients it is known only that thoughts come first.
        let in_place = self.request.origin.facts().thoughts_in_place;
        let mut thoughts = Vec::new();
        let mut blocks = Vec::with_capacity(message.parts.len());
        for (index, part) in message.parts.iter().enumerate() {
            let thought = match part {
                Part::Text { text, cache, .. } => {
                    self.api.text(text, cache.as_ref(), &mut blocks);
                    None
                }
                Part::Refusal(text) => {
                    self.api.text(text, None, &mut blocks);
                    None
                }
                Part::Thinking { text, signature: Some(signature) } if self.replays(signature) => {
                    Some(A::thought(text, signature))
                }
                Part::RedactedThinking(signature) if self.replays(signature) => A::redacted(signature),
                Part::ToolCall(call) => {
                    self.call(message, call, &mut blocks);
                    None
                }
                // The model cannot be shown a medium in its own turn.
                Part::Media(_) => {
                    self.api.notes().part(message, index);
                    None
                }
                Part::Opaque { family, block } => {
                    match A::opaque(block).filter(|_| *family == Family::Anthropic) {
                        Some(block) => blocks.push(block),
                        None => self.api.notes().part(message, index),
                    }
                    None
                }
                Part::Thinking { .. } | Part::RedactedThinking(_) | Part::ToolResult(_) => None,
            };
            if let Some(thought) = thought {
                if in_place { blocks.push(thought) } else { thoughts.push(thought) }
            }
        }
        thoughts.extend(blocks);
        self.append(Turn::of_model(thoughts));
    }

    /// Thoughts of another family would fail the check of their signature (`docs/TRANSLATION.md` section 13, point 21).
    fn replays(&self, signature: &Signature) -> bool {
        self.thinks && signature.family == Family::Anthropic
    }

    fn call(&mut self, message: &'r Message, call: &'r ToolCall, blocks: &mut Vec<A::Block>) {
        // Some vendors count their calls from 0 in every turn, but ids have to be unique over the conversation.
        let times = self.used.entry(&call.id).or_default();
        *times += 1;
        let told = match *times {
            1 => self.ids.map(&call.id),
            times => self.ids.map(&A::next_id(&call.id, times, message)),
        };
        self.waiting.push_back(told.clone());
        self.api.call(told, self.names.map(&call.name), call, blocks);
    }

    fn result(&mut self, message: &'r Message, result: &'r ToolResult) -> Result<(), TranslateError> {
        let at = || self.request.path(message, None);
        let told = self.waiting.pop_front().unwrap_or_else(|| self.ids.map(&result.call_id));
        let (block, breakpoint) = self.api.result(told, result, &at)?;
        self.user.push(block);
        self.user.extend(breakpoint);
        Ok(())
    }

    /// Ends the user's turn.
    fn finish_user(&mut self) {
        let blocks = std::mem::take(&mut self.user);
        self.append(Turn::of_user(blocks));
    }

    /// Appends `turn`. Two turns of the same role become one, since the roles have to alternate.
    fn append(&mut self, mut turn: Turn<A::Block>) {
        if turn.content.is_empty() {
            return;
        }
        if self.turns.last().is_some_and(|last| !last.same_role(&turn)) {
            self.end_turn();
        }
        match self.turns.last_mut() {
            Some(last) if last.same_role(&turn) => last.content.append(&mut turn.content),
            _ => self.turns.push(turn),
        }
    }

    /// Takes off thoughts that nothing came of, since the model was cut off or had nothing to say: Anthropic answers
    /// 400 to a turn that ends in them.
    fn end_turn(&mut self) {
        let Some(turn) = self.turns.last_mut() else { return };
        while turn.content.pop_if(|block| block.is_thought()).is_some() {}
        if turn.content.is_empty() {
            self.turns.pop();
        }
    }
}
