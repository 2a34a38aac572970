//! Sends an answer: what the script does to it after its format has made it.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Response, StatusCode};
use serde_json::Value;

use crate::body::{Answer, Closed, RawBytes, Step};
use crate::call::Reply;
use crate::journal::{End, Ending};
use crate::refusal::Refusal;
use crate::script::{Cut, Script};
use crate::vendor::Vendor;

/// Sends answers by a script.
#[derive(Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) vendor: Vendor,
    pub(crate) script: &'a Script,
    pub(crate) model: &'a str,
    pub(crate) raw: &'a RawBytes,
}

impl Sender<'_> {
    /// Sends what the script gives itself: bytes, a body or an error.
    pub(crate) fn scripted(&self, mut ending: Ending) -> Result<Response<Answer>, Closed> {
        let script = self.script;
        if let Some(bytes) = &script.raw {
            self.raw.set(Bytes::from(bytes.clone()));
            ending.note(End::Cut);
            let mut response = Response::new(Answer::whole(Bytes::new(), None));
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            return Ok(response);
        }
        let body = script.body.as_ref().map_or_else(
            || self.vendor.scripted_error(script, script.status, self.model).to_string().into(),
            |body| Bytes::from(body.clone()),
        );
        self.whole(body, self.vendor.json_type(), ending)
    }

    /// Sends what an API replies.
    pub(crate) fn send(&self, reply: Reply, mut ending: Ending) -> Result<Response<Answer>, Closed> {
        match reply {
            Reply::Json(value) => self.whole(value.to_string().into(), self.vendor.json_type(), ending),
            Reply::Bytes { content_type, body } => self.whole(body, &content_type, ending),
            Reply::Stream { content_type, mut steps } => {
                if matches!(self.script.cut, Some(Cut::BeforeHead)) {
                    ending.note(End::Cut);
                    return Err(Closed);
                }
                if matches!(self.script.cut, Some(Cut::AfterHead)) {
                    steps = VecDeque::from([Step::Cut]);
                }
                let mut response = Response::new(Answer::steps(self.split(steps), None, ending));
                self.decorate(StatusCode::OK, content_type, &mut response);
                Ok(response)
            }
        }
    }

    fn whole(&self, mut body: Bytes, content_type: &str, mut ending: Ending) -> Result<Response<Answer>, Closed> {
        let script = self.script;
        if matches!(script.cut, Some(Cut::BeforeHead)) {
            ending.note(End::Cut);
            return Err(Closed);
        }
        if let Some(size) = script.body_bytes.filter(|_| !body.is_empty()) {
            body = body.iter().copied().cycle().take(size).collect();
        }
        if script.gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            body = encoder.write_all(&body).and_then(|()| encoder.finish()).map_err(|_| Closed)?.into();
        }
        let length = body.len();
        let mut steps = VecDeque::new();
        if script.first_chunk_delay_ms > 0 {
            steps.push_back(Step::Wait(Duration::from_millis(script.first_chunk_delay_ms)));
        }
        if script.cut.is_some() {
            // The answer is truncated: it announces a length that never comes.
            if !matches!(script.cut, Some(Cut::AfterHead)) {
                steps.push_back(Step::Write(body.slice(..length / 2)));
            }
            steps.push_back(Step::Cut);
        } else {
            steps.push_back(Step::Write(body));
        }
        let chunked = script.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str()));
        let length = (!chunked).then_some(length as u64);
        let mut response = Response::new(Answer::steps(self.split(steps), length, ending));
        let status = StatusCode::from_u16(script.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.decorate(status, script.content_type.as_deref().unwrap_or(content_type), &mut response);
        if script.gzip {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }

    fn decorate(&self, status: StatusCode, content_type: &str, response: &mut Response<Answer>) {
        dress(self.vendor, status, content_type, response);
        let mut named: Vec<HeaderName> = Vec::new();
        for (name, value) in &self.script.headers {
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) else {
                continue;
            };
            if name == TRANSFER_ENCODING {
                // This header only asks for an answer without a length. hyper writes the header itself.
                continue;
            }
            if value.is_empty() {
                response.headers_mut().remove(&name);
            } else if named.contains(&name) {
                response.headers_mut().append(name, value);
            } else {
                response.headers_mut().insert(name.clone(), value);
                named.push(name);
            }
        }
    }

    fn split(&self, steps: VecDeque<Step>) -> VecDeque<Step> {
        if let Some(size) = self.script.split_bytes {
            return split(&steps, || size, 1);
        }
        let Some(mut state) = self.script.seed else { return steps };
        let random = move || {
            // Steele, Lea and Flood's SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((mixed ^ (mixed >> 31)) % 127).unwrap_or_default() + 1
        };
        split(&steps, random, 8)
    }
}

/// The same bytes in writes of the given sizes, with a pause after every `pause_every` writes. What comes after a pause
/// or a cut stays after it.
fn split(steps: &VecDeque<Step>, mut size: impl FnMut() -> usize, pause_every: usize) -> VecDeque<Step> {
    let mut pieces = VecDeque::new();
    let mut written = 0_usize;
    for step in steps {
        match step {
            Step::Write(bytes) => {
                let mut rest = bytes.clone();
                while !rest.is_empty() {
                    let piece = rest.split_to(size().clamp(1, rest.len()));
                    pieces.push_back(Step::Write(piece));
                    written += 1;
                    if written.is_multiple_of(pause_every) {
                        // The pause lets each piece leave on its own.
                        pieces.push_back(Step::Wait(Duration::from_millis(1)));
                    }
                }
            }
            Step::Wait(duration) => pieces.push_back(Step::Wait(*duration)),
            Step::Cut => pieces.push_back(Step::Cut),
            Step::Repeat(bytes, pause) => pieces.push_back(Step::Repeat(bytes.clone(), *pause)),
        }
    }
    pieces
}

/// A refusal of the API itself, which no script asked for.
pub(crate) fn refuse(vendor: Vendor, refusal: &Refusal, ending: Ending) -> Response<Answer> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(vendor, status, &vendor.error(refusal), Some(ending))
}

/// A JSON answer without a script.
pub(crate) fn json(vendor: Vendor, status: StatusCode, value: &Value, ending: Option<Ending>) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(Bytes::from(value.to_string()), ending));
    dress(vendor, status, vendor.json_type(), &mut response);
    response
}

fn dress(vendor: Vendor, status: StatusCode, content_type: &str, response: &mut Response<Answer>) {
    *response.status_mut() = status;
    vendor.headers(status.as_u16(), response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
}
