//! One look at the journal: journalctl is run from the place reached, and what it prints is told and kept.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use model::fact::journal::JournalEvent;
use model::parse::journal::{One, one, programs};
use nix::time::{ClockId, clock_gettime};

use super::cursor::Cursor;
use super::shown::Shown;
use super::{Settings, SharedSpool, Start, locked, pace};
use crate::host::changes::listing;
use crate::host::said;
use crate::host::stream::{LeftBehind, Stream};
use crate::source::journal::take_line;
use crate::spool::{JournalGap, Kind, New};

const JOURNALCTL: &str = "/usr/bin/journalctl";
/// The fields that are read; the others are not even printed.
const FIELDS: &str = "_HOSTNAME,_TRANSPORT,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,_COMM,UNIT,_PID,SYSLOG_PID,PRIORITY,MESSAGE";
/// How many entries of this boot are read where there is no place to go on from.
const FIRST_ENTRIES: &str = "5000";
/// What is written at once: a long backlog is never in memory as a whole.
const MAX_BATCH_RECORDS: usize = 2_000;
const MAX_BATCH_BYTES: usize = 256 << 10;
/// After so many entries that mean nothing the place is kept all the same, so that they are not read again.
const MAX_PASSED: u64 = 5_000;
/// journalctl that says nothing for so long has failed.
const SILENCE: Duration = Duration::from_secs(20);
/// How often journalctl is asked in one look, and how long to wait in between, while the journal's files move or the
/// place is not found.
const ATTEMPTS: u32 = 4;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);
/// An entry from further in the future than this is not waited for: no clock explains it.
const MAX_AHEAD_US: u64 = 60_000_000;

/// From where to read.
#[derive(Debug, Clone)]
enum From {
    /// This boot's newest entries.
    Boot,
    /// Only the newest entry, for its place.
    Newest,
    Place(Cursor),
    /// This boot's newest entries, if it is another boot than that of the place, which is gone.
    OtherBoot(Cursor),
}

/// What became of one run of journalctl.
enum Run {
    /// All was read; or there is more, to be read later.
    Done {
        again: bool,
    },
    Absent,
    /// The journal's files changed while they were being opened.
    FilesMoved,
    /// The entry of the place is not there; is there anything behind it?
    PlaceGone {
        any: bool,
    },
}

/// What is done with the next line.
enum Next {
    Line,
    Later,
    Stop(Run),
}

/// Knows the place reached.
#[derive(Debug)]
pub(super) struct Looker {
    settings: Settings,
    spool: Option<SharedSpool>,
    shown: Arc<Mutex<Shown>>,
    boot_id: String,
    /// The last entry told.
    seen: Option<Cursor>,
    from_now: bool,
    /// Since when writing fails and how often: until `retry_at` entries are only told.
    failures: u32,
    retry_at: Option<Instant>,
    batch: Vec<New>,
    batch_bytes: usize,
    passed: u64,
    /// Lines since the last entry: they have no place, and count once the entry behind them gives them one.
    unreadable: u64,
    too_long: u64,
    left_behind: LeftBehind,
}

/// One run, while it goes on.
struct Pass<'a> {
    from: From,
    /// The place was looked for before, and not found.
    is_gone: bool,
    is_first: bool,
    /// The spool is behind what was told: entries up to `seen` are written, and not told again.
    is_catching_up: bool,
    is_storing: bool,
    started_us: u64,
    noticed: Instant,
    on_event: &'a mut dyn FnMut(&JournalEvent, Instant),
}

impl Looker {
    pub(super) fn new(settings: Settings, start: Start, shown: Arc<Mutex<Shown>>) -> Self {
        let from_now = matches!(start, Start::Now);
        let spool = match start {
            Start::Spool(spool) => Some(spool),
            Start::Boot | Start::Now => None,
        };
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let mut looker = Self {
            settings,
            spool,
            shown,
            boot_id: boot_id.unwrap_or_default().trim().to_owned(),
            seen: None,
            from_now,
            failures: 0,
            retry_at: None,
            batch: Vec::new(),
            batch_bytes: 0,
            passed: 0,
            unreadable: 0,
            too_long: 0,
            left_behind: LeftBehind::default(),
        };
        looker.seen = looker.stored();
        looker
    }

    pub(super) fn shown(&self) -> Arc<Mutex<Shown>> {
        Arc::clone(&self.shown)
    }

    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        self.settings.dirs()
    }

    /// How long until writing to the spool is tried again.
    pub(super) fn until_retry(&self) -> Duration {
        let now = Instant::now();
        let left = |at: Instant| at.saturating_duration_since(now);
        self.retry_at.map_or(Duration::MAX, left)
    }

    fn stored(&self) -> Option<Cursor> {
        let spool = self.spool.as_ref()?;
        Cursor::read(locked(spool).cursor()?)
    }

    /// Reads all that is new. Is there more, to be looked for without being woken?
    pub(super) fn look(
        &mut self,
        noticed: Instant,
        on_event: &mut dyn FnMut(&JournalEvent, Instant),
    ) -> Result<bool, String> {
        let is_retry = self.retry_at.is_some_and(|at| at <= Instant::now());
        let place = if is_retry {
            self.stored()
        } else {
            self.seen.clone()
        };
        let mut pass = Pass {
            from: match place {
                Some(place) => From::Place(place),
                None if self.from_now => From::Newest,
                None => From::Boot,
            },
            is_gone: false,
            is_first: true,
            is_catching_up: is_retry,
            is_storing: self.spool.is_some() && (is_retry || self.retry_at.is_none()),
            started_us: 0,
            noticed,
            on_event,
        };
        let mut done = None;
        for _ in 0..ATTEMPTS {
            match self.run(&mut pass)? {
                Run::Absent => {
                    locked(&self.shown).absent();
                    return Ok(false);
                }
                Run::Done { again } => {
                    done = Some(again);
                    break;
                }
                Run::FilesMoved => sleep(BETWEEN_ATTEMPTS),
                Run::PlaceGone { any } => {
                    self.place_gone(&mut pass, any);
                    sleep(BETWEEN_ATTEMPTS);
                }
            }
        }
        let Some(again) = done else {
            let why = "the journal's files did not hold still while they were being opened";
            locked(&self.shown).remark(why.to_owned());
            return Ok(true);
        };
        if pass.is_storing {
            self.failures = 0;
            self.retry_at = None;
            locked(&self.shown).not_stored(None);
        }
        self.from_now = false;
        locked(&self.shown).known();
        Ok(again)
    }

    /// journalctl may have missed a file once; a place is gone when it was not found twice.
    fn place_gone(&mut self, pass: &mut Pass<'_>, any: bool) {
        if let (true, false, From::Place(place)) = (pass.is_gone, any, &pass.from) {
            let why = "the last entry read is gone from the journal, and none is behind it";
            locked(&self.shown).remark(why.to_owned());
            pass.from = From::OtherBoot(place.clone());
        }
        pass.is_gone = true;
    }

    fn args(&self, from: &From) -> Vec<String> {
        let mut args = vec!["-o", "json", "--no-pager", "--output-fields", FIELDS];
        let place = match from {
            From::Place(place) => format!("--cursor={}", place.text()),
            From::Boot | From::OtherBoot(_) => {
                args.extend(["-n", FIRST_ENTRIES]);
                "-b".to_owned()
            }
            From::Newest => {
                args.extend(["-n", "1"]);
                "-b".to_owned()
            }
        };
        let mut args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        args.extend(self.settings.args());
        args.push(place);
        for program in programs() {
            args.extend(["-t".to_owned(), program.to_owned()]);
        }
        args
    }

    fn run(&mut self, pass: &mut Pass<'_>) -> Result<Run, String> {
        let failed = |error: &dyn std::error::Error| format!("{JOURNALCTL}: {}", said(error));
        let dirs = self.dirs();
        let before = listing(&dirs);
        pass.is_first = true;
        (self.unreadable, self.too_long) = (0, 0);
        locked(&self.shown).comes_on();
        pass.started_us = monotonic_us();
        let started = Stream::start(
            JOURNALCTL,
            &self.args(&pass.from),
            SILENCE,
            &self.left_behind,
        );
        let Some(mut stream) = started.map_err(|error| failed(&error))? else {
            return Ok(Run::Absent);
        };
        let (mut line, mut are_files_checked) = (Vec::new(), false);
        loop {
            let taken = take_line(&mut stream.lines, &mut line);
            let (ended, whole) = match taken {
                Ok(taken) => taken,
                Err(error) => {
                    self.write(pass);
                    return Err(failed(&error));
                }
            };
            locked(&self.shown).comes_on();
            if !are_files_checked && listing(&dirs) != before {
                return Ok(Run::FilesMoved);
            }
            are_files_checked = true;
            if !whole {
                self.too_long += 1;
            } else if line.starts_with(b"{") {
                match self.line(&String::from_utf8_lossy(&line), pass) {
                    Next::Line => {}
                    Next::Later => {
                        self.write(pass);
                        return Ok(Run::Done { again: true });
                    }
                    Next::Stop(run) => return Ok(run),
                }
            }
            if ended {
                break;
            }
        }
        self.write(pass);
        locked(&self.shown).comes_on();
        let ended = stream.ended().map_err(|error| failed(&error))?;
        if ended.complaint.contains("No journal files were") && !self.has_journald() {
            return Ok(Run::Absent);
        }
        if !ended.well {
            return Err(format!("{JOURNALCTL}: {} ({})", ended.complaint, ended.how));
        }
        locked(&self.shown).complaint(ended.complaint);
        if pass.is_first && matches!(pass.from, From::Place(_)) {
            return Ok(Run::PlaceGone { any: false });
        }
        Ok(Run::Done { again: false })
    }

    fn has_journald(&self) -> bool {
        self.settings.directory.is_some() || Path::new("/run/systemd/system").exists()
    }

    fn line(&mut self, line: &str, pass: &mut Pass<'_>) -> Next {
        let entry = match one(line) {
            Ok(entry) => entry,
            Err(error) => {
                self.unreadable += 1;
                locked(&self.shown).remark(said(&error));
                return Next::Line;
            }
        };
        let Some(cursor) = entry.cursor.as_deref().and_then(Cursor::read) else {
            let why = "an entry has no place in the journal that can be read";
            self.unreadable += 1;
            locked(&self.shown).remark(why.to_owned());
            return Next::Line;
        };
        let ahead_us = cursor.monotonic_us().saturating_sub(pass.started_us);
        // The newest one is only a place: without it the next look would tell all of this boot as new.
        let is_taken = !matches!(pass.from, From::Newest);
        let is_ahead = ahead_us > 0 && ahead_us < MAX_AHEAD_US;
        if is_taken && is_ahead && cursor.is_of_boot(&self.boot_id) {
            return Next::Later;
        }
        let is_first = std::mem::take(&mut pass.is_first);
        match &pass.from {
            From::Newest => {
                self.seen = Some(cursor);
                return Next::Line;
            }
            From::Place(place) if place.names_the_same(&cursor) => return Next::Line,
            From::Place(_) if is_first && !pass.is_gone => {
                return Next::Stop(Run::PlaceGone { any: true });
            }
            From::OtherBoot(place) if cursor.is_of_boot(place.boot()) => {
                return Next::Stop(Run::Done { again: false });
            }
            From::Place(place) | From::OtherBoot(place) if is_first => {
                let (from, to) = (place.time(), cursor.time());
                self.gap(&JournalGap {
                    from,
                    to,
                    count: None,
                });
            }
            From::Boot | From::Place(_) | From::OtherBoot(_) => {}
        }
        self.take(entry, cursor, pass);
        Next::Line
    }

    fn take(&mut self, entry: One, cursor: Cursor, pass: &mut Pass<'_>) {
        let seen = self.seen.as_ref().filter(|_| pass.is_catching_up);
        let is_new = seen.is_none_or(|seen| cursor.is_behind(seen));
        if self.unreadable + self.too_long > 0 {
            self.passed_over(&cursor, is_new, pass.is_storing);
        }
        if is_new {
            if let Some(event) = &entry.event {
                (pass.on_event)(event, pass.noticed);
            }
            let mut shown = locked(&self.shown);
            if let Some(why) = entry.unread {
                shown.remark(why);
            }
            shown.entry(entry.time, entry.event.clone());
        }
        if pass.is_storing {
            self.keep(entry.event, &cursor);
        }
        if is_new {
            self.seen = Some(cursor);
        }
        if self.batch.len() >= MAX_BATCH_RECORDS || self.batch_bytes >= MAX_BATCH_BYTES {
            self.write(pass);
        }
    }

    /// The lines before this entry that could not be read are counted, and are a gap for the spool's readers.
    fn passed_over(&mut self, behind: &Cursor, is_new: bool, is_storing: bool) {
        let (unreadable, too_long) = (self.unreadable, self.too_long);
        (self.unreadable, self.too_long) = (0, 0);
        if is_new {
            locked(&self.shown).passed_over(unreadable, too_long);
        }
        if is_storing {
            let before = self.seen.as_ref().filter(|_| is_new);
            let gap = JournalGap {
                from: before.and_then(Cursor::time),
                to: behind.time(),
                count: Some(unreadable + too_long),
            };
            self.push_gap(&gap);
            // The place behind it is kept with it in any case, so that it is not written again.
            self.passed = MAX_PASSED;
        }
    }

    fn keep(&mut self, event: Option<JournalEvent>, cursor: &Cursor) {
        let (kind, json) = match event {
            Some(mut event) => {
                // The record holds it.
                event.cursor = None;
                // An event is plain text and numbers: there is nothing in it that JSON cannot say.
                let json = serde_json::to_string(&event).unwrap_or_default();
                (Kind::Journal, json)
            }
            None => {
                self.passed += 1;
                if self.passed < MAX_PASSED {
                    return;
                }
                (Kind::Passed, String::new())
            }
        };
        self.passed = 0;
        self.push(New {
            kind,
            cursor: Some(cursor.text().to_owned()),
            json,
        });
    }

    /// A stretch that nobody has read is said, and kept with what comes behind it.
    fn gap(&mut self, gap: &JournalGap) {
        let time = |time: Option<jiff::Timestamp>| {
            time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
        };
        let why = format!(
            "the journal from {} to {} was gone before it was read",
            time(gap.from),
            time(gap.to)
        );
        locked(&self.shown).remark(why);
        if self.spool.is_some() {
            self.push_gap(gap);
        }
    }

    fn push_gap(&mut self, gap: &JournalGap) {
        self.push(New {
            kind: Kind::Gap,
            cursor: None,
            json: serde_json::to_string(gap).unwrap_or_default(),
        });
    }

    fn push(&mut self, record: New) {
        self.batch_bytes += record.json.len();
        self.batch.push(record);
    }

    /// Writes what was collected. If that fails, the place stays where it was, and all behind it is read again when
    /// writing is next tried.
    fn write(&mut self, pass: &mut Pass<'_>) {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let Some(spool) = self.spool.as_ref().filter(|_| pass.is_storing) else {
            return;
        };
        if batch.is_empty() {
            return;
        }
        let written = locked(spool).append(&batch);
        if let Err(error) = written {
            let why = format!("the journal is not kept: {}", said(&error));
            locked(&self.shown).not_stored(Some(why));
            pass.is_storing = false;
            self.failures += 1;
            self.retry_at = Some(Instant::now() + pace::backoff(self.failures));
        }
    }
}

/// The clock that journald stamps its entries with.
fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
    now.map_or(u64::MAX, |now| {
        u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
    })
}
