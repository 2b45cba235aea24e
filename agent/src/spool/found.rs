//! What lies in the spool's directory when it is opened, and where to go on.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::Segment;
use super::segment::{HEADER_BYTES, Header, MAX_READ_BYTES, Scan, list, path, read, scan};

/// What lies in the directory.
pub(super) struct Found {
    pub(super) segments: VecDeque<Segment>,
    /// Of the newest segment, if it is intact.
    pub(super) header: Option<Header>,
    /// Of the newest segment.
    pub(super) scan: Option<Scan>,
    /// The newest intact header of all.
    any_header: Option<Header>,
}

impl Found {
    pub(super) fn in_dir(dir: &Path) -> io::Result<Self> {
        let mut found = Self {
            segments: VecDeque::new(),
            header: None,
            scan: None,
            any_header: None,
        };
        for first in list(dir)? {
            let bytes = std::fs::metadata(path(dir, first))?.len();
            found.header = Header::decode(&read(dir, first, HEADER_BYTES as u64)?);
            found.any_header = found.header.clone().or(found.any_header);
            found.segments.push_back(Segment { first, bytes });
        }
        let oldest = found.any_header.as_ref().map_or(0, |header| header.oldest);
        while let Some(segment) = found.segments.front()
            && segment.first < oldest
        {
            std::fs::remove_file(path(dir, segment.first))?;
            found.segments.pop_front();
        }
        // The newest last. Without its header the place in the journal may stand in a segment before it.
        let mut cursor = None;
        let from = if found.header.is_some() {
            found.segments.len().saturating_sub(1)
        } else {
            0
        };
        for segment in found.segments.iter_mut().skip(from) {
            let bytes = read(dir, segment.first, MAX_READ_BYTES)?;
            let header = Header::decode(&bytes);
            let before = header.and_then(|header| header.cursor).or(cursor);
            let scan = scan(&bytes, segment.first, before);
            cursor = scan.cursor.clone();
            segment.bytes = scan.end as u64;
            found.scan = Some(scan);
        }
        Ok(found)
    }

    /// The header of the segment that is begun at the start: the first of all, or behind one that lost its header.
    pub(super) fn fresh_header(&self, next: u64) -> io::Result<Header> {
        let known = self.any_header.as_ref();
        Ok(Header {
            id: known.map_or_else(random_id, |header| Ok(header.id))?,
            first: next,
            oldest: self.segments.front().map_or(next, |segment| segment.first),
            dropped: known.map_or(0, |header| header.dropped),
            overflows: known.map_or(0, |header| header.overflows),
            cursor: self.scan.as_ref().and_then(|scan| scan.cursor.clone()),
        })
    }
}

fn random_id() -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut id)?;
    Ok(id)
}
