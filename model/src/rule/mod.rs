//! What is wrong, one rule a file. Each has a row in [`ALL`] and a page in `docs/rules`, which is what
//! `quorate explain` prints.
//!
//! A rule looks at fresh facts alone ([`FreshNode`]), and what is unknown makes it silent: whether a finding that was
//! there is over is for [`crate::incident`] to say, which knows what each rests on.

#[cfg(test)]
mod cluster_tests;
mod configured;
#[cfg(test)]
mod ha_testing;
mod ha_view;
mod lacp;
pub(crate) mod membership;
mod networks;
#[cfg(test)]
mod ordinary;
mod peers;
mod stack;
#[cfg(test)]
mod stories;
mod thresholds;
mod vlans;

use crate::cluster::{Cluster, FreshNode, Now};
use crate::finding::Finding;
use crate::gate::CephAnswer;
use crate::lease::Leases;
use crate::name::NodeName;
use crate::topology::Site;

pub use thresholds::{Override, Thresholds, Tuned};

/// Where a rule looks.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// At one node by itself: looked again only when that node said something.
    Node(fn(&FreshNode<'_>, &Tuned<'_>) -> Vec<Finding>),
    /// At all nodes together.
    Cluster(fn(&Scene<'_>) -> Vec<Finding>),
}

/// The whole cluster at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub cluster: &'a Cluster,
    pub now: Now,
    pub thresholds: &'a Thresholds,
    /// What the operator declared.
    pub site: &'a Site,
    /// `None`: which are held cannot be read.
    pub leases: Option<&'a Leases>,
    /// What Ceph was asked for this verdict.
    pub ceph_answers: &'a [CephAnswer],
}

impl<'a> Scene<'a> {
    /// Of what was decided nothing can be read.
    pub fn new(cluster: &'a Cluster, now: Now, thresholds: &'a Thresholds, site: &'a Site) -> Self {
        Self {
            cluster,
            now,
            thresholds,
            site,
            leases: None,
            ceph_answers: &[],
        }
    }

    pub fn with_leases(self, leases: Option<&'a Leases>) -> Self {
        Self { leases, ..self }
    }

    pub fn with_ceph_answers(self, ceph_answers: &'a [CephAnswer]) -> Self {
        Self {
            ceph_answers,
            ..self
        }
    }

    /// The nodes that are heard, with their fresh facts.
    pub fn nodes(&self) -> impl Iterator<Item = FreshNode<'a>> {
        self.cluster.fresh(self.now)
    }

    pub fn node(&self, name: &NodeName) -> Option<FreshNode<'a>> {
        self.nodes().find(|node| node.name() == name)
    }

    pub fn tuned(&self, node: &'a NodeName) -> Tuned<'a> {
        self.thresholds.of(node)
    }
}

#[derive(Debug)]
pub struct Rule {
    /// In lower case with hyphens, as the page is called.
    pub name: &'static str,
    /// Its first line is `# ` and one sentence.
    pub page: &'static str,
    look: Look,
}

impl Rule {
    /// The page's one sentence.
    pub fn title(&self) -> &'static str {
        let first = self.page.lines().next().unwrap_or_default();
        first.trim_start_matches("# ")
    }

    /// What it finds in all of the cluster.
    pub fn look(&self, scene: &Scene<'_>) -> Vec<Finding> {
        match self.look {
            Look::Node(look) => {
                let of_node = |node: FreshNode<'_>| look(&node, &scene.tuned(node.name()));
                self.named(scene.nodes().flat_map(of_node).collect())
            }
            Look::Cluster(look) => self.named(look(scene)),
        }
    }

    fn named(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        for finding in &mut findings {
            finding.rule = self.name;
        }
        findings
    }
}

/// The rule of this name.
pub fn named(name: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.name == name)
}

/// All that all rules find.
pub fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    ALL.iter().flat_map(|rule| rule.look(scene)).collect()
}

/// Makes of one table the modules, the rows and the pages.
macro_rules! rules {
    ($($file:ident: $name:literal, $look:ident;)+) => {
        $(mod $file;)+

        /// Every rule, the causes of each family before their symptoms.
        pub const ALL: &[Rule] = &[
            $(Rule {
                name: $name,
                page: include_str!(concat!("../../../docs/rules/", $name, ".md")),
                look: Look::$look($file::look),
            },)+
        ];

        /// The file of each rule, for the test that looks for its tests.
        #[cfg(test)]
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!(stringify!($file), ".rs"))),)+];
    };
}

rules! {
    node_in_maintenance: "node-in-maintenance", Cluster;
    lease_overdue: "lease-overdue", Cluster;
    lease_withdrawn: "lease-withdrawn", Cluster;
    lease_overridden: "lease-overridden", Cluster;
    lease_broken: "lease-broken", Cluster;
    switch_down: "switch-down", Cluster;
    bond_no_active_port: "bond-no-active-port", Node;
    bond_ports_missing: "bond-ports-missing", Node;
    bond_flapping: "bond-flapping", Node;
    bond_no_lacp_partner: "bond-no-lacp-partner", Node;
    bond_partners_differ: "bond-partners-differ", Node;
    bond_aggregators_differ: "bond-aggregators-differ", Node;
    bond_port_churned: "bond-port-churned", Node;
    bond_speeds_differ: "bond-speeds-differ", Node;
    bond_speed_unknown: "bond-speed-unknown", Node;
    bond_degraded: "bond-degraded", Node;
    bond_no_monitoring: "bond-no-monitoring", Node;
    link_hung: "link-hung", Node;
    link_flapping: "link-flapping", Node;
    link_errors: "link-errors", Node;
    link_slower_than_peers: "link-slower-than-peers", Cluster;
    mtu_stack_mismatch: "mtu-stack-mismatch", Node;
    mtu_peers_differ: "mtu-peers-differ", Cluster;
    mtu_path_smaller: "mtu-path-smaller", Cluster;
    link_slower_than_before: "link-slower-than-before", Node;
    bridge_without_port: "bridge-without-port", Cluster;
    bridge_missing: "bridge-missing", Cluster;
    bridge_not_vlan_aware: "bridge-not-vlan-aware", Cluster;
    vlan_missing_on_bridge: "vlan-missing-on-bridge", Cluster;
    vlan_interface_missing: "vlan-interface-missing", Cluster;
    vlan_missing_on_switch: "vlan-missing-on-switch", Cluster;
    vlan_not_seen: "vlan-not-seen", Cluster;
    switch_contradicted: "switch-contradicted", Cluster;
    cluster_out_of_sight: "cluster-out-of-sight", Cluster;
    late_history: "late-history", Cluster;
    corosync_quorum_lost: "corosync-quorum-lost", Cluster;
    corosync_node_left: "corosync-node-left", Cluster;
    node_silent: "node-silent", Cluster;
    corosync_margin: "corosync-margin", Cluster;
    corosync_two_quorate_parts: "corosync-two-quorate-parts", Cluster;
    node_rebooted: "node-rebooted", Cluster;
    node_shutting_down: "node-shutting-down", Cluster;
    ha_would_fence: "ha-would-fence", Cluster;
    ha_watchdog_expiring: "ha-watchdog-expiring", Node;
    ha_lrm_lost_lock: "ha-lrm-lost-lock", Node;
    ha_lrm_silent: "ha-lrm-silent", Cluster;
    ha_service_error: "ha-service-error", Cluster;
    corosync_network_down: "corosync-network-down", Cluster;
    corosync_link_down: "corosync-link-down", Cluster;
    corosync_one_way_link: "corosync-one-way-link", Cluster;
    corosync_qdevice_not_voting: "corosync-qdevice-not-voting", Cluster;
    corosync_expected_lowered: "corosync-expected-lowered", Cluster;
    corosync_retransmits: "corosync-retransmits", Cluster;
    corosync_slow_reforming: "corosync-slow-reforming", Cluster;
    corosync_config_drift: "corosync-config-drift", Cluster;
    corosync_address_differs: "corosync-address-differs", Node;
    corosync_link_flapping: "corosync-link-flapping", Cluster;
    corosync_latency: "corosync-latency", Cluster;
    corosync_captured_ring: "corosync-captured-ring", Node;
    corosync_over_bond: "corosync-over-bond", Cluster;
    corosync_single_link: "corosync-single-link", Cluster;
    corosync_links_together: "corosync-links-together", Cluster;
    corosync_shared_path: "corosync-shared-path", Cluster;
    ha_maintenance_lasting: "ha-maintenance-lasting", Cluster;
    node_would_not_return: "node-would-not-return", Node;
    node_clock_skew: "node-clock-skew", Cluster;
    node_clock_unsynchronised: "node-clock-unsynchronised", Node;
    node_certificate: "node-certificate", Cluster;
    node_versions_differ: "node-versions-differ", Cluster;
    dependency_inside: "dependency-inside", Cluster;
    corosync_even_votes: "corosync-even-votes", Cluster;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_has_a_page_with_all_that_a_page_must_say() {
        let mut names = BTreeSet::new();
        for rule in ALL {
            assert!(names.insert(rule.name), "{} stands twice", rule.name);
            assert!(rule.page.starts_with("# "), "{}: no title", rule.name);
            for section in ["## Meaning", "## Evidence", "## What to do", "## Way back"] {
                let found = rule.page.contains(&format!("\n{section}\n"));
                assert!(found, "{}: no section {section}", rule.name);
            }
        }
    }

    /// Late history is not found by a look at the nodes, and has its tests where it is built.
    const NEVER_FINDS: &[&str] = &[crate::incident::late::RULE];

    #[test]
    fn every_rule_is_tested_for_what_it_finds_and_for_where_it_is_silent() {
        for (name, file) in FILES.iter().filter(|(name, _)| !NEVER_FINDS.contains(name)) {
            let tests = file
                .split_once("#[cfg(test)]")
                .map_or("", |(_, tests)| tests);
            let has = |words: &[&str]| words.iter().any(|word| tests.contains(word));
            let fires = ["assert_eq!(", "check(", ".starts_with(", ".contains("];
            assert!(
                has(&fires),
                "{name}: no test in its file says what it finds"
            );
            assert!(
                has(&["is_empty()", ", &[])", ", [])"]),
                "{name}: no test in its file says where it is silent"
            );
        }
    }
}
