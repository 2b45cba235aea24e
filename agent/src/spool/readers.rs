//! Who the records are for, and up to which number each has them. A small file for each remembers it over a restart; it
//! is written now and then only, because an older number does no harm: records are sent again, and taken once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often a reader's file is written at most.
const BETWEEN_WRITES: Duration = Duration::from_secs(5);
const SUFFIX: &str = ".reader";

#[derive(Debug)]
pub(super) struct Readers {
    dir: PathBuf,
    /// Numbers count within a spool: a file of another one says nothing.
    spool: String,
    has: BTreeMap<String, Reader>,
}

#[derive(Debug)]
struct Reader {
    up_to: u64,
    written: u64,
    written_at: Option<Instant>,
}

impl Readers {
    pub(super) fn new(dir: &Path, spool: &[u8; 16]) -> Self {
        Self {
            dir: dir.to_owned(),
            spool: spool.iter().map(|byte| format!("{byte:02x}")).collect(),
            has: BTreeMap::new(),
        }
    }

    /// These read from now on, and no others. What was remembered of another is forgotten.
    pub(super) fn set(&mut self, names: &[String]) {
        let gone: Vec<String> = self
            .has
            .keys()
            .filter(|name| !names.contains(name))
            .cloned()
            .collect();
        for name in gone {
            self.has.remove(&name);
            // One that stays does no harm: it is read only for a reader of this name.
            let _ = fs::remove_file(self.path(&name));
        }
        for name in names {
            if !self.has.contains_key(name) {
                let up_to = self.remembered(name).unwrap_or(0);
                let reader = Reader {
                    up_to,
                    written: up_to,
                    written_at: None,
                };
                self.has.insert(name.clone(), reader);
            }
        }
    }

    pub(super) fn has(&self, name: &str) -> u64 {
        self.has.get(name).map_or(0, |reader| reader.up_to)
    }

    /// The reader has all up to this number.
    pub(super) fn advance(&mut self, name: &str, up_to: u64, now: Instant) -> io::Result<()> {
        let path = self.path(name);
        let Some(reader) = self.has.get_mut(name) else {
            return Ok(());
        };
        reader.up_to = reader.up_to.max(up_to);
        let is_soon = |at: Instant| now.saturating_duration_since(at) < BETWEEN_WRITES;
        if reader.written_at.is_some_and(is_soon) {
            return Ok(());
        }
        reader.written_at = Some(now);
        reader.write(&path, &self.spool)
    }

    /// Up to where all have everything; nothing if there are none.
    pub(super) fn all_have(&self) -> Option<u64> {
        self.has.values().map(|reader| reader.up_to).min()
    }

    /// Writes what was not written yet.
    pub(super) fn write(&mut self) {
        let paths: Vec<PathBuf> = self.has.keys().map(|name| self.path(name)).collect();
        for (reader, path) in self.has.values_mut().zip(paths) {
            // An older number only means that records are sent again.
            let _ = reader.write(&path, &self.spool);
        }
    }

    fn remembered(&self, name: &str) -> Option<u64> {
        let text = fs::read_to_string(self.path(name)).ok()?;
        let (spool, number) = text.trim().split_once(' ')?;
        (spool == self.spool).then_some(())?;
        number.parse().ok()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{SUFFIX}"))
    }
}

impl Reader {
    /// Not synced: after a power cut the number may be older, or the file empty.
    fn write(&mut self, path: &Path, spool: &str) -> io::Result<()> {
        if self.written == self.up_to {
            return Ok(());
        }
        let beside = path.with_extension("new");
        fs::write(&beside, format!("{spool} {}\n", self.up_to))?;
        fs::rename(&beside, path)?;
        self.written = self.up_to;
        Ok(())
    }
}
