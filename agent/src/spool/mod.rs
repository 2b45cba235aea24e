//! What the agent keeps on disk until a collector has it: numbered records in a few files of bounded size.
//!
//! A record of the journal holds the place in the journal behind it, in the same write. The place where the journal
//! is to be read on is therefore that of the last intact record, and every line is in the spool exactly once, whenever
//! the agent is killed. Numbers count up by one: where one is missing, a record is missing, and a reader is told so.
//!
//! Not here: who reads the journal, and who sends the records on.

mod found;
mod readers;
mod record;
mod segment;
mod taking;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model::fact::spool::SpoolState;
use tokio::sync::watch;

use found::Found;
use readers::Readers;
pub(crate) use record::{JournalGap, MAX_CURSOR_BYTES};
pub use record::{Kind, New, Record};
use record::{MAX_JSON_BYTES, encode, encoded_bytes};
use segment::{HEADER_BYTES, Header};
use taking::{Place, Places, Taking};

/// A smaller spool could not drop its oldest part and keep the rest.
pub const MIN_MAX_BYTES: u64 = 1 << 20;
const MIN_SEGMENT_BYTES: u64 = 128 << 10;
const SEGMENTS: u64 = 16;
const LOCK_ATTEMPTS: u32 = 20;
const BETWEEN_LOCK_ATTEMPTS: Duration = Duration::from_millis(25);

#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("the spool {dir} cannot be opened")]
    Open { dir: PathBuf, source: io::Error },
    #[error("the spool {dir} is in use: another agent runs here")]
    InUse { dir: PathBuf },
    #[error("the spool {dir} cannot be written")]
    Write { dir: PathBuf, source: io::Error },
    #[error("the spool {dir} cannot be read")]
    Read { dir: PathBuf, source: io::Error },
}

/// What a reader is given, in the order of the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Record(Record),
    /// Records that are not there any more: dropped because the spool was full, damaged, or acknowledged before.
    Missing {
        from: u64,
        to: u64,
        count: u64,
    },
}

#[derive(Debug)]
struct Segment {
    first: u64,
    bytes: u64,
}

/// The spool, open and locked.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    /// Held as long as the spool is open.
    _lock: File,
    max_bytes: u64,
    segment_bytes: u64,
    /// Oldest first; the last one is being written.
    segments: VecDeque<Segment>,
    newest: File,
    id: [u8; 16],
    next: u64,
    cursor: Option<String>,
    /// All readers have everything up to this number.
    acknowledged: u64,
    readers: Readers,
    places: Places,
    /// Tells the number of the next record whenever there are new ones.
    grown: watch::Sender<u64>,
    /// A write failed and could not be taken back: it is cut off before the next.
    needs_cut: bool,
    dropped: u64,
    overflows: u64,
    damaged: u64,
    cut: u64,
    left_out: u64,
    not_written: Option<String>,
}

impl Spool {
    /// Opens the spool, or makes it. `max_bytes` is taken for [`MIN_MAX_BYTES`] where it is less.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::Open {
            dir: dir.to_owned(),
            source,
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(dir).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(dir.join("lock")).map_err(failed)?;
        take(&lock).map_err(|error| match error {
            TryLockError::WouldBlock => SpoolError::InUse {
                dir: dir.to_owned(),
            },
            TryLockError::Error(source) => failed(source),
        })?;
        Self::found(dir, lock, max_bytes.max(MIN_MAX_BYTES)).map_err(failed)
    }

    fn found(dir: &Path, lock: File, max_bytes: u64) -> io::Result<Self> {
        let found = Found::in_dir(dir)?;
        let next = found.scan.as_ref().map_or(1, |scan| scan.next);
        let newest = match (&found.header, found.segments.back()) {
            (Some(_), Some(newest)) => OpenOptions::new()
                .read(true)
                .write(true)
                .open(segment::path(dir, newest.first))?,
            _ => segment::create(dir, &found.fresh_header(next)?)?,
        };
        let header = match &found.header {
            Some(header) => header.clone(),
            None => segment::read(dir, next, HEADER_BYTES as u64)
                .map(|bytes| Header::decode(&bytes))?
                .ok_or_else(|| io::Error::other("what was written is not there"))?,
        };
        let mut spool = Self {
            dir: dir.to_owned(),
            _lock: lock,
            max_bytes,
            segment_bytes: (max_bytes / SEGMENTS).max(MIN_SEGMENT_BYTES),
            segments: found.segments,
            newest,
            id: header.id,
            next,
            cursor: found
                .scan
                .as_ref()
                .map_or(header.cursor, |scan| scan.cursor.clone()),
            acknowledged: 0,
            readers: Readers::new(dir, &header.id),
            places: Places::default(),
            grown: watch::Sender::new(next),
            needs_cut: false,
            dropped: header.dropped,
            overflows: header.overflows,
            damaged: found.scan.as_ref().map_or(0, |scan| scan.damaged),
            cut: 0,
            left_out: 0,
            not_written: None,
        };
        if found.header.is_none() {
            // One that held no record has been made anew in its own place.
            spool.segments.pop_back_if(|newest| newest.first == next);
            spool.segments.push_back(Segment {
                first: next,
                bytes: HEADER_BYTES as u64,
            });
        } else if let Some(scan) = found.scan {
            spool.cut = scan.cut;
            spool.needs_cut = scan.cut > 0;
            // On a disk that cannot be written this is tried again before the next write.
            let mut begun = spool.cut_off();
            if scan.is_number_lost {
                // The name of the next segment remembers that the number is not free.
                begun = begun.and_then(|()| spool.begin_segment());
            }
            spool.not_written = begun.err().map(|error| error.to_string());
        }
        Ok(spool)
    }

    /// Where the journal is to be read on.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The number that the next record will have.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// Writes records and syncs them once a segment: when it returns `Ok` they are on the disk. After an error
    /// [`Self::cursor`] and [`Self::next_number`] say how far it came.
    pub fn append(&mut self, records: &[New]) -> Result<(), SpoolError> {
        let written = self.try_append(records);
        self.not_written = written.as_ref().err().map(io::Error::to_string);
        self.grown.send_replace(self.next);
        written.map_err(|source| SpoolError::Write {
            dir: self.dir.clone(),
            source,
        })
    }

    fn try_append(&mut self, records: &[New]) -> io::Result<()> {
        let mut rest = records;
        while !rest.is_empty() {
            self.cut_off()?;
            let room = self.segment_bytes.saturating_sub(self.newest_bytes());
            let (mut bytes, mut next, mut cursor) = (Vec::new(), self.next, None);
            while let Some((record, behind)) = rest.split_first() {
                let (record, is_left_out) = bounded(record);
                if (bytes.len() + encoded_bytes(&record)) as u64 > room {
                    break;
                }
                self.left_out += u64::from(is_left_out);
                encode(next, &record, &mut bytes);
                next += 1;
                cursor = record.cursor.clone().or(cursor);
                rest = behind;
            }
            if bytes.is_empty() {
                self.begin_segment()?;
                continue;
            }
            self.write(&bytes)?;
            self.next = next;
            self.cursor = cursor.or(self.cursor.take());
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let at = self.newest_bytes();
        let written = self
            .newest
            .write_all_at(bytes, at)
            .and_then(|()| self.newest.sync_data());
        if let Err(error) = written {
            self.needs_cut = true;
            // If it cannot be done now, it is tried again before the next write; what the write left is whole
            // records and perhaps a torn one, so a restart in between finds nothing wrong.
            let _ = self.cut_off();
            return Err(error);
        }
        if let Some(newest) = self.segments.back_mut() {
            newest.bytes += bytes.len() as u64;
        }
        Ok(())
    }

    fn cut_off(&mut self) -> io::Result<()> {
        if self.needs_cut {
            self.newest.set_len(self.newest_bytes())?;
            self.newest.sync_data()?;
            self.needs_cut = false;
        }
        Ok(())
    }

    fn newest_bytes(&self) -> u64 {
        self.segments.back().map_or(0, |newest| newest.bytes)
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The first number behind the oldest segment: where the second one begins.
    fn second(&self) -> u64 {
        self.segments
            .get(1)
            .map_or(self.next, |segment| segment.first)
    }

    /// Begins a new segment; where that would be too much, the oldest go.
    fn begin_segment(&mut self) -> io::Result<()> {
        let (mut bytes, mut goes, mut oldest, mut lost) = (self.bytes(), 0, self.oldest(), 0);
        for (index, segment) in self.segments.iter().enumerate() {
            if bytes + self.segment_bytes <= self.max_bytes {
                break;
            }
            let behind = self
                .segments
                .get(index + 1)
                .map_or(self.next, |next| next.first);
            lost += behind.saturating_sub(segment.first.max(self.acknowledged + 1));
            bytes = bytes.saturating_sub(segment.bytes);
            (goes, oldest) = (index + 1, behind);
        }
        // The new header says what was dropped before it is dropped: a kill in between changes nothing.
        let header = Header {
            id: self.id,
            first: self.next,
            oldest,
            dropped: self.dropped + lost,
            overflows: self.overflows + u64::from(lost > 0),
            cursor: self.cursor.clone(),
        };
        self.newest = segment::create(&self.dir, &header)?;
        self.segments.push_back(Segment {
            first: self.next,
            bytes: HEADER_BYTES as u64,
        });
        (self.dropped, self.overflows) = (header.dropped, header.overflows);
        for _ in 0..goes {
            self.remove_oldest()?;
        }
        Ok(())
    }

    fn remove_oldest(&mut self) -> io::Result<()> {
        if let Some(segment) = self.segments.front() {
            match std::fs::remove_file(segment::path(&self.dir, segment.first)) {
                // What somebody else has removed does not hold up what is behind it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
            self.segments.pop_front();
        }
        Ok(())
    }

    fn oldest(&self) -> u64 {
        self.segments
            .front()
            .map_or(self.next, |segment| segment.first)
    }

    /// 16 random bytes, made with the spool: numbers count within it.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// The first number that is still there, or the next one if there is none.
    pub fn first_number(&self) -> u64 {
        self.oldest()
    }

    /// Tells the number of the next record whenever there are new ones.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// The records are for these readers, and nobody else; each is known by a name that can be a file's. Without any,
    /// all is kept until the spool is full.
    pub fn read_by(&mut self, names: &[String]) -> Result<(), SpoolError> {
        self.readers.set(names);
        self.free_acknowledged()
    }

    /// Up to which number this reader has everything, as far as it is remembered.
    pub fn acknowledged_by(&self, reader: &str) -> u64 {
        self.readers.has(reader)
    }

    /// The reader has all up to this number. Whole segments that all readers have are freed; the last one stays, and
    /// with it the place in the journal.
    pub fn acknowledge(
        &mut self,
        reader: &str,
        up_to: u64,
        now: Instant,
    ) -> Result<(), SpoolError> {
        let last = self.next.saturating_sub(1);
        let remembered = self.readers.advance(reader, up_to.min(last), now);
        self.free_acknowledged()?;
        remembered.map_err(|source| self.not_writable(source))
    }

    fn free_acknowledged(&mut self) -> Result<(), SpoolError> {
        let last = self.next.saturating_sub(1);
        self.acknowledged = self.readers.all_have().unwrap_or(0).min(last);
        while self.segments.len() > 1 && self.second() <= self.acknowledged + 1 {
            self.remove_oldest()
                .map_err(|source| self.not_writable(source))?;
        }
        Ok(())
    }

    fn not_writable(&self, source: io::Error) -> SpoolError {
        SpoolError::Write {
            dir: self.dir.clone(),
            source,
        }
    }

    /// The records from a number on, at most `limit` items. What is missing before, between and behind them is said.
    pub fn read_from(&mut self, number: u64, limit: usize) -> Result<Vec<Item>, SpoolError> {
        let mut taking = Taking::new(number, limit);
        let known = self.places.of(taking.expected);
        let mut reached = None;
        for (index, segment) in self.segments.iter().enumerate() {
            let behind = self
                .segments
                .get(index + 1)
                .map_or(self.next, |next| next.first);
            if taking.is_full() {
                break;
            }
            if behind <= taking.expected || segment.bytes <= HEADER_BYTES as u64 {
                continue;
            }
            let taken = taking.take_from(&self.dir, segment, known);
            let at = taken.map_err(|source| SpoolError::Read {
                dir: self.dir.clone(),
                source,
            })?;
            reached = Some((segment.first, at));
        }
        taking.skip_to(self.next);
        if let Some((segment, at)) = reached {
            self.places.keep(Place {
                number: taking.expected,
                segment,
                at,
            });
        }
        Ok(taking.items)
    }

    pub fn state(&self) -> SpoolState {
        let (first, last) = (self.oldest(), self.next.saturating_sub(1));
        let has_any = first <= last;
        SpoolState {
            id: self.id.iter().map(|byte| format!("{byte:02x}")).collect(),
            first: has_any.then_some(first),
            last: has_any.then_some(last),
            bytes: self.bytes(),
            max_bytes: self.max_bytes,
            records_dropped: self.dropped,
            overflows: self.overflows,
            records_damaged: self.damaged,
            bytes_cut: self.cut,
            records_left_out: self.left_out,
            not_written: self.not_written.clone(),
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.readers.write();
    }
}

/// Locks for this process alone. A process that an agent was just starting when it was killed has the lock for a
/// moment more, so it is tried for a while.
fn take(lock: &File) -> Result<(), TryLockError> {
    for _ in 1..LOCK_ATTEMPTS {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_LOCK_ATTEMPTS),
            taken => return taken,
        }
    }
    lock.try_lock()
}

/// A record within its bounds, and whether its text had to be left out.
fn bounded(record: &New) -> (New, bool) {
    let mut record = record.clone();
    if record
        .cursor
        .as_ref()
        .is_some_and(|cursor| cursor.len() > MAX_CURSOR_BYTES)
    {
        record.cursor = None;
    }
    let is_too_long = record.json.len() > MAX_JSON_BYTES;
    if is_too_long {
        record.json = format!(r#"{{"left_out_bytes":{}}}"#, record.json.len());
    }
    (record, is_too_long)
}
