//! Versions of the packages that matter, from `pveversion`.

use model::fact::packages::Packages;
use model::parse::pveversion;
use model::reading::Reading;

use crate::host::{Command, Host};
use crate::source::gather::Gathering;

const PVEVERSION: Command = Command {
    path: "/usr/bin/pveversion",
    args: &["-v"],
    // The short form serves too.
    words: &[],
};
pub(crate) const COMMANDS: &[Command] = &[PVEVERSION];

/// Absent: this is no Proxmox VE. Where both forms were captured, the one with the packages holds, and the other
/// only fills what it leaves open.
pub(crate) fn collect(host: &Host) -> Reading<Packages> {
    let mut gathering = Gathering::default();
    let mut found: Option<Packages> = None;
    for text in gathering.ask(host, &PVEVERSION) {
        let Some(read) = gathering.take(&text, pveversion::parse(&text.text)) else {
            continue;
        };
        found = Some(match found {
            None => read,
            Some(other) if other.versions.len() >= read.versions.len() => filled(other, read),
            Some(other) => filled(read, other),
        });
    }
    gathering.finish(found)
}

fn filled(richest: Packages, other: Packages) -> Packages {
    Packages {
        running_kernel: richest.running_kernel.or(other.running_kernel),
        manager_version: richest.manager_version.or(other.manager_version),
        manager_running_version: richest
            .manager_running_version
            .or(other.manager_running_version),
        manager_commit: richest.manager_commit.or(other.manager_commit),
        ..richest
    }
}
