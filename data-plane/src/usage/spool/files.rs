//! The files of a spool.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use crate::usage::segment::{HEADER, Scan, scan};

const SUFFIX: &str = ".segment";

/// The bytes of the cursor: segment (u64), offset (u64), CRC-32 of both (u32), in little-endian.
const CURSOR_LENGTH: usize = 20;

/// A place in the spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::usage) struct Position {
    /// The number of the segment.
    pub(in crate::usage) segment: u64,
    /// The byte in its file.
    pub(in crate::usage) offset: u64,
}

/// The directory of the segments, with the cursor file.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    cursor: File,
}

/// A segment file that was there at the start.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) scan: Scan,
}

impl Files {
    /// Opens `directory`, and reads from the cursor up to where records are acked. None where it is not there.
    pub(super) fn open(directory: &Path) -> io::Result<Option<(Self, Position)>> {
        if !directory.try_exists()? {
            return Ok(None);
        }
        let files = Self::make(directory)?;
        let acked = read_cursor(&files.cursor);
        Ok(Some((files, acked)))
    }

    /// Opens `directory`, and makes what is missing.
    pub(super) fn make(directory: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let cursor = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join("acked"))?;
        Ok(Self { directory: directory.to_owned(), cursor })
    }

    /// All segment files, the oldest first. In each, the frames up to `acked` are counted apart. Files that are no
    /// segments of this version are put aside.
    pub(super) fn scan(&self, acked: Position) -> io::Result<Vec<Found>> {
        let mut numbers: Vec<u64> = fs::read_dir(&self.directory)?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(SUFFIX)?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let mut found = Vec::with_capacity(numbers.len());
        for number in numbers {
            let bytes = fs::read(self.path(number))?;
            let place = match number.cmp(&acked.segment) {
                std::cmp::Ordering::Less => u64::MAX,
                std::cmp::Ordering::Equal => acked.offset,
                std::cmp::Ordering::Greater => 0,
            };
            match scan(&bytes, place) {
                Some(scan) => found.push(Found { number, scan }),
                // The file ends before its header does: there was no record in it yet.
                None if HEADER.starts_with(&bytes) => self.remove(number),
                None => {
                    error!(segment = number, bytes = bytes.len(), "a usage segment is not of this version; put aside");
                    fs::rename(self.path(number), self.path(number).with_extension("unreadable"))?;
                }
            }
        }
        Ok(found)
    }

    /// Makes a segment file that holds its header and nothing else.
    pub(super) fn create(&self, number: u64) -> io::Result<File> {
        let path = self.path(number);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all_at(&HEADER, 0)?;
        Ok(file)
    }

    pub(super) fn read(&self, number: u64) -> io::Result<File> {
        File::open(self.path(number))
    }

    pub(super) fn remove(&self, number: u64) {
        if let Err(error) = fs::remove_file(self.path(number)) {
            warn!(%error, segment = number, "a usage segment could not be deleted");
        }
    }

    /// Moves the segment `number` to `other`, where it is `new`.
    pub(super) fn hand_over(&self, number: u64, other: &Self, new: u64) -> io::Result<()> {
        fs::rename(self.path(number), other.path(new))
    }

    pub(super) fn write_cursor(&self, acked: Position) -> io::Result<()> {
        let mut bytes = [0; CURSOR_LENGTH];
        bytes[..8].copy_from_slice(&acked.segment.to_le_bytes());
        bytes[8..16].copy_from_slice(&acked.offset.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..16]);
        bytes[16..].copy_from_slice(&checksum.to_le_bytes());
        self.cursor.write_all_at(&bytes, 0)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:020}{SUFFIX}"))
    }
}

/// Reads the cursor. Where it cannot be read, everything counts as not acked: sending it again is harmless.
fn read_cursor(file: &File) -> Position {
    let mut bytes = [0; CURSOR_LENGTH];
    if file.read_exact_at(&mut bytes, 0).is_err() {
        return Position::default();
    }
    let number = |range: std::ops::Range<usize>| {
        bytes.get(range).and_then(|part| part.try_into().ok()).map(u64::from_le_bytes).unwrap_or_default()
    };
    let checksum = crc32fast::hash(&bytes[..16]);
    if checksum.to_le_bytes() != bytes[16..] {
        warn!("the cursor of the usage spool is damaged; all records on disk are sent again");
        return Position::default();
    }
    Position { segment: number(0..8), offset: number(8..16) }
}
