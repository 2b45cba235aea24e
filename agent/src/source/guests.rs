//! The guests of this node: their files below `/etc/pve`, and whether they run.
//!
//! A read below `/etc/pve` is expensive where there are hundreds. pmxcfs gives each guest's file another number after
//! each write (`.vmlist`), so a live node reads anew only those whose number changed. The guests of other nodes are only
//! counted: their files are theirs to tell.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use model::fact::guests::{Guest, GuestConfig, GuestKind, GuestList, Guests};
use model::name::NodeName;
use model::parse::guests;
use model::reading::Reading;
use model::text::Parsed;

use crate::host::{Host, said};
use crate::source::gather::{Gathering, NotRead};
use crate::source::members::own_name;
use crate::source::pve_version;

mod qnetd;
mod running;

use running::Running;

const LIST: &str = "etc/pve/.vmlist";
/// Links to the directories of this node, which a capture may hold as directories.
const MACHINES: &str = "etc/pve/qemu-server";
const CONTAINERS: &str = "etc/pve/lxc";
pub(crate) const FILES: &[&str] = &[LIST, "etc/pve/qemu-server/", "etc/pve/lxc/"];

/// How many guests of this node are kept.
const MAX_GUESTS: usize = 2000;
/// After so many files that could not be read, the others are not asked for.
const MAX_FAILURES: usize = 3;

/// What was read of guests' files before, with the number that pmxcfs gave each.
#[derive(Debug, Default)]
struct Remembered {
    /// When this pmxcfs started: the numbers are its own.
    start_time: Option<i64>,
    configs: BTreeMap<u32, (u64, Parsed<GuestConfig>)>,
}

/// Kept from one asking to the next; a captured tree is read whole.
static REMEMBERED: Mutex<Remembered> = Mutex::new(Remembered {
    start_time: None,
    configs: BTreeMap::new(),
});

/// Absent: this is no Proxmox VE, or pmxcfs is not mounted. Failed: which guests are here cannot be told, whatever else
/// could be read.
pub(crate) fn collect(host: &Host) -> Reading<Guests> {
    if host.is_captured() {
        return collect_with(host, &mut Remembered::default());
    }
    let mut remembered = REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
    collect_with(host, &mut remembered)
}

fn collect_with(host: &Host, remembered: &mut Remembered) -> Reading<Guests> {
    let mut gathering = Gathering::default();
    let list = gathering
        .found(LIST, host.read(LIST))
        .and_then(|text| gathering.take(&text, guests::parse_list(&text.text)));
    let start_time = pve_version::read(host).ok().flatten();
    let start_time = start_time.and_then(|version| version.start_time);
    if start_time.is_none() || start_time != remembered.start_time {
        *remembered = Remembered {
            start_time,
            ..Remembered::default()
        };
    }
    let Ok((files, left_out)) = files(host, &mut gathering) else {
        return gathering.fail();
    };
    let anything = list.is_some() || !files.is_empty();
    let running = Running::look(host, &files, &mut gathering);
    let here = read(
        host,
        files,
        list.as_ref(),
        remembered,
        &running,
        &mut gathering,
    );
    let guests = Guests {
        here,
        of_nodes: list.as_ref().map(counted),
        left_out,
        with_qnetd: None,
    };
    let guests = qnetd::look(host, guests, &mut gathering);
    gathering.finish(anything.then_some(guests))
}

/// One guest's file.
#[derive(Debug, PartialEq, Eq)]
struct GuestFile {
    id: u32,
    kind: GuestKind,
    path: String,
}

/// The files of this node's guests, and how many more there are.
fn files(host: &Host, gathering: &mut Gathering) -> Result<(Vec<GuestFile>, usize), NotRead> {
    let mut files = Vec::new();
    for (kind, dir, below_node) in [
        (GuestKind::Machine, MACHINES, "qemu-server"),
        (GuestKind::Container, CONTAINERS, "lxc"),
    ] {
        let mut dir = dir.to_owned();
        let mut names = gathering.seen(&dir, host.list(&dir))?;
        // A tree that was laid by hand may lack the links.
        if names.is_none()
            && host.is_captured()
            && let Some(node) = own_name(host, &mut Gathering::default())
        {
            dir = format!("etc/pve/nodes/{node}/{below_node}");
            names = gathering.seen(&dir, host.list(&dir))?;
        }
        for name in names.unwrap_or_default() {
            let id = name.strip_suffix(".conf").and_then(|id| id.parse().ok());
            files.extend(id.map(|id| GuestFile {
                id,
                kind: kind.clone(),
                path: format!("{dir}/{name}"),
            }));
        }
    }
    files.sort_by_key(|file| file.id);
    let left_out = files.len().saturating_sub(MAX_GUESTS);
    files.truncate(MAX_GUESTS);
    Ok((files, left_out))
}

fn read(
    host: &Host,
    files: Vec<GuestFile>,
    list: Option<&GuestList>,
    remembered: &mut Remembered,
    running: &Running,
    gathering: &mut Gathering,
) -> Vec<Guest> {
    let mut before = std::mem::take(&mut remembered.configs);
    let mut failures = 0;
    let mut here = Vec::new();
    for file in files {
        let listed = list.and_then(|list| list.guests.get(&file.id));
        let version = listed.and_then(|guest| guest.version);
        let same = before
            .remove(&file.id)
            .filter(|(known, _)| version == Some(*known));
        let parsed = match same {
            // What pmxcfs says is unchanged is as fresh as its list.
            Some((_, parsed)) => Some((parsed, Timestamp::now())),
            None if failures >= MAX_FAILURES => None,
            None => match host.read(&file.path) {
                // It moved away since the directory was read.
                Ok(None) => continue,
                Ok(Some(text)) => Some((guests::config::parse(&file.kind, &text.text), text.at)),
                Err(error) => {
                    failures += 1;
                    gathering.remark(&file.path, said(&error));
                    if failures == MAX_FAILURES {
                        gathering.remark(&file.path, "no other guest's file is asked for");
                    }
                    None
                }
            },
        };
        if let (Some((parsed, _)), Some(version), Some(_)) =
            (&parsed, version, remembered.start_time)
        {
            let kept = (version, parsed.clone());
            remembered.configs.insert(file.id, kept);
        }
        let config =
            parsed.and_then(|(parsed, at)| gathering.take_from(&file.path, at, Ok(parsed)));
        here.push(Guest {
            running: running.of(file.id, &file.kind),
            id: file.id,
            kind: file.kind,
            config,
        });
    }
    here
}

fn counted(list: &GuestList) -> BTreeMap<NodeName, u32> {
    let mut counts = BTreeMap::new();
    for guest in list.guests.values() {
        *counts.entry(guest.node.clone()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
