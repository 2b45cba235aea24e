//! One file of the spool: a header, then records. The header holds what must survive when all records before it are
//! gone: the spool's id and the place in the journal.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::record::{MAX_CURSOR_BYTES, Step, checksum, find_intact, le_u32, le_u64, step};

pub(super) const HEADER_BYTES: usize = 1024;
/// A segment is never longer than this, whatever its length says: it is read into memory.
pub(super) const MAX_READ_BYTES: u64 = 64 << 20;
const MAGIC: &[u8; 8] = b"QUORSPL1";
const SUFFIX: &str = ".segment";
const FIXED_BYTES: usize = 58;

/// What a segment begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: [u8; 16],
    /// The number of its first record.
    pub(super) first: u64,
    /// The oldest record that was to be kept when the segment was made: older segments are to go.
    pub(super) oldest: u64,
    pub(super) dropped: u64,
    pub(super) overflows: u64,
    /// Of the last journal record before this segment.
    pub(super) cursor: Option<String>,
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let cursor = self.cursor.as_deref().unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.id);
        for number in [self.first, self.oldest, self.dropped, self.overflows] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let length = u16::try_from(cursor.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(cursor.as_bytes());
        bytes.resize(HEADER_BYTES - 4, 0);
        bytes.extend_from_slice(&checksum(&[&bytes]).to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, stated) = bytes
            .get(..HEADER_BYTES)?
            .split_at_checked(HEADER_BYTES - 4)?;
        if checksum(&[body]) != le_u32(stated)? || !body.starts_with(MAGIC) {
            return None;
        }
        let number = |at: usize| le_u64(body.get(at..)?);
        let length = usize::from(u16::from_le_bytes(body.get(56..58)?.try_into().ok()?));
        let cursor = body.get(FIXED_BYTES..FIXED_BYTES + length.min(MAX_CURSOR_BYTES))?;
        let cursor = String::from_utf8(cursor.to_vec()).ok()?;
        Some(Self {
            id: body.get(8..24)?.try_into().ok()?,
            first: number(24)?,
            oldest: number(32)?,
            dropped: number(40)?,
            overflows: number(48)?,
            cursor: Some(cursor).filter(|cursor| !cursor.is_empty()),
        })
    }
}

pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}{SUFFIX}"))
}

/// The first numbers of all segments of a directory, in order. What a kill left half made is removed.
pub(super) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".new") {
            std::fs::remove_file(dir.join(name.as_ref()))?;
        } else if let Some(first) = name.strip_suffix(SUFFIX) {
            firsts.extend(first.parse::<u64>());
        }
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Makes a segment that is either whole or not there: written beside its place, synced, and moved there.
pub(super) fn create(dir: &Path, header: &Header) -> io::Result<File> {
    let place = path(dir, header.first);
    let beside = place.with_extension("new");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    let made = file
        .write_all(&header.encode())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&beside, &place))
        .and_then(|()| File::open(dir)?.sync_all());
    if made.is_err() {
        // What cannot be removed now is removed at the next start.
        let _ = std::fs::remove_file(&beside);
    }
    made.map(|()| file)
}

pub(super) fn read(dir: &Path, first: u64, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path(dir, first))?;
    file.take(max_bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the newest segment holds, as it was found.
#[derive(Debug)]
pub(super) struct Scan {
    /// The number of the next record.
    pub(super) next: u64,
    /// Where it is to be written.
    pub(super) end: usize,
    pub(super) cursor: Option<String>,
    pub(super) damaged: u64,
    pub(super) cut: u64,
    /// A number was passed over at the end.
    pub(super) is_number_lost: bool,
}

pub(super) fn scan(bytes: &[u8], first: u64, cursor: Option<String>) -> Scan {
    let mut scan = Scan {
        next: first,
        end: HEADER_BYTES,
        cursor,
        damaged: 0,
        cut: 0,
        is_number_lost: false,
    };
    loop {
        match step(bytes, scan.end) {
            Step::Record { record, next } => {
                scan.next = record.number.saturating_add(1);
                scan.cursor = record.cursor.or(scan.cursor);
                scan.end = next;
            }
            Step::End => return scan,
            Step::Torn | Step::Damaged => {
                let last = scan.next.saturating_sub(1);
                let Some(intact) = find_intact(bytes, scan.end, last) else {
                    break;
                };
                scan.damaged += 1;
                scan.end = intact;
            }
        }
    }
    if matches!(step(bytes, scan.end), Step::Damaged) {
        // It may have been whole once and somebody may have it: its number is not given to another record.
        scan.damaged += 1;
        scan.next = scan.next.saturating_add(1);
        scan.is_number_lost = true;
    }
    scan.cut = bytes.len().saturating_sub(scan.end) as u64;
    scan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written_or_not_at_all() {
        let header = Header {
            id: [7; 16],
            first: 3,
            oldest: 2,
            dropped: 1,
            overflows: 1,
            cursor: Some("s=1;i=2".to_owned()),
        };
        let mut bytes = header.encode();
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(Header::decode(&bytes), Some(header));
        bytes[60] ^= 1;
        assert_eq!(Header::decode(&bytes), None);
        assert_eq!(Header::decode(&bytes[..99]), None);
    }
}
