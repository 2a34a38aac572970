//! What a text rests on. Gemini counts offsets in bytes of UTF-8 (API reference, `Segment`), the neutral form in
//! characters.

use super::answer::{Candidate, CitationMetadata, GroundingMetadata, Segment};
use crate::ir::Citation;

/// A citation whose offsets are still bytes.
pub(super) struct Found {
    pub(super) citation: Citation,
    /// The part of the answer that the citation belongs to, where the provider says it.
    pub(super) part: Option<usize>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The citations of a candidate: sources that it recites, and pages that a search found. Citations without an end are
/// left out, since nobody can use them.
pub(super) fn found(candidate: &Candidate<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    if let Some(metadata) = &candidate.citation_metadata {
        recited(metadata, &mut found);
    }
    if let Some(metadata) = &candidate.grounding_metadata {
        grounded(metadata, &mut found);
    }
    found
}

fn recited(metadata: &CitationMetadata, found: &mut Vec<Found>) {
    for source in &metadata.citation_sources {
        let Some((start, end)) = range(source.start_index, source.end_index) else { continue };
        let citation = Citation { url: source.uri.clone(), title: source.title.clone(), ..Citation::default() };
        found.push(Found { citation, part: None, start, end });
    }
}

fn grounded(metadata: &GroundingMetadata, found: &mut Vec<Found>) {
    for support in &metadata.grounding_supports {
        let Some(segment) = &support.segment else { continue };
        let Some((start, end)) = range(segment.start_index, segment.end_index) else { continue };
        for index in &support.grounding_chunk_indices {
            let chunk = usize::try_from(*index).ok().and_then(|index| metadata.grounding_chunks.get(index));
            let Some(web) = chunk.and_then(|chunk| chunk.web.as_ref()) else { continue };
            let (url, title, quote) = (web.uri.clone(), web.title.clone(), segment.text.clone());
            let citation = Citation { url, title, quote, ..Citation::default() };
            found.push(Found { citation, part: part(segment), start, end });
        }
    }
}

fn part(segment: &Segment) -> Option<usize> {
    segment.part_index.and_then(|part| usize::try_from(part).ok())
}

/// JSON of protocol buffers leaves out a start that is 0.
fn range(start: Option<u64>, end: Option<u64>) -> Option<(usize, usize)> {
    let start = usize::try_from(start.unwrap_or_default()).ok()?;
    let end = usize::try_from(end?).ok()?;
    (start < end).then_some((start, end))
}

impl Found {
    /// The citation with offsets in characters, if `characters` knows them.
    pub(super) fn counted(self, characters: impl Fn(usize) -> Option<u64>) -> Option<Citation> {
        let (start, end) = (characters(self.start)?, characters(self.end)?);
        Some(Citation { start: Some(start), end: Some(end), ..self.citation })
    }
}

/// How many characters of `text` stand before `offset`.
pub(super) fn characters(text: &str, offset: usize) -> Option<u64> {
    let before = text.get(..offset)?;
    u64::try_from(before.chars().count()).ok()
}

/// Counts the characters of a text that comes in pieces, without keeping it: one bit for each byte that does not begin
/// a character.
#[derive(Debug, Default)]
pub(super) struct Counter {
    bytes: usize,
    /// Bit n of word m says that byte 64m + n goes on with a character. Words at the end that are all zero may be
    /// missing.
    inner: Vec<u64>,
}

/// The longest text whose offsets are counted, in bytes.
const LONGEST: usize = 8 * 1024 * 1024;

impl Counter {
    /// Counts more of the text.
    pub(super) fn push(&mut self, text: &str) {
        if !text.is_ascii() && self.bytes + text.len() <= LONGEST {
            for (at, byte) in text.bytes().enumerate() {
                if byte & 0b1100_0000 == 0b1000_0000 {
                    let at = self.bytes + at;
                    if self.inner.len() <= at / 64 {
                        self.inner.resize(at / 64 + 1, 0);
                    }
                    self.inner[at / 64] |= 1 << (at % 64);
                }
            }
        }
        self.bytes += text.len();
    }

    /// How many characters stand before `offset`.
    pub(super) fn characters(&self, offset: usize) -> Option<u64> {
        let word = |at: usize| self.inner.get(at).copied().unwrap_or_default();
        let within = word(offset / 64) & (1 << (offset % 64)) != 0;
        if offset > self.bytes || self.bytes > LONGEST || within {
            return None;
        }
        let whole = self.inner.iter().take(offset / 64).map(|word| word.count_ones()).sum::<u32>();
        let rest = (word(offset / 64) & ((1 << (offset % 64)) - 1)).count_ones();
        Some(u64::try_from(offset).ok()? - u64::from(whole + rest))
    }
}
