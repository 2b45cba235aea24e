//! Messages to try a receiver with: each says that it is a test, and its cluster is called `test`.

use model::alert::{Kind, Message};
use model::finding::Severity;

/// 2026-11-22 14:03:22 UTC
#[cfg(test)]
pub(super) const BEGAN_UNIX_MS: i64 = 1_795_356_202_000;

pub(crate) type Sample = (&'static str, fn() -> Message);

/// Why a sample can be said. The one left out is for services that show what is open, and says nothing.
pub(crate) const KINDS: [Kind; 8] = [
    Kind::Opened,
    Kind::Changed,
    Kind::Worse,
    Kind::More,
    Kind::Again,
    Kind::Reminder,
    Kind::Over,
    Kind::Joined,
];

/// The samples, by their names.
pub(crate) const SAMPLES: &[Sample] = &[
    ("switch-down", switch_down),
    ("node-silent", node_silent),
    ("quorum-lost", quorum_lost),
    ("bond-degraded", bond_degraded),
];

pub(crate) fn switch_down() -> Message {
    Message {
        quorum: "8 of 8 votes, 5 needed, margin 3".to_owned(),
        evidence: vec![
            "pve-01: eno2: no carrier, 4 s ago".to_owned(),
            "pve-02: eno2: no carrier, 4 s ago".to_owned(),
            "pve-03: eno2: no carrier, 3 s ago".to_owned(),
        ],
        explains: 15,
        others: vec!["corosync link 1 of pve-03 is down".to_owned()],
        ..sample(
            "switch-down",
            "switch sw-b",
            Severity::Critical,
            "switch sw-b is down: none of its ports at the nodes has a link any more: eno2 of pve-01, pve-02, pve-03",
            "Look at switch sw-b: power, console, uplinks, its log. Reboot or update no node before it is back.",
        )
    }
}

pub(crate) fn node_silent() -> Message {
    Message {
        quorum: "7 of 8 votes, 5 needed, margin 2".to_owned(),
        evidence: vec!["pve-01: pve-03 is not in the membership, 31 s ago".to_owned()],
        ..sample(
            "node-silent",
            "node pve-03",
            Severity::Critical,
            "pve-03 is silent for 31 s, and its peers say that it is out of the membership",
            "Look at the console of pve-03.",
        )
    }
}

pub(crate) fn quorum_lost() -> Message {
    Message {
        quorum: "4 of 8 votes, 5 needed".to_owned(),
        evidence: vec!["pve-01: Activity blocked, 2 s ago".to_owned()],
        ..sample(
            "quorum-lost",
            "cluster test",
            Severity::Critical,
            "quorum is lost on pve-01, pve-02, pve-03, pve-04: 4 of 8 votes; 5 are needed",
            "Bring back one of pve-05, pve-06, pve-07, pve-08.",
        )
    }
}

pub(crate) fn bond_degraded() -> Message {
    Message {
        quorum: "8 of 8 votes, 5 needed, margin 3".to_owned(),
        evidence: vec!["pve-04: bond0: eno2 MII Status: down, 2 s ago".to_owned()],
        ..sample(
            "bond-degraded",
            "bond0 of pve-04",
            Severity::Warning,
            "bond0 of pve-04 has 1 of 2 ports: eno2 is down",
            "ip link show eno2",
        )
    }
}

fn sample(rule: &str, subject: &str, severity: Severity, sentence: &str, remedy: &str) -> Message {
    Message {
        kind: Kind::Opened,
        cluster: "test".to_owned(),
        cluster_id: "00000000-0000-4000-8000-000000000000".to_owned(),
        incident: 7,
        severity,
        rule: rule.to_owned(),
        subject: subject.to_owned(),
        sentence: format!("this is a test: {sentence}"),
        began_unix_ms: 0,
        at_unix_ms: 0,
        quorum: String::new(),
        evidence: Vec::new(),
        explains: 0,
        others: Vec::new(),
        remedy: remedy.to_owned(),
        link: "https://quorate.example/incident/7".to_owned(),
    }
}
