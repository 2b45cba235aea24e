//! Ceph, where this node is set up for it. Without monitors in quorum the command line waits five minutes unless it
//! is told otherwise, and `/usr/bin/ceph` is installed on every Proxmox VE node: so nothing is asked unless there is
//! a ceph.conf, and nothing more is asked once an answer failed.

use model::fact::ceph::{Ceph, DaemonKind, Health, MonQuorum, OkToStop};
use model::parse::ceph;
use model::reading::Reading;
use model::text::Parsed;

use crate::host::{Command, Host, Text};
use crate::source::gather::Gathering;

const CEPH: &str = "/usr/bin/ceph";

/// In this order: what the first answers is said better than by the later ones.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        path: CEPH,
        args: &["--connect-timeout", "5", "quorum_status", "-f", "json"],
        words: &["quorum"],
    },
    Command {
        path: CEPH,
        args: &["--connect-timeout", "5", "health", "detail", "-f", "json"],
        words: &["health"],
    },
    Command {
        path: CEPH,
        args: &["--connect-timeout", "5", "status", "-f", "json"],
        words: &["status", "-s"],
    },
    Command {
        path: CEPH,
        args: &["--connect-timeout", "5", "node", "ls", "-f", "json"],
        words: &["node"],
    },
];

/// Every captured answer at once: `ceph_quorum_status` holds the word of two commands, and is read only once.
const CAPTURED: Command = Command {
    path: CEPH,
    args: &[],
    words: &[
        "quorum",
        "health",
        "status",
        "-s",
        "node",
        "report",
        "ok-to-stop",
    ],
};

/// The cluster's file lies below pmxcfs, which can hang: it is looked at first, with a deadline, because the other
/// is a link to it on Proxmox VE.
pub(crate) const FILES: &[&str] = &["etc/pve/ceph.conf", "etc/ceph/ceph.conf"];

/// Absent: this node is not set up for ceph.
pub(crate) fn collect(host: &Host) -> Reading<Ceph> {
    let mut gathering = Gathering::default();
    let configuration = configuration(host, &mut gathering);
    if !host.is_captured() && configuration.is_none() {
        return gathering.finish(None);
    }
    let mut merging = Merging::default();
    if host.is_captured() {
        for text in gathering.ask(host, &CAPTURED) {
            merging.answer(&mut gathering, &text);
        }
    } else {
        ask(host, &mut gathering, &mut merging);
    }
    match (merging.answers, configuration) {
        // An error that was said on the way says more than this.
        (0, Some(path)) => match gathering.finish(None) {
            Reading::Absent => Reading::Failed {
                why: format!("{path} is here, but there is no answer of {CEPH}"),
            },
            other => other,
        },
        (0, None) => gathering.finish(None),
        (_, _) => gathering.finish(Some(merging.finish())),
    }
}

/// Is this node set up for ceph? Where that cannot be told it is not asked.
pub(crate) fn is_set_up(host: &Host) -> bool {
    configuration(host, &mut Gathering::default()).is_some()
}

fn configuration(host: &Host, gathering: &mut Gathering) -> Option<&'static str> {
    for path in FILES {
        match host.read(path) {
            Ok(Some(_)) => return Some(path),
            Ok(None) => {}
            Err(error) => {
                gathering.found::<()>(path, Err(error));
                // Whether there is ceph is not known, and on a live node the other name may hang as well.
                return None;
            }
        }
    }
    None
}

fn ask(host: &Host, gathering: &mut Gathering, merging: &mut Merging) {
    for command in COMMANDS {
        let answers = merging.answers;
        for text in gathering.ask(host, command) {
            merging.answer(gathering, &text);
        }
        if merging.answers == answers {
            break;
        }
    }
}

/// Puts answers together. Several may speak of the same thing, at slightly different times: the one that says most
/// of it is taken whole, and what it leaves out is not filled from the others.
#[derive(Default)]
struct Merging {
    ceph: Ceph,
    answers: usize,
}

impl Merging {
    fn answer(&mut self, gathering: &mut Gathering, text: &Text) {
        let parsed = match asked_to_stop(&text.source) {
            Some((what, ids)) => {
                ceph::ok_to_stop::parse(what, &ids, &text.text).map(|parsed: Parsed<OkToStop>| {
                    parsed.map(|answer| Ceph {
                        ok_to_stop: vec![answer],
                        ..Ceph::default()
                    })
                })
            }
            None => ceph::parse(&text.text),
        };
        if let Some(answer) = gathering.take(text, parsed) {
            self.answers += 1;
            self.add(answer);
        }
    }

    fn add(&mut self, answer: Ceph) {
        let Ceph {
            fsid,
            version,
            health,
            quorum,
            osds,
            pgs,
            manager,
            daemons,
            ok_to_stop,
        } = answer;
        let ceph = &mut self.ceph;
        ceph.fsid = ceph.fsid.take().or(fsid);
        ceph.version = ceph.version.take().or(version);
        ceph.health = richer(ceph.health.take(), health, health_said);
        ceph.quorum = richer(ceph.quorum.take(), quorum, quorum_said);
        ceph.osds = richer(ceph.osds.take(), osds, |osds| osds.up.is_some());
        ceph.pgs = richer(ceph.pgs.take(), pgs, |pgs| pgs.by_state.len());
        ceph.manager = richer(ceph.manager.take(), manager, |manager| {
            manager.active.is_some()
        });
        ceph.daemons = ceph.daemons.take().or(daemons);
        ceph.ok_to_stop.extend(ok_to_stop);
    }

    /// Ceph says yes even for a monitor that it does not know: such a yes is worth nothing.
    fn finish(mut self) -> Ceph {
        let monmap = self
            .ceph
            .quorum
            .as_ref()
            .and_then(|quorum| quorum.monmap.as_ref());
        if let Some(monmap) = monmap {
            for answer in &mut self.ceph.ok_to_stop {
                let is_known = |id: &String| monmap.iter().any(|mon| mon.name.as_ref() == Some(id));
                if answer.what == Some(DaemonKind::Mon) && !answer.ids.iter().all(is_known) {
                    answer.ok = None;
                    answer
                        .text
                        .push_str(" (but the monitor map does not know all of them)");
                }
            }
        }
        self.ceph
    }
}

fn health_said(health: &Health) -> (bool, usize, usize) {
    let details = health.checks.iter().map(|check| check.detail.len()).sum();
    (health.status.is_some(), health.checks.len(), details)
}

fn quorum_said(quorum: &MonQuorum) -> (bool, bool, bool) {
    (
        quorum.names.is_some(),
        quorum.monmap.is_some(),
        quorum.leader.is_some(),
    )
}

/// The one that says more; of two equals the first.
fn richer<T, S: Ord>(held: Option<T>, new: Option<T>, said: impl Fn(&T) -> S) -> Option<T> {
    match (held, new) {
        (Some(held), Some(new)) if said(&new) > said(&held) => Some(new),
        (Some(held), _) => Some(held),
        (None, new) => new,
    }
}

/// `commands/ceph_osd_ok-to-stop_3_4.txt` -> osd, 3 and 4. `None`: it is another question.
fn asked_to_stop(source: &str) -> Option<(Option<DaemonKind>, Vec<String>)> {
    let name = source.rsplit('/').next().unwrap_or(source);
    let name = name
        .strip_suffix(".txt")
        .or(name.strip_suffix(".json"))
        .unwrap_or(name);
    let tokens: Vec<&str> = name.split(['_', ' ']).collect();
    let at = tokens.iter().position(|token| *token == "ok-to-stop")?;
    let (before, behind) = tokens.split_at(at);
    let what = before.last().map(|word| DaemonKind::from_word(word));
    let what = what.filter(|what| !matches!(what, DaemonKind::Other(_)));
    let mut ids = Vec::new();
    let mut behind = behind.iter().skip(1);
    while let Some(token) = behind.next() {
        match *token {
            // An option and its value: `-f json`, `--max 10`.
            option if option.starts_with('-') => {
                if !option.contains('=') {
                    behind.next();
                }
            }
            "" => {}
            id => ids.push(id.to_owned()),
        }
    }
    Some((what, ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Reading<Ceph> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        collect(&Host::captured(dir.path()).unwrap())
    }

    const QUORUM: &str = r#"{"quorum":[0,1],"quorum_names":["a","b"],"quorum_leader_name":"a",
        "monmap":{"epoch":3,"fsid":"f","mons":[{"rank":0,"name":"a"},{"rank":1,"name":"b"}]}}"#;

    #[test]
    fn without_ceph_there_is_nothing_and_a_silent_ceph_has_failed() {
        assert_eq!(tree(&[]), Reading::Absent);
        let silent = tree(&[("etc/pve/ceph.conf", "[global]\n")]);
        assert!(matches!(silent, Reading::Failed { .. }), "{silent:?}");
    }

    #[test]
    fn an_error_of_the_tool_fails_with_its_words() {
        let said = "[errno 110] RADOS timed out (error connecting to the cluster)\n";
        let Reading::Failed { why } = tree(&[("commands/ceph_-s_-f_json", said)]) else {
            panic!("it has not failed");
        };
        assert!(why.contains("RADOS timed out"), "{why}");
    }

    #[test]
    fn each_answer_gives_its_part_and_no_file_is_read_twice() {
        let reading = tree(&[
            ("commands/ceph_quorum_status", QUORUM),
            ("commands/ceph_health", "HEALTH_WARN 1 osds down\n"),
            (
                "commands/ceph_report",
                "report 1\n{\"health\":{}, \"quorum\":[0,1], nope",
            ),
            ("commands/ceph_osd_ok-to-stop_3", "no idea what this is\n"),
        ]);
        let Reading::Known {
            value, problems, ..
        } = reading
        else {
            panic!("{reading:?}");
        };
        assert_eq!(value.quorum.unwrap().leader.as_deref(), Some("a"));
        assert_eq!(value.health.unwrap().checks.len(), 1);
        assert!(value.ok_to_stop.is_empty(), "unreadable is never a yes");
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn a_yes_for_a_monitor_that_nobody_knows_is_no_yes() {
        let yes = |id: &str| format!("quorum should be preserved (a,b) after stopping [{id}]\n");
        let reading = tree(&[
            ("commands/ceph_quorum_status", QUORUM),
            ("commands/ceph_mon_ok-to-stop_b", &yes("b")),
            ("commands/ceph_mon_ok-to-stop_x", &yes("x")),
        ]);
        let answers = &reading.known().unwrap().ok_to_stop;
        assert_eq!(answers[0].ok, Some(true));
        assert_eq!(
            (answers[1].ids.as_slice(), answers[1].ok),
            (&["x".to_owned()][..], None)
        );
    }

    #[test]
    fn the_name_of_the_file_says_who_was_asked_about() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        for (name, what, asked) in [
            ("ceph_osd_ok-to-stop_3", Some(DaemonKind::Osd), ids(&["3"])),
            (
                "ceph_osd_ok-to-stop_3_4_-f_json.json",
                Some(DaemonKind::Osd),
                ids(&["3", "4"]),
            ),
            (
                "ceph_--connect-timeout_5_mon_ok-to-stop_pve-03",
                Some(DaemonKind::Mon),
                ids(&["pve-03"]),
            ),
            ("ceph_ok-to-stop", None, ids(&[])),
        ] {
            assert_eq!(asked_to_stop(name), Some((what, asked)), "{name}");
        }
        assert_eq!(asked_to_stop("commands/ceph_status"), None);
    }
}
