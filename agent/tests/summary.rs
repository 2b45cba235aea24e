//! The summary of trees captured in the lab machine: what an admin must see at a glance.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may stop at once, as tests do"
)]

use std::path::Path;
use std::process::Command;

const TREES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/fixtures/trees");

#[track_caller]
fn check(tree: &str, lines: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_quorate-agent"))
        .args(["snapshot", "--root"])
        .arg(Path::new(TREES).join(tree))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for line in lines {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
}

#[test]
fn a_healthy_node_shows_votes_links_ports_and_vlans() {
    check(
        "lab-pve-01-healthy",
        &[
            "pve-01, as captured below",
            "  quorate: yes (3 of 3 votes; 2 are needed)\n",
            "  link 0 (10.20.0.11): 2 of 2 peers connected\n",
            "    eno0  up  10000 Mb/s  full  0 failures  aggregator 1  partner 02:00:00:00:fa:10\n",
            "  vmbr0: VLAN-aware",
            "    bond0     forwarding  VLAN 1-4094 (untagged 1)\n",
        ],
    );
}

#[test]
fn a_port_that_is_down_is_seen_in_its_bond_among_the_links_and_in_the_journal() {
    check(
        "lab-pve-01-one-port-down",
        &[
            "    eno1  down  10000 Mb/s  full  1 failure",
            "    eno1      NO CARRIER  MTU 1500",
            "bond0: (slave eno1): link status definitely down, disabling slave\n",
        ],
    );
}

#[test]
fn a_node_without_quorum_says_so_with_its_numbers_and_who_is_gone() {
    check(
        "lab-pve-01-quorum-lost",
        &[
            "  quorate: no (1 of 3 votes; 2 are needed) activity blocked\n",
            "  not in the membership: 2 (pve-02)\n",
            "· not connected: 2 (pve-02), 3 (pve-03)\n",
            "  bond0: 802.3ad down · LACP rate fast · no active aggregator\n",
        ],
    );
}

#[test]
fn what_was_not_captured_is_named_and_never_shown_as_none() {
    check(
        "lab-pve-01-healthy",
        &[
            "  cluster's copy: unknown\n",
            "Not here, or not captured\n  members, ha, guests, tasks, storage, certificates, packages, lldp, ovs, ceph, power, time, host, agent\n",
        ],
    );
}
