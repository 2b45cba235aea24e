//! corosync on a node of the rack: its configuration, and what its own tools say of it.

use std::fmt::Write as _;

use crate::plan::Plan;

/// What `corosync-quorumtool -s` says on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// How many nodes this node sees, itself included.
    pub nodes: usize,
    /// Their ids, in order.
    pub members: Vec<u32>,
    /// The ring on which it sees them; nodes of one membership name the same.
    pub ring: String,
    pub quorate: bool,
}

impl Membership {
    /// `None` where corosync does not answer.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'))
                .map(str::trim)
        };
        let table = text
            .lines()
            .skip_while(|line| !line.trim_start().starts_with("Nodeid"));
        let ids = table.filter_map(|row| row.split_whitespace().next()?.parse().ok());
        // The qdevice stands there as 0.
        let mut members: Vec<u32> = ids.filter(|id| *id != 0).collect();
        members.sort_unstable();
        Some(Self {
            members,
            nodes: value("Nodes")?.parse().ok()?,
            ring: value("Ring ID")?.to_owned(),
            quorate: value("Quorate")? == "Yes",
        })
    }
}

pub(crate) fn node_name(number: usize) -> String {
    format!("pve-{number:02}")
}

/// Each link has a network of its own; the host part is the same in all.
pub(crate) fn address(number: usize, link: usize) -> String {
    format!("10.{}.0.{}", 20 + link, 10 + number)
}

/// The same for all nodes, as on a Proxmox VE cluster. corosync reads one statement a line only.
pub(crate) fn conf(plan: &Plan) -> String {
    let (nodes, links) = (plan.nodes, plan.links);
    let mut text = String::from(
        "logging {\n  debug: off\n  to_logfile: yes\n  to_syslog: no\n  \
         logfile: /var/log/corosync/corosync.log\n  timestamp: hires\n}\n\nnodelist {\n",
    );
    for number in 1..=nodes {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  node {{\n    name: {}\n    nodeid: {number}\n    quorum_votes: 1\n",
            node_name(number)
        );
        for link in 0..links {
            let _ = writeln!(text, "    ring{link}_addr: {}", address(number, link));
        }
        text.push_str("  }\n");
    }
    text.push_str("}\n\nquorum {\n  provider: corosync_votequorum\n");
    for statement in &plan.quorum {
        let _ = writeln!(text, "  {statement}");
    }
    text.push_str("}\n\ntotem {\n  cluster_name: rack\n  config_version: 1\n");
    if let Some(ms) = plan.token_ms {
        let _ = write!(text, "  token: {ms}\n  token_coefficient: 0\n");
    }
    for link in 0..links {
        let _ = write!(text, "  interface {{\n    linknumber: {link}\n  }}\n");
    }
    text.push_str("  ip_version: ipv4-6\n  link_mode: passive\n  secauth: off\n  version: 2\n}\n");
    // Where memory cannot be locked, knet would not start.
    text.push_str("\nsystem {\n  allow_knet_handle_fallback: yes\n");
    if plan.token_ms.is_some() {
        // Many of them on few cores: first in the row, but never before everything else.
        text.push_str("  sched_rr: no\n  priority: max\n");
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_membership_is_read_from_quorumtool() {
        let text = "Quorum information\n------------------\nNodes:            3\nNode ID:          1\n\
                    Ring ID:          1.19\nQuorate:          Yes\n\n\
                    Membership information\n----------------------\n    Nodeid      Votes    Qdevice Name\n         \
                    1          1    A,V,NMW pve-01 (local)\n         3          1    A,V,NMW pve-03\n         \
                    0          1            Qdevice\n";
        let expected = Membership {
            nodes: 3,
            members: vec![1, 3],
            ring: "1.19".to_owned(),
            quorate: true,
        };
        assert_eq!(Membership::parse(text), Some(expected));
        assert_eq!(
            Membership::parse("Cannot initialize QUORUM service\n"),
            None
        );
    }

    #[test]
    fn every_statement_of_the_configuration_is_on_a_line_of_its_own() {
        let plan = Plan::new(8, 2).token_ms(1_000).quorum("wait_for_all: 1");
        for line in conf(&plan).lines() {
            let statements = line.matches(": ").count();
            assert!(
                statements <= 1 && !(statements == 1 && line.contains('{')),
                "{line}"
            );
        }
    }
}
