//! `quorate-collector backup FILE`, and `restore FILE`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Place;
use crate::answer::{note, print};
use crate::backup::{self, restore};

/// How often it is said how far it is.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// Copies all that must not be lost into one file: the CA, the identities and the ledger; also while the collector runs.
/// The file holds the CA's key: keep it secret
#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    place: Place,
    /// The file to write, which must not be there yet
    file: PathBuf,
}

/// Puts a backup into the state directory, which must hold no collector
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    place: Place,
    /// What `quorate-collector backup` wrote
    file: PathBuf,
}

pub(crate) fn backup(args: &Backup) -> anyhow::Result<()> {
    let config = args.place.read()?;
    let mut said = Instant::now();
    let bytes = backup::write(
        &config.state_dir,
        &args.file,
        Timestamp::now(),
        |progress| {
            if said.elapsed() >= SAY_EVERY {
                said = Instant::now();
                note(format!("{}: {} %", progress.file, progress.percent));
            }
        },
    )?;
    print(format!(
        "{} has all that {} must not lose ({bytes} bytes). It holds the CA's key: keep it secret.\n\
         `quorate-collector restore {}` puts it into a state directory that holds no collector.",
        args.file.display(),
        config.state_dir.display(),
        args.file.display()
    ))
}

pub(crate) fn restore(args: &Restore) -> anyhow::Result<()> {
    let config = args.place.read()?;
    restore::restore(&args.file, &config.state_dir, Timestamp::now())?;
    print(format!(
        "{} holds the collector of {} again. Start it with `systemctl start quorate-collector`; see that the one it was copied from does \
         not run any more.\n\
         What was acknowledged or decided since the backup is not in it. Nodes whose certificate was made since are refused: \
         `quorate-collector node replace NAME` lets them join again.",
        config.state_dir.display(),
        args.file.display()
    ))
}
