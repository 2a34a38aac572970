//! Asks a model something with one upstream key: for the least, to see whether it works, or for the answer to a prompt.
//!
//! The least is a token of a model that chats, the embedding of one word, or one word as a document to rank. Where each
//! request would cost more than that (images, sound, video), only the list of models is asked for with the key.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::json;
use shared::pb;
use tokio::time::{Instant, timeout_at};
use translation::Format;
use translation::facts::Purpose;
use translation::ir::{self, Collector, Part};

use super::models;
use super::report::ProbeReport;
use crate::answer::Answer;
use crate::attempt::{Probed, Prober};
use crate::body::collect::Patience;
use crate::error::GatewayError;
use crate::metrics::AttemptResult;
use crate::opening::Opened;
use crate::opening::whole::whole;
use crate::request::Outbound;
use crate::request::embeddings::EmbeddingsRequest;
use crate::request::json::{JsonEndpoint, JsonRequest};
use crate::request::own::{GREETING, OwnQuestion};
use crate::route::candidate::Candidate;
use crate::route::single::AskedModel;
use crate::route::table::RouteTable;

/// The longest answer to a prompt, in tokens.
const LONGEST_ANSWER: u64 = 1_024;

/// The longest prompt, in bytes.
const LONGEST_PROMPT: usize = 32 * 1024;

/// The most characters of an answer that are told.
const LONGEST_TEXT: usize = 8 * 1024;

/// The most bytes of a stream that are read.
const LONGEST_STREAM: usize = 4 * 1024 * 1024;

/// Statuses of servers that have no list of models.
const NO_LIST: [u16; 3] = [404, 405, 501];

/// How an attempt ended that may cost money, and what came of it.
type Asked = Result<(Option<AttemptResult>, ProbeReport), String>;

/// Which model `name` asks for.
fn model(name: &str) -> AskedModel<'_> {
    if name.is_empty() { AskedModel::Usual } else { AskedModel::Named(name) }
}

/// Asks for the least with the key that is `asked` for.
///
/// # Errors
/// Why nothing was sent, for people.
pub(super) async fn probe(
    through: &Prober,
    table: &RouteTable,
    asked: &pb::ProbeUpstreamKey,
    deadline: Instant,
) -> Asked {
    let candidate = table.single(&asked.group_id, Some(&asked.upstream_key_id), model(&asked.model))?;
    let model = &*candidate.upstream_model;
    let probed = match Purpose::of(model) {
        Purpose::Chat => through.ask(&candidate, &OwnQuestion::cheapest(), deadline).await,
        Purpose::Embeddings => {
            let body = Bytes::from(json!({ "model": model, "input": GREETING }).to_string());
            let request = EmbeddingsRequest::read(endpoint("/embeddings"), &body);
            ask(through, &candidate, request, deadline).await
        }
        Purpose::Reranking => {
            let body = json!({ "model": model, "query": GREETING, "documents": [GREETING] }).to_string();
            let body = Bytes::from(body);
            ask(through, &candidate, JsonRequest::read(endpoint("/rerank"), &body), deadline).await
        }
        Purpose::Other => return listed(through, table, (asked, &candidate), deadline).await,
    };
    match probed {
        // Its provider serves such models at an address that is not known here.
        Err(GatewayError::NoEndpoint { .. }) => listed(through, table, (asked, &candidate), deadline).await,
        Err(error) => Err(error.for_operator()),
        Ok(probed) => Ok((Some(probed.result), ProbeReport::of(&candidate, &probed))),
    }
}

/// The endpoint at `path` of OpenAI's API, or of what is compatible with it.
fn endpoint(path: &'static str) -> JsonEndpoint<'static> {
    JsonEndpoint { format: Format::OpenAiChat, path: path.into(), query: None, model: None, default_model: None }
}

async fn ask(
    through: &Prober,
    candidate: &Candidate,
    request: Result<impl Outbound, GatewayError>,
    deadline: Instant,
) -> Result<Probed, GatewayError> {
    through.ask(candidate, &request?, deadline).await
}

/// Asks for the list of models with the key of `candidate`, whose model is not asked anything.
async fn listed(
    through: &Prober,
    table: &RouteTable,
    (asked, candidate): (&pb::ProbeUpstreamKey, &Candidate),
    deadline: Instant,
) -> Asked {
    let pb::ProbeUpstreamKey { group_id, upstream_key_id, .. } = asked.clone();
    let model = Arc::clone(&candidate.upstream_model);
    let unasked = |why: &str| format!("{model} is not asked, which would cost money, and {why}");
    let report = models::list(through, table, &pb::ListModels { group_id, upstream_key_id }, deadline).await;
    let report = report.map_err(|why| unasked(&why))?;
    if NO_LIST.contains(&report.status) {
        return Err(unasked("its provider has no list of models"));
    }
    Ok((None, ProbeReport { model, models: None, has_more: false, ..report }))
}

/// Sends the prompt that is `asked`, and reads its answer.
///
/// # Errors
/// Why nothing was sent, for people.
pub(super) async fn prompt(through: &Prober, table: &RouteTable, asked: &pb::TestPrompt, deadline: Instant) -> Asked {
    if asked.prompt.len() > LONGEST_PROMPT {
        return Err(format!("the prompt is longer than {LONGEST_PROMPT} bytes"));
    }
    let key = Some(&*asked.upstream_key_id).filter(|id| !id.is_empty());
    let candidate = table.single(&asked.group_id, key, model(&asked.model))?;
    let question = OwnQuestion::new(&asked.prompt, LONGEST_ANSWER);
    let mut probed = through.ask(&candidate, &question, deadline).await.map_err(|error| error.for_operator())?;
    let report = ProbeReport::of(&candidate, &probed);
    let Some(answer) = probed.answer.take() else { return Ok((Some(probed.result), report)) };
    let leak = &candidate.key.leak;
    let report = match read(answer, deadline).await {
        Ok(response) => {
            let words = response.choices.iter().take(1).flat_map(|choice| &choice.parts).filter_map(Part::as_text);
            let text = leak.redact_text(words.collect());
            let text = Some(text.chars().take(LONGEST_TEXT).collect());
            let (input_tokens, output_tokens) = response.usage.map(|usage| (usage.input, usage.output)).unzip();
            ProbeReport { text, input_tokens, output_tokens, ..report }
        }
        Err(error) => report.broken(leak.redact_text(error.for_operator())),
    };
    Ok((Some(probed.result), report))
}

/// Reads `answer` to its end.
async fn read(answer: Answer, deadline: Instant) -> Result<ir::Response, GatewayError> {
    let Answer { head, opened, format, .. } = answer;
    let patience = Patience { first: deadline, pause: deadline - Instant::now(), whole: deadline, end: None };
    let body = match opened {
        Opened::Decoded(response) => return Ok(*response),
        Opened::Whole(body, _) => body,
        Opened::Unread(body) => whole(&head, body, patience).await?,
        Opened::Stream(mut body) => {
            let mut decoder = format.protocol().decoder();
            let mut collector = Collector::default();
            let (mut events, mut size) = (Vec::new(), 0);
            while !decoder.done() {
                let frame = timeout_at(deadline, body.frame()).await.map_err(|_elapsed| GatewayError::Timeout)?;
                let Some(frame) = frame else { break };
                let Ok(portion) = frame.map_err(|_| GatewayError::Cut)?.into_data() else { continue };
                size += portion.len();
                if size > LONGEST_STREAM {
                    return Err(GatewayError::Unusable("it is a stream of more than 4 MiB"));
                }
                decoder.push(portion, &mut events);
                events.drain(..).try_for_each(|event| collector.event(event))?;
            }
            decoder.end(&mut events);
            events.drain(..).try_for_each(|event| collector.event(event))?;
            return Ok(collector.finish()?);
        }
    };
    Ok(format.protocol().decode_response(&body)?)
}
