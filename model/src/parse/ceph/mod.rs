//! Ceph's answers: `quorum_status`, `health [detail]`, `status`, `report` and `node ls` in JSON, `health` in plain text,
//! and `osd|mon|mds ok-to-stop` (ceph: src/mon/Monitor.cc, src/mon/health_check.h, src/mon/MgrStatMonitor.cc,
//! src/mgr/DaemonServer.cc).
//!
//! Which question an answer belongs to is seen by its keys, not by the name of its file, and each part is taken
//! only from keys that are its own. From hammer to squid the same fact moved: `overall_status` became `status`,
//! `osdmap.osdmap` became `osdmap`, the `summary` list became the `checks` map.

mod daemons;
mod health;
pub mod ok_to_stop;
mod status;

use serde_json::{Map, Value};

use crate::fact::ceph::Ceph;
use crate::parse::json::{Document, Taker, document};
use crate::text::{BadLine, Parsed, Unreadable};

/// Reads one answer, whichever question it answers. What it does not speak of stays `None`.
pub fn parse(text: &str) -> Result<Parsed<Ceph>, Unreadable> {
    let Some(document) = document(text) else {
        return plain(text);
    };
    let Document { value, around } = document?;
    let mut taker = Taker::default();
    let ceph = value
        .as_object()
        .and_then(|root| answer(&mut taker, root, text));
    let Some(ceph) = ceph else {
        return Err(no_answer(text));
    };
    // `report 1188805303` stands before the JSON of `ceph report`.
    for line in around.into_iter().filter(|line| !is_report_head(line.text)) {
        taker
            .bad_lines
            .push(BadLine::new(line, "it is not part of the JSON"));
    }
    Ok(taker.bad_lines.with(ceph))
}

/// `None` if not a single part of it is known.
fn answer(taker: &mut Taker, root: &Map<String, Value>, text: &str) -> Option<Ceph> {
    if root.contains_key("ok_to_stop") {
        let ok_to_stop = ok_to_stop::from_json(taker, root, text);
        return Some(Ceph {
            ok_to_stop: vec![ok_to_stop],
            ..Ceph::default()
        });
    }
    let ceph = Ceph {
        fsid: status::fsid(taker, root),
        version: root
            .contains_key("cluster_fingerprint")
            .then(|| taker.text(root, "version"))
            .flatten(),
        health: health::from_root(taker, root),
        quorum: status::quorum(taker, root),
        osds: status::osds(taker, root),
        pgs: status::pgs(taker, root),
        manager: status::manager(taker, root),
        daemons: daemons::daemons(taker, root),
        ok_to_stop: Vec::new(),
    };
    let says_something = ceph.health.is_some()
        || ceph.quorum.is_some()
        || ceph.osds.is_some()
        || ceph.pgs.is_some()
        || ceph.manager.is_some()
        || ceph.daemons.is_some();
    says_something.then_some(ceph)
}

/// `HEALTH_WARN 1 osds down; …`: the only plain text that is read here.
fn plain(text: &str) -> Result<Parsed<Ceph>, Unreadable> {
    match health::from_plain(text) {
        Some(parsed) => Ok(parsed.map(|health| Ceph {
            health: Some(health),
            ..Ceph::default()
        })),
        None => Err(no_answer(text)),
    }
}

fn is_report_head(line: &str) -> bool {
    line.trim()
        .strip_prefix("report ")
        .is_some_and(|crc| crc.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The line in which ceph, librados or the shell says why there is no answer.
fn no_answer(text: &str) -> Unreadable {
    Unreadable::complaint_in(text, is_complaint)
}

fn is_complaint(line: &str) -> bool {
    let text = line.trim();
    let lower = text.to_ascii_lowercase();
    let signs = [
        "error connecting to the cluster",
        "error calling conf_read_file",
        "error initializing cluster client",
        "rados timed out",
        "timed out",
        "unable to find a keyring",
        "monclient",
        "permission denied",
        "permission error",
        "command not found",
        "no such file or directory",
        "no valid command found",
        "invalid command",
        "cluster connection interrupted",
    ];
    is_error(text) || lower.starts_with("[errno") || signs.iter().any(|sign| lower.contains(sign))
}

/// `Error EBUSY: …`, as the command line prints every refusal of the monitors.
fn is_error(text: &str) -> bool {
    error_name(text).is_some()
}

/// `Error EBUSY: 4 PGs …` -> `EBUSY`.
fn error_name(text: &str) -> Option<&str> {
    let (name, _) = text.trim().strip_prefix("Error ")?.split_once(':')?;
    name.starts_with('E').then_some(name)
}

#[cfg(test)]
mod tests;
