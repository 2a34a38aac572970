//! One lane of a spool: a directory of segments with a cursor.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::warn;

use super::files::{Files, Position};
use crate::usage::pace::Pace;
use crate::usage::segment::HEADER;
use crate::usage::worth::{Shares, Worth};

/// Which records stand in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Records of requests that have cost something.
    Paid,
    /// Records of requests that have cost nothing.
    Free,
    /// Records whose tokens are still to be counted, with rough counts. They are not handed out.
    Uncounted,
}

impl Lane {
    pub(super) const ALL: [Self; 3] = [Self::Paid, Self::Free, Self::Uncounted];

    /// The lane of records that are worth so much.
    pub fn of(worth: Worth) -> Self {
        match worth {
            Worth::Paid => Self::Paid,
            Worth::Free => Self::Free,
        }
    }

    /// What the records of the lane are worth.
    pub fn worth(self) -> Worth {
        match self {
            Self::Paid | Self::Uncounted => Worth::Paid,
            Self::Free => Worth::Free,
        }
    }

    /// The directory of the lane in that of the spool.
    fn directory(self, spool: &Path) -> PathBuf {
        match self {
            Self::Paid => spool.to_owned(),
            Self::Free => spool.join("free"),
            Self::Uncounted => spool.join("uncounted"),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct LaneState {
    directory: PathBuf,
    /// None until something is written, so that a start on a full disk writes nothing.
    files: Option<Files>,
    /// The segments, the oldest first.
    pub(super) segments: VecDeque<Segment>,
    /// The file of the newest segment, while it is written to.
    pub(super) active: Option<File>,
    next_number: u64,
    /// The place up to which records have been handed out to be sent.
    pub(super) read: Position,
    pub(super) acked: Position,
    reader: Option<(u64, Arc<File>)>,
    unwritable: Pace,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// Where the first frame stands that is not acked.
    start: u64,
    /// The bytes that hold whole frames.
    pub(super) length: u64,
    /// The number of frames that have not been handed out.
    pub(super) unread: u64,
    /// The number of frames that have been handed out and are not acked. While there are any, the segment stays.
    pub(super) in_flight: u64,
    /// The bytes of each proxy key, of the records that this run has written.
    pub(super) shares: Shares,
}

impl LaneState {
    /// Opens the lane in `spool`, the directory of a spool. One that is not there is made when it is first written to.
    pub(super) fn open(lane: Lane, spool: &Path) -> io::Result<Self> {
        let directory = lane.directory(spool);
        let Some((files, acked)) = Files::open(&directory)? else { return Ok(Self { directory, ..Self::default() }) };
        let mut segments = VecDeque::new();
        let mut next_number = acked.segment + 1;
        for found in files.scan(acked)? {
            next_number = next_number.max(found.number + 1);
            let unread = found.scan.records - found.scan.records_before;
            if found.scan.lost > 0 {
                let (segment, bytes) = (found.number, found.scan.lost);
                warn!(segment, bytes, "the end of a usage segment is cut or damaged; what stands before it is kept");
            }
            if unread == 0 {
                files.remove(found.number);
            } else {
                let start = if found.number == acked.segment { acked.offset } else { 0 };
                let length = found.scan.length;
                segments.push_back(Segment { number: found.number, start, length, unread, ..Segment::default() });
            }
        }
        let files = Some(files);
        Ok(Self { directory, files, segments, next_number, read: acked, acked, ..Self::default() })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// The number of records that have not been acked.
    pub(super) fn records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.unread + segment.in_flight).sum()
    }

    /// Begins a segment, where none is written to.
    pub(super) fn activate(&mut self) -> io::Result<()> {
        if self.active.is_some() {
            return Ok(());
        }
        let files = match &mut self.files {
            Some(files) => files,
            None => self.files.insert(Files::make(&self.directory)?),
        };
        let number = self.next_number.max(1);
        let created = match files.create(number) {
            // Somebody has deleted the directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *files = Files::make(&self.directory)?;
                files.create(number)
            }
            other => other,
        };
        self.active = Some(created?);
        self.next_number = number + 1;
        self.segments.push_back(Segment { number, length: HEADER.len() as u64, ..Segment::default() });
        Ok(())
    }

    /// Takes out the segment at `index` and deletes its file.
    pub(super) fn remove(&mut self, index: usize) -> Option<Segment> {
        let removed = self.segments.remove(index)?;
        if let Some(files) = &self.files {
            files.remove(removed.number);
        }
        Some(removed)
    }

    /// The oldest segment with records that have not been handed out, the place of the first, and the file.
    pub(super) fn next_unread(&mut self) -> io::Result<Option<(u64, Position, Arc<File>)>> {
        let (Some(segment), Some(files)) = (self.segments.iter().find(|segment| segment.unread > 0), &self.files)
        else {
            return Ok(None);
        };
        let mut from = Position { segment: segment.number, offset: segment.start.max(HEADER.len() as u64) };
        if self.read.segment == segment.number {
            from.offset = self.read.offset.max(from.offset);
        }
        let (number, length) = (segment.number, segment.length);
        let file = match &self.reader {
            Some((open, file)) if *open == number => Arc::clone(file),
            _ => {
                let file = Arc::new(files.read(number)?);
                self.reader = Some((number, Arc::clone(&file)));
                file
            }
        };
        Ok(Some((length, from, file)))
    }

    /// Notes that what stands before `place` is acked, and gives the segments that are done with.
    pub(super) fn acked(&mut self, place: Position) -> Vec<Segment> {
        self.acked = self.acked.max(place);
        if let Some(files) = &self.files
            && let Err(error) = files.write_cursor(self.acked)
            && let Some(times) = self.unwritable.note(1)
        {
            warn!(%error, times, "the cursor of the usage spool could not be written; records may be sent again after a restart");
        }
        let mut done = Vec::new();
        while let Some(oldest) = self.segments.front() {
            let active = self.active.is_some() && self.segments.len() == 1;
            let acked = oldest.number < self.acked.segment
                || (oldest.number == self.acked.segment && self.acked.offset >= oldest.length);
            if active || !acked {
                break;
            }
            done.extend(self.remove(0));
        }
        done
    }

    /// Takes the segments of `other`, whose files are renamed: that needs no room on the disk.
    pub(super) fn adopt(&mut self, other: &mut Self) -> io::Result<()> {
        let Some(theirs) = &other.files else { return Ok(()) };
        let files = match &mut self.files {
            Some(files) => files,
            None => self.files.insert(Files::make(&self.directory)?),
        };
        other.active = None;
        other.reader = None;
        // Numbers tell the order, so a segment of this lane that is written to ends before them.
        self.active = None;
        while let Some(segment) = other.segments.front() {
            if segment.unread == 0 {
                theirs.remove(segment.number);
                other.segments.pop_front();
                continue;
            }
            let number = self.next_number.max(1);
            theirs.hand_over(segment.number, files, number)?;
            self.next_number = number + 1;
            let start = if segment.number == other.acked.segment { other.acked.offset } else { segment.start };
            self.segments.extend(other.segments.pop_front().map(|segment| Segment { number, start, ..segment }));
        }
        Ok(())
    }
}
