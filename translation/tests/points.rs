//! The 25 points that translations break most often (`docs/TRANSLATION.md` section 13), through the public interface
//! alone: for each, a test over every pair of formats that it concerns. Tests of the same names within the modules are
//! about their parts.
//!
//! | Point | What has to hold | Pairs (client ← → provider) |
//! |---|---|---|
//! | 1 | The results of a turn are one message, in the order of the calls; a call has its result | all → Anthropic, Gemini; order for OpenAI |
//! | 2 | A call without arguments has an empty object | all |
//! | 3 | Calls in a stream are numbered from 0 without a gap | all |
//! | 4 | Id, type and name come once | all |
//! | 5 | Where tools are called, that is why the model stopped | all |
//! | 6 | Reasons to stop are the client's format's, and always there | all |
//! | 7 | Counts are parts of their sums, and the total is the sum | all |
//! | 8 | Counts in a stream come once, last, and only if asked for | chat ← all |
//! | 9 | Counts of the end of a stream replace those of its start | all ← Anthropic |
//! | 10 | An error in a stream is an error in the client's form, and the last that comes | all |
//! | 11 | A stream that breaks off has no end | all |
//! | 12 | A prompt that is refused has an answer with words | all |
//! | 13 | The limit of tokens is the model's where none is given, and never more | all → Anthropic |
//! | 14 | Sampling goes to models that take it, in their range; nothing is added | all |
//! | 15 | Every system message arrives, in its order and its role | all |
//! | 16 | Texts that end the answer are a list, without white space | all → Anthropic, Gemini, chat |
//! | 17 | Whether tools must be called is said as the model takes it; the tools stay | all |
//! | 18 | Results for Gemini have a name, an object, and the order of the calls | all → Gemini |
//! | 19 | Schemas for Gemini say the same within what it takes | all → Gemini |
//! | 20 | Gemini's signatures come back to it by way of every client, and are not in ids | all ← → Gemini |
//! | 21 | Thoughts are thoughts, and come back to the one who had them with their proof | all |
//! | 22 | Pictures arrive, whatever form they have; none vanishes | all |
//! | 23 | Errors have the client's form, without the operator's secrets; waits are kept | all |
//! | 24 | What only the provider knows is no call of the client's; all texts are kept | all |
//! | 25 | The shape that is asked for is asked for; what an answer rests on has the client's form | all |

#![expect(clippy::unwrap_used, reason = "a test that fails")]

use translation::Format;

#[path = "points/answered.rs"]
mod answered;
#[path = "points/answers.rs"]
mod answers;
#[path = "points/asked.rs"]
mod asked;
#[path = "points/errors.rs"]
mod errors;
#[path = "points/loops.rs"]
mod loops;
#[path = "points/read.rs"]
mod read;
#[path = "points/requests.rs"]
mod requests;
#[path = "points/schemas.rs"]
mod schemas;
#[path = "points/streams.rs"]
mod streams;

const FORMATS: [Format; 4] =
    [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages, Format::GeminiGenerate];

/// Every client, with every provider of another format.
fn pairs() -> impl Iterator<Item = (Format, Format)> {
    FORMATS.into_iter().flat_map(|client| asked::others(client).map(move |provider| (client, provider)))
}
