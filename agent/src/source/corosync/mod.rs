//! Corosync as it runs, as one fact, completed by corosync.conf. On a live node its libraries are asked; of a captured
//! tree it is put together from what its tools and its map said.
//!
//! Where texts disagree, the running daemon (quorumtool, cfgtool, the map) comes before `pvecm`, which reads
//! corosync.conf for what it says of the cluster, and that before the file itself. Every disagreement is a problem
//! of the reading: the texts were not taken in the same instant, or somebody runs with another configuration than
//! the one in the file.

pub(crate) mod map;
mod merge;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use model::fact::cmap::Cmap;
use model::fact::corosync::Corosync;
use model::fact::corosync_conf::CorosyncConf;
use model::parse::{cfgtool, cmapctl, corosync_conf, quorumtool};
use model::reading::Reading;
use model::text::{Parsed, Unreadable};

use crate::corosync::read_once;
use crate::host::{Command, Host, Text};
use crate::source::gather::Gathering;

use merge::Merging;

const QUORUMTOOL: &str = "/usr/sbin/corosync-quorumtool";
const CFGTOOL: &str = "/usr/sbin/corosync-cfgtool";
const CMAPCTL: &str = "/usr/sbin/corosync-cmapctl";
const PVECM: &str = "/usr/bin/pvecm";
const PVECM_WORDS: &[&str] = &["status", "s", "nodes", "n"];

/// What is captured. All commands of one program have the same words, so that a capture is asked only once for each
/// program; and they stand in the order of their captured names, because what is read first comes before the rest.
pub(crate) const COMMANDS: &[Command] = &[
    command(QUORUMTOOL, &["-s"]),
    command(QUORUMTOOL, &["-siH"]),
    command(CFGTOOL, &["-n"]),
    command(CFGTOOL, &["-s"]),
    command(CMAPCTL, &[]),
    command(CMAPCTL, &["-m", "stats"]),
    Command {
        path: PVECM,
        args: &["nodes"],
        words: PVECM_WORDS,
    },
    Command {
        path: PVECM,
        args: &["status"],
        words: PVECM_WORDS,
    },
];

/// `pcs quorum status` prints what the quorum tool prints. It is read where somebody captured it, and never run.
const PCS: Command = Command {
    path: "/usr/sbin/pcs",
    args: &["quorum", "status"],
    words: &["quorum"],
};

/// The one that corosync reads comes first.
const CONF: &[&str] = &["etc/corosync/corosync.conf", "etc/pve/corosync.conf"];

const fn command(path: &'static str, args: &'static [&'static str]) -> Command {
    Command {
        path,
        args,
        words: &[],
    }
}

/// Failed: the quorum tool says that corosync does not run, or no tool gave an answer. With corosync.conf alone
/// only what it says of the cluster is known.
pub(crate) fn collect(host: &Host) -> Reading<Corosync> {
    if host.is_captured() {
        of_texts(host)
    } else {
        let reading = read_once(host).corosync;
        complete_from_conf(host, reading, Merging::default(), BTreeSet::new())
    }
}

fn of_texts(host: &Host) -> Reading<Corosync> {
    let mut asking = Asking::new(host);
    let map = asking.map();
    asking.quorum(QUORUMTOOL);
    asking.links(map.as_ref());
    if let Some(map) = &map {
        asking.take_map(map);
    }
    asking.quorum(PVECM);
    let found = asking.gathering.ask(host, &PCS);
    asking.take_quorum(found);
    if asking.not_running && !asking.quorum_is_known {
        return asking.gathering.fail();
    }
    let mut merging = asking.merging;
    let reading = asking.gathering.finish(merging.value.take());
    complete_from_conf(host, reading, merging, asking.nodelist)
}

/// The raw map: of a live node the keys that matter, of a captured one all that were captured. Absent: there is no
/// corosync here, or no map was captured.
pub(crate) fn cmap(host: &Host) -> Reading<Cmap> {
    if !host.is_captured() {
        return read_once(host).cmap;
    }
    let mut asking = Asking::new(host);
    let map = asking.map();
    asking.gathering.finish(map)
}

/// What `pvecm status` prints, for whoever asks for it: it costs half a second of Perl and 80 MB, and what it says
/// is known from elsewhere. Absent: this is no node of Proxmox VE.
pub(crate) fn pvecm_status(host: &Host) -> Reading<String> {
    let mut gathering = Gathering::default();
    let status = COMMANDS
        .iter()
        .find(|command| command.path == PVECM && command.args == ["status"]);
    let said = status
        .map(|status| gathering.ask(host, status))
        .unwrap_or_default();
    let said = said.first().and_then(|text| {
        let parsed = Ok(Parsed {
            value: text.text.clone(),
            bad_lines: Vec::new(),
        });
        gathering.take(text, parsed)
    });
    gathering.finish(said)
}

/// The tools are asked one after the other, and each answer is laid upon what was known before.
struct Asking<'a> {
    host: &'a Host,
    gathering: Gathering,
    merging: Merging,
    not_running: bool,
    quorum_is_known: bool,
    /// The ids of all nodes that are configured.
    nodelist: BTreeSet<u32>,
}

impl<'a> Asking<'a> {
    fn new(host: &'a Host) -> Self {
        Self {
            host,
            gathering: Gathering::default(),
            merging: Merging::default(),
            not_running: false,
            quorum_is_known: false,
            nodelist: BTreeSet::new(),
        }
    }

    /// The first command of a program already finds every output of it.
    fn texts(&mut self, path: &str) -> Vec<Arc<Text>> {
        let command = COMMANDS.iter().find(|command| command.path == path);
        command
            .map(|command| self.gathering.ask(self.host, command))
            .unwrap_or_default()
    }

    fn quorum(&mut self, path: &str) {
        let texts = self.texts(path);
        self.take_quorum(texts);
    }

    fn take_quorum(&mut self, texts: Vec<Arc<Text>>) {
        for text in texts {
            let parsed = quorumtool::parse(&text.text);
            if let Err(Unreadable::ToolFailed { message }) = &parsed {
                self.not_running |= quorumtool::says_not_running(message);
            }
            if let Some(part) = self.gathering.take(&text, parsed) {
                self.quorum_is_known = true;
                self.merging.add(&text.source, part);
            }
        }
    }

    fn links(&mut self, map: Option<&Cmap>) {
        for text in self.texts(CFGTOOL) {
            let Some(mut part) = self.gathering.take(&text, cfgtool::parse(&text.text)) else {
                continue;
            };
            if matches!(part.transport.as_deref(), Some("udp" | "udpu")) {
                // Without knet corosync-cfgtool 3.1 prints the address of another node here.
                let own = map.map(|map| map::corosync(map, part.node_id));
                merge::prefer_addresses(&mut part, own.as_ref());
            }
            self.merging.add(&text.source, part);
        }
    }

    fn map(&mut self) -> Option<Cmap> {
        let mut map = None;
        for text in self.texts(CMAPCTL) {
            if let Some(part) = self.gathering.take(&text, cmapctl::parse(&text.text)) {
                map.get_or_insert_with(Cmap::default).keys.extend(part.keys);
            }
        }
        map
    }

    fn take_map(&mut self, map: &Cmap) {
        self.nodelist = map::nodelist(map).into_iter().map(|node| node.id).collect();
        let node_id = self.merging.value.as_ref().and_then(|known| known.node_id);
        let part = map::corosync(map, node_id);
        self.merging.add("commands/corosync-cmapctl", part);
    }
}

/// What corosync.conf alone says. It never makes a reading of a corosync whose tools failed, and its age is not
/// that of the reading: it may have been written months ago. What cannot be read in it is told by the reading of
/// corosync.conf.
fn complete_from_conf(
    host: &Host,
    reading: Reading<Corosync>,
    mut merging: Merging,
    mut nodelist: BTreeSet<u32>,
) -> Reading<Corosync> {
    let mut gathering = Gathering::default();
    let answered = match reading {
        Reading::Known {
            value,
            at,
            problems,
        } => {
            merging.value = Some(value);
            Some((at, problems))
        }
        Reading::Absent => None,
        Reading::Failed { .. } | Reading::NeverHeard => return reading,
    };
    for path in CONF {
        let Some(text) = gathering.found(path, host.read(path)) else {
            continue;
        };
        let parsed = corosync_conf::parse(&text.text).map(|parsed| Parsed {
            value: parsed.value,
            bad_lines: Vec::new(),
        });
        if let Some(conf) = gathering.take(&text, parsed) {
            if nodelist.is_empty() {
                nodelist = conf.nodes.iter().filter_map(|node| node.node_id).collect();
            }
            merging.add(&text.source, of_conf(conf));
        }
    }
    let Merging {
        mut value,
        disagreements,
    } = merging;
    if let Some(value) = &mut value {
        merge::name_positions(value, &nodelist);
    }
    let mut reading = match (value, answered) {
        (Some(value), Some((at, problems))) => Reading::Known {
            value,
            at,
            problems,
        },
        (value, _) => gathering.finish(value),
    };
    if let Reading::Known { problems, .. } = &mut reading {
        problems.extend(disagreements);
    }
    reading
}

fn of_conf(conf: CorosyncConf) -> Corosync {
    Corosync {
        cluster_name: conf.totem.cluster_name,
        config_version: conf.totem.config_version,
        ..Corosync::default()
    }
}
