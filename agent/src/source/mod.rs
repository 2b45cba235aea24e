//! The sources: one file = one thing that a node can tell. Each asks the host for texts, hands them to a parser of
//! the model, and makes one reading of them. A source that fails or panics never stops the others.

mod bonding;
mod bridges;
mod ceph;
mod corosync;
mod corosync_conf;
#[cfg(test)]
mod documented;
mod gather;
mod ha;
mod interfaces;
mod journal;
mod links;
mod lldp;
mod members;
mod ovs;
mod packages;

use std::panic::{AssertUnwindSafe, catch_unwind};

use model::reading::Reading;
use model::report::NodeReport;

use crate::host::{Command, Host};

/// Asks every source once.
pub(crate) fn report(host: &Host) -> NodeReport {
    NodeReport {
        bonds: guarded(|| bonding::collect(host)),
        links: guarded(|| links::collect(host)),
        bridges: guarded(|| bridges::collect(host)),
        interfaces: guarded(|| interfaces::collect(host)),
        corosync: guarded(|| corosync::collect(host)),
        corosync_conf: guarded(|| corosync_conf::collect(host)),
        cmap: guarded(|| corosync::cmap(host)),
        members: guarded(|| members::collect(host)),
        ha: guarded(|| ha::collect(host)),
        packages: guarded(|| packages::collect(host)),
        lldp: guarded(|| lldp::collect(host)),
        ovs: guarded(|| ovs::collect(host)),
        ceph: guarded(|| ceph::collect(host)),
        journal: guarded(|| journal::collect(host)),
    }
}

/// How the cluster, or else the node itself, calls this node.
pub(crate) fn own_name(host: &Host) -> Option<String> {
    members::own_name(host, &mut gather::Gathering::default())
}

/// Every command that any source runs: the whole list that the agent may execute, and what a capture keeps.
pub(crate) const COMMANDS: &[&[Command]] = &[
    links::COMMANDS,
    bridges::COMMANDS,
    corosync::COMMANDS,
    ha::COMMANDS,
    packages::COMMANDS,
    lldp::COMMANDS,
    ovs::COMMANDS,
    ceph::COMMANDS,
    journal::COMMANDS,
];

/// Every file that any source reads, below the root, as patterns for [`Host::expand`].
pub(crate) const FILES: &[&[&str]] = &[
    bonding::FILES,
    interfaces::FILES,
    corosync_conf::FILES,
    members::FILES,
    ha::FILES,
    ceph::FILES,
    journal::FILES,
];

/// The files that the network's configuration is made of, those that only its `source` lines name too.
pub(crate) fn sourced_files(host: &Host) -> Vec<String> {
    interfaces::files(host)
}

/// Why a command is not to be asked on this node, although it may be installed.
pub(crate) fn not_asked(host: &Host, command: &Command) -> Option<&'static str> {
    let is_ceph = ceph::COMMANDS.iter().any(|ceph| ceph.path == command.path);
    (is_ceph && !ceph::is_set_up(host)).then_some("this node has no ceph.conf")
}

/// A source that panics has failed; the others go on.
fn guarded<T>(collect: impl FnOnce() -> Reading<T>) -> Reading<T> {
    catch_unwind(AssertUnwindSafe(collect)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a word");
        Reading::Failed {
            why: format!("the source panicked: {said}; this is a bug in quorate-agent"),
        }
    })
}
