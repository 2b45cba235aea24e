//! Versions of the packages that matter, and what dpkg left unfinished: from dpkg's own list of states. `pveversion`, a
//! second of Perl, is asked for captures only, and fills in what the list does not say.

use std::io::{self, BufRead, Read as _};

use jiff::Timestamp;
use model::fact::packages::Packages;
use model::parse::dpkg_status::{MAX_LINE_BYTES, Reader};
use model::parse::{kernel_choice, pveversion};
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

const STATUS: &str = "var/lib/dpkg/status";
const VERSION: &str = "proc/version";
/// `proc/version` is of the source of the boot too.
pub(crate) const FILES: &[&str] = &[STATUS];

/// Absent: no dpkg here, nothing captured. Where several texts were captured, dpkg's list holds before the one with the most
/// packages, and the others only fill what it leaves open.
pub(crate) fn collect(host: &Host) -> Reading<Packages> {
    let mut gathering = Gathering::default();
    let mut found: Option<Packages> = None;
    if host.is_captured() {
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
    }
    if let Some(read) = installed(host, &mut gathering) {
        found = Some(match found {
            None => read,
            Some(said) => joined(read, said),
        });
    }
    if let Some(packages) = &mut found
        && packages.running_kernel.is_none()
        && let Ok(Some(text)) = host.read(VERSION)
    {
        // The source of the boot says what is wrong with this file.
        let running = kernel_choice::running(&text.text).ok();
        packages.running_kernel = running.and_then(|running| running.value);
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

/// dpkg's own list, and what only `pveversion` says.
fn joined(list: Packages, mut said: Packages) -> Packages {
    let mut versions = std::mem::take(&mut said.versions);
    versions.extend(list.versions.clone());
    let not_correctly_installed = std::mem::take(&mut said.not_correctly_installed);
    let notes = std::mem::take(&mut said.notes);
    Packages {
        versions,
        not_correctly_installed,
        notes,
        ..filled(list, said)
    }
}

fn installed(host: &Host, gathering: &mut Gathering) -> Option<Packages> {
    let mut opened = gathering.found(STATUS, host.open(STATUS))?;
    list(&mut opened.lines, opened.at, gathering)
}

/// Reads dpkg's list line by line. If it breaks off, nobody can say that all is well with the packages behind that place:
/// nothing of it is taken.
fn list(lines: &mut impl BufRead, at: Timestamp, gathering: &mut Gathering) -> Option<Packages> {
    let mut reader = Reader::default();
    if let Err(error) = stream(lines, &mut reader) {
        gathering.remark(STATUS, format!("reading it broke off: {error}"));
        return None;
    }
    gathering.take_from(STATUS, at, reader.finish())
}

/// Hands over line by line. Of a line beyond the limit no more than that is taken into memory.
fn stream(lines: &mut impl BufRead, reader: &mut Reader) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        let read = lines.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && read > MAX_LINE_BYTES {
            reader.skip_long_line();
            lines.skip_until(b'\n')?;
        } else {
            reader.line(&String::from_utf8_lossy(&line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_STATE: &str =
        include_str!("../../../model/fixtures/dpkg_status/dpkg-1.21-every-state");
    const PVE8: &str = include_str!("../../../model/fixtures/pveversion/written-pve8");

    #[track_caller]
    fn captured(files: &[(&str, &str)]) -> Packages {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let reading = collect(&Host::captured(dir.path()).unwrap());
        reading.known().unwrap().clone()
    }

    #[test]
    fn dpkgs_list_holds_and_pveversion_fills_in() {
        let version = "Linux version 6.8.12-4-pve (x)\n";
        let list = captured(&[(STATUS, EVERY_STATE), (VERSION, version)]);
        assert_eq!(list.unsettled.as_ref().unwrap().len(), 5);
        assert_eq!(list.running_kernel.as_deref(), Some("6.8.12-4-pve"));
        assert_eq!(list.manager_running_version, None);
        let both = captured(&[(STATUS, EVERY_STATE), ("commands/pveversion_-v", PVE8)]);
        assert_eq!(both.unsettled, list.unsettled);
        assert_eq!(both.versions["corosync"], "3.1.9-pve1");
        assert_eq!(both.versions["criu"], "3.17.1-2");
        assert_eq!(both.manager_running_version.as_deref(), Some("8.2.2"));
        assert_eq!(both.manager_version.as_deref(), Some("9.0.3"));
    }

    #[test]
    fn pveversion_alone_says_nothing_of_what_is_unfinished() {
        let packages = captured(&[("commands/pveversion_-v", PVE8)]);
        assert_eq!(packages.unsettled, None);
    }

    #[test]
    fn a_line_without_end_costs_neither_memory_nor_the_packages_behind_it() {
        let long = "x".repeat(MAX_LINE_BYTES * 3);
        let text = format!(
            "Package: a\nConffiles: {long}\nStatus: install ok unpacked\n\nPackage: b\nStatus: install ok unpacked"
        );
        let packages = captured(&[(STATUS, &text)]);
        assert_eq!(packages.unsettled.unwrap().len(), 2);
    }

    #[test]
    fn a_list_that_breaks_off_does_not_say_that_all_packages_are_settled() {
        struct Broken;
        impl std::io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("a bad sector"))
            }
        }
        let begun = "Package: a\nStatus: install ok installed\n\n".as_bytes();
        let mut gathering = Gathering::default();
        let mut whole = begun;
        let packages = list(&mut whole, Timestamp::UNIX_EPOCH, &mut gathering).unwrap();
        assert_eq!(packages.unsettled, Some(Vec::new()));
        let mut broken = io::BufReader::new(begun.chain(Broken));
        assert_eq!(
            list(&mut broken, Timestamp::UNIX_EPOCH, &mut gathering),
            None
        );
    }

    #[test]
    fn the_packages_of_this_machine_are_read() {
        // Debian is what the tests run on, as the agent does.
        let reading = collect(&Host::here());
        let packages = reading.known().unwrap();
        assert!(packages.versions.contains_key("systemd") || packages.unsettled.is_some());
    }
}
