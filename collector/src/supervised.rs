//! What systemd is told of the running collector, and when it is given no sign of life any more, so that it starts the
//! collector anew.
//!
//! A new start mends what hangs in the program: a keeper that takes no turn, threads that all wait for each other, a
//! keeper or a ledger's writer that has ended. It mends no disk: a collector on a disk that is full, slow or stands still goes on
//! watching, and that is worth more than one that waits for the disk at its start. So the ledger's writer is taken to hang
//! only when the same disk takes a file of somebody else meanwhile.
//!
//! The sign is given by the task that holds the collector together, after every keeper has taken a turn: if one of them
//! stands still, so does the sign.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::fleet::Hearing;
use model::identity::ClusterId;
use settings::systemd::Systemd;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::keeper::actor::Keeper;
use crate::keepers::Keepers;
use crate::ledger::store::Store;
use crate::ledger::writer::Writer;

/// How often it is said how the collector is, where systemd does not wait for signs of life.
const PACE: Duration = Duration::from_secs(20);
/// A keeper's turn takes milliseconds.
const TURN_PATIENCE: Duration = Duration::from_secs(10);
/// One piece of the writer's work is at most the events of some minutes, or some of the oldest taken away.
const WRITER_PATIENCE: Duration = Duration::from_mins(15);
const DISK_PATIENCE: Duration = Duration::from_secs(10);
/// Beside the ledger, for a moment.
const TRIED: &str = "tried-whether-the-disk-writes";

/// What a new start would mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Hang {
    #[error("the keeper of cluster {cluster} has taken no turn for {} s", TURN_PATIENCE.as_secs())]
    Keeper { cluster: ClusterId },
    #[error("the keeper of cluster {cluster} has ended")]
    KeeperEnded { cluster: ClusterId },
    #[error("the ledger's writer has ended")]
    WriterEnded,
    #[error(
        "the ledger's writer has been at one piece of work for {} minutes, though the disk writes",
        WRITER_PATIENCE.as_secs() / 60
    )]
    WriterHangs,
}

/// The collector's end of the line to systemd.
#[derive(Debug)]
pub(crate) struct Supervised {
    systemd: Arc<Systemd>,
    keepers: Arc<Keepers>,
    ledger: Arc<Store>,
    can_write: watch::Receiver<bool>,
    writing: Writing,
    disk: Disk,
    said: String,
}

impl Supervised {
    pub(crate) fn new(
        systemd: Arc<Systemd>,
        keepers: Arc<Keepers>,
        ledger: Arc<Store>,
        state_dir: &Path,
    ) -> Self {
        Self {
            systemd,
            keepers,
            can_write: ledger.can_write(),
            ledger,
            writing: Writing::default(),
            disk: Disk::new(state_dir),
            said: String::new(),
        }
    }

    /// Says that the collector is ready, and from then on how it is, for ever.
    pub(crate) async fn attend(mut self) {
        if !self.systemd.is_there() {
            return std::future::pending().await;
        }
        self.said = self.sentence();
        self.systemd.ready(&self.said);
        let mut pace = interval(self.systemd.pace().unwrap_or(PACE));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = None;
        loop {
            pace.tick().await;
            let hang = self.look().await.err();
            match &hang {
                None => self.systemd.alive(),
                Some(hang) if before.as_ref() != Some(hang) => tracing::error!(
                    "{hang}: this is a bug, please report it; systemd is given no sign of life, and starts the collector anew"
                ),
                Some(_) => {}
            }
            before = hang;
            let now = self.sentence();
            if now != self.said {
                self.systemd.status(&now);
                self.said = now;
            }
        }
    }

    /// What hangs, if anything does.
    async fn look(&mut self) -> Result<(), Hang> {
        if let Some(keepers) = self.keepers.at_hand() {
            all_take_a_turn(keepers).await?;
        }
        match self.ledger.writer() {
            Writer::Gone => return Err(Hang::WriterEnded),
            writer if self.writing.is_late(writer, Instant::now()) => {}
            _ => return Ok(()),
        }
        if self.disk.writes().await {
            return Err(Hang::WriterHangs);
        }
        Ok(())
    }

    fn sentence(&self) -> String {
        let (mut clusters, mut nodes, mut connected) = (0, 0, 0);
        for (_, keeper) in self.keepers.at_hand().unwrap_or_default() {
            let view = keeper.view();
            let hearings = view.nodes.values().map(|node| &node.hearing);
            clusters += 1;
            nodes += view.nodes.len();
            connected += hearings.filter(|it| **it == Hearing::Connected).count();
        }
        sentence(clusters, (connected, nodes), *self.can_write.borrow())
    }
}

/// `heard`: how many nodes are connected, of how many.
fn sentence(clusters: usize, heard: (usize, usize), can_write: bool) -> String {
    let watched = match clusters {
        0 => "Waits for the first node to join".to_owned(),
        1 => format!("Hears {} of {} nodes of a cluster", heard.0, heard.1),
        _ => format!(
            "Hears {} of {} nodes of {clusters} clusters",
            heard.0, heard.1
        ),
    };
    if can_write {
        watched
    } else {
        format!("{watched}; the ledger cannot be written: nothing is kept or promised")
    }
}

async fn all_take_a_turn(keepers: Vec<(ClusterId, Keeper)>) -> Result<(), Hang> {
    let mut turns = JoinSet::new();
    for (cluster, keeper) in keepers {
        turns.spawn(async move {
            match timeout(TURN_PATIENCE, keeper.takes_a_turn()).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(Hang::KeeperEnded { cluster }),
                Err(_) => Err(Hang::Keeper { cluster }),
            }
        });
    }
    while let Some(turn) = turns.join_next().await {
        // It does not panic, and nobody breaks it off.
        turn.unwrap_or(Ok(()))?;
    }
    Ok(())
}

/// Since when the writer is at the same piece of work.
#[derive(Debug, Default)]
struct Writing {
    piece: Option<(u64, Instant)>,
}

impl Writing {
    fn is_late(&mut self, writer: Writer, now: Instant) -> bool {
        let Writer::Works(piece) = writer else {
            self.piece = None;
            return false;
        };
        match self.piece {
            Some((before, since)) if before == piece => {
                now.saturating_duration_since(since) >= WRITER_PATIENCE
            }
            _ => {
                self.piece = Some((piece, now));
                false
            }
        }
    }
}

/// The disk of the state directory.
#[derive(Debug)]
struct Disk {
    file: PathBuf,
    patience: Duration,
    /// One that has not come back yet: there is never a second one.
    trial: Option<JoinHandle<bool>>,
}

impl Disk {
    fn new(state_dir: &Path) -> Self {
        Self {
            file: state_dir.join(TRIED),
            patience: DISK_PATIENCE,
            trial: None,
        }
    }

    /// Whether it takes a file, down to the disk itself, in good time.
    async fn writes(&mut self) -> bool {
        let file = self.file.clone();
        let trial = self
            .trial
            .get_or_insert_with(|| spawn_blocking(move || write(&file).is_ok()));
        let Ok(tried) = timeout(self.patience, trial).await else {
            return false;
        };
        self.trial = None;
        tried.unwrap_or(false)
    }
}

fn write(file: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut opened = std::fs::File::create(file)?;
    opened.write_all(b"quorate")?;
    opened.sync_all()?;
    std::fs::remove_file(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn only_one_piece_of_work_for_a_long_time_is_late() {
        let mut writing = Writing::default();
        let began = Instant::now();
        let late = began + WRITER_PATIENCE;
        assert!(!writing.is_late(Writer::Works(1), began));
        assert!(!writing.is_late(Writer::Works(1), late - A_MOMENT));
        // Slow, but it gets on.
        assert!(!writing.is_late(Writer::Works(2), late));
        assert!(writing.is_late(Writer::Works(2), late + WRITER_PATIENCE));
        assert!(!writing.is_late(Writer::Rests, late + WRITER_PATIENCE));
        assert!(!writing.is_late(Writer::Works(2), late + WRITER_PATIENCE));
    }

    #[tokio::test]
    async fn a_disk_that_takes_nothing_does_not_write() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Disk::new(dir.path()).writes().await);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(!Disk::new(&dir.path().join("gone")).writes().await);
    }

    /// A pipe that nobody reads stands for a disk that stands still: who opens it waits.
    #[tokio::test]
    async fn a_disk_that_stands_still_is_tried_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = Disk::new(dir.path());
        disk.patience = Duration::from_millis(20);
        let mode = nix::sys::stat::Mode::S_IRWXU;
        nix::unistd::mkfifo(&disk.file, mode).unwrap();
        assert!(!disk.writes().await);
        assert!(!disk.writes().await);
        // It comes back: the one trial ends.
        let path = disk.file.clone();
        let mut text = String::new();
        let read = std::thread::spawn(move || {
            use std::io::Read as _;
            std::fs::File::open(path)
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            text
        });
        assert_eq!(read.join().unwrap(), "quorate");
    }

    #[test]
    fn the_sentence_says_who_is_heard_and_that_nothing_is_kept() {
        assert_eq!(
            sentence(0, (0, 0), true),
            "Waits for the first node to join"
        );
        assert_eq!(sentence(1, (3, 4), true), "Hears 3 of 4 nodes of a cluster");
        assert_eq!(
            sentence(2, (9, 12), false),
            "Hears 9 of 12 nodes of 2 clusters; the ledger cannot be written: nothing is kept or promised"
        );
    }
}
