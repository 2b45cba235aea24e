//! The sources: one file = one thing that a node can tell. Each asks the host for texts, hands them to a parser of
//! the model, and makes one reading of them. A source that fails or panics never stops the others.

mod bonding;
mod boot;
mod bridges;
mod ceph;
mod certificates;
mod clock;
pub(crate) mod corosync;
mod corosync_conf;
#[cfg(test)]
mod documented;
mod gather;
mod guests;
mod ha;
mod interfaces;
pub(crate) mod journal;
mod links;
mod lldp;
mod load;
mod members;
pub(crate) mod ovs;
mod own;
mod packages;
mod power;
pub(crate) mod pve_version;
mod quorumtool;
mod storage;
mod tasks;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use model::fact::tasks::RunningTask;
use model::reading::Reading;
use model::report::{Fact, Family, NodeReport};

use crate::host::{Command, Host};
pub(crate) use power::systemd_version;

/// One source: what it tells, how it is asked, and how often by the running agent.
pub(crate) struct Source {
    pub(crate) family: Family,
    /// It is asked anew after this time even if nothing woke it.
    pub(crate) every: Duration,
    /// If it has not answered by then it has failed, and is not asked again before it comes back.
    pub(crate) deadline: Duration,
    /// What makes the agent ask it at once.
    pub(crate) woken_by: &'static [Wake],
    /// After a wake it is only asked when nothing woke it for so long.
    pub(crate) settle: Duration,
    pub(crate) collect: fn(&Host) -> Fact,
}

/// Something that happened, after which some sources have something new to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// The kernel said that a link, an address or a VLAN changed.
    Network,
    /// corosync said something in the journal.
    Corosync,
    /// The membership, or quorum, is not what it was.
    Membership,
    /// pmxcfs counted up one of its versions, which nothing but asking it tells (see [`pve_version::changed`]).
    Pve,
    /// A guest was made, moved or removed, or its file was written: pmxcfs counts that too, and often.
    Guests,
    /// systemd or logind said in the journal that the node is going down or has come up, or a shutdown is scheduled.
    Power,
    /// A file changed that decides what will be in force after the next boot.
    Boot,
    /// A task of Proxmox VE began or ended.
    Tasks,
    /// The journal's files were written to.
    Journal,
}

/// Every source, in the order in which a report is made.
///
/// The kernel announces a bond's ports, but not what LACP hears from the other side: that is looked at every 2 s.
#[rustfmt::skip]
pub(crate) const SOURCES: &[Source] = &[
    source(Family::Bonds, every_s(2), |host| Fact::Bonds(bonding::collect(host))).woken_by(&[Wake::Network]),
    source(Family::Links, every_s(30), |host| Fact::Links(links::collect(host))).woken_by(&[Wake::Network]),
    source(Family::Bridges, every_s(60), |host| Fact::Bridges(bridges::collect(host))).woken_by(&[Wake::Network]),
    source(Family::Interfaces, every_s(300), |host| Fact::Interfaces(interfaces::collect(host))).woken_by(&[Wake::Boot]),
    source(Family::Corosync, every_s(30), |host| Fact::Corosync(corosync::collect(host))).woken_by(&[Wake::Corosync]),
    source(Family::CorosyncConf, every_s(300), |host| Fact::CorosyncConf(corosync_conf::collect(host))).woken_by(&[Wake::Pve]),
    source(Family::Cmap, every_s(30), |host| Fact::Cmap(corosync::cmap(host))).woken_by(&[Wake::Corosync]),
    source(Family::Quorumtool, every_s(60), |host| Fact::Quorumtool(quorumtool::collect(host))).woken_by(&[Wake::Membership]).once_settled_for(every_s(5)),
    source(Family::Members, every_s(30), |host| Fact::Members(members::collect(host))).woken_by(&[Wake::Pve]),
    source(Family::Ha, every_s(30), |host| Fact::Ha(ha::collect(host))).woken_by(&[Wake::Pve]),
    source(Family::Guests, every_s(300), |host| Fact::Guests(guests::collect(host))).woken_by(&[Wake::Guests, Wake::Tasks]),
    source(Family::Tasks, every_s(300), |host| Fact::Tasks(tasks::collect(host))).woken_by(&[Wake::Tasks]),
    source(Family::Storage, every_s(300), |host| Fact::Storage(storage::collect(host))).woken_by(&[Wake::Pve]),
    source(Family::Certificates, every_s(3600), |host| Fact::Certificates(certificates::collect(host))),
    source(Family::Packages, every_s(3600), |host| Fact::Packages(packages::collect(host))).woken_by(&[Wake::Boot]),
    source(Family::Lldp, every_s(60), |host| Fact::Lldp(lldp::collect(host))),
    source(Family::Ovs, every_s(60), |host| Fact::Ovs(ovs::collect(host))).woken_by(&[Wake::Network]),
    source(Family::Ceph, every_s(60), |host| Fact::Ceph(ceph::collect(host))),
    source(Family::Journal, every_s(60), |host| Fact::Journal(journal::collect(host))).woken_by(&[Wake::Journal]),
    source(Family::Power, every_s(60), |host| Fact::Power(power::collect(host))).woken_by(&[Wake::Power]),
    source(Family::Boot, every_s(300), |host| Fact::Boot(boot::collect(host))).woken_by(&[Wake::Boot]),
    source(Family::Time, every_s(120), |host| Fact::Time(clock::collect(host))),
    source(Family::Host, every_s(60), |host| Fact::Host(load::collect(host))),
    source(Family::Agent, every_s(60), |host| Fact::Agent(own::collect(host))),
];

const fn every_s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn source(family: Family, every: Duration, collect: fn(&Host) -> Fact) -> Source {
    Source {
        family,
        every,
        deadline: Duration::from_secs(30),
        woken_by: &[],
        settle: Duration::ZERO,
        collect,
    }
}

impl Source {
    const fn woken_by(mut self, wakes: &'static [Wake]) -> Self {
        self.woken_by = wakes;
        self
    }

    const fn once_settled_for(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Asks once. A source that panics has failed; the others go on.
    pub(crate) fn ask(&self, host: &Host) -> Fact {
        catch_unwind(AssertUnwindSafe(|| (self.collect)(host))).unwrap_or_else(|panic| {
            let said = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("without a word");
            let why = format!("the source panicked: {said}; this is a bug in quorate-agent");
            self.family.failed(why)
        })
    }
}

/// Asks every source once.
pub(crate) fn report(host: &Host) -> NodeReport {
    let mut report = NodeReport::never_heard();
    for source in SOURCES {
        report.replace(source.ask(host));
    }
    if !host.is_captured() {
        // Captured texts are not of one moment, and corosync's are compared where they are merged.
        quorumtool::compare(&mut report);
    }
    report
}

/// How the cluster, or else the node itself, calls this node.
pub(crate) fn own_name(host: &Host) -> Option<String> {
    members::own_name(host, &mut gather::Gathering::default())
}

/// What `pvecm status` prints, run now: for whoever asks for it in the operator's own format.
pub(crate) fn pvecm_status(host: &Host) -> Reading<String> {
    corosync::pvecm_status(host)
}

/// What Proxmox VE does on this node, looked up now.
pub(crate) fn running_tasks(host: &Host) -> Reading<Vec<RunningTask>> {
    tasks::collect(host).map(|tasks| tasks.running)
}

pub(crate) fn is_ceph_set_up(host: &Host) -> bool {
    ceph::is_set_up(host)
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
    certificates::COMMANDS,
    journal::COMMANDS,
    power::COMMANDS,
    clock::COMMANDS,
];

/// Every file that any source reads, below the root, as patterns for [`Host::expand`].
pub(crate) const FILES: &[&[&str]] = &[
    bonding::FILES,
    links::FILES,
    interfaces::FILES,
    corosync_conf::FILES,
    members::FILES,
    ha::FILES,
    guests::FILES,
    tasks::FILES,
    storage::FILES,
    ceph::FILES,
    journal::FILES,
    packages::FILES,
    power::FILES,
    boot::FILES,
    load::FILES,
];

/// The files that the network's configuration is made of, those that only its `source` lines name too.
pub(crate) fn sourced_files(host: &Host) -> Vec<String> {
    interfaces::files(host)
}

/// Why a command is not to be asked on this node, although it may be installed.
pub(crate) fn not_asked(host: &Host, command: &Command) -> Option<&'static str> {
    let is_ceph = ceph::COMMANDS.iter().any(|ceph| ceph.path == command.path);
    if is_ceph && !ceph::is_set_up(host) {
        return Some("this node has no ceph.conf");
    }
    let is_one_of = |commands: &[Command]| commands.iter().any(|one| one.path == command.path);
    if is_one_of(lldp::COMMANDS) && !host.is_there(lldp::SOCKET) {
        return Some("lldpd does not run here");
    }
    if is_one_of(ovs::COMMANDS) && !host.is_there(ovs::DATABASE_SOCKET) {
        return Some("Open vSwitch does not run here");
    }
    let is_certificate = certificates::COMMANDS
        .iter()
        .any(|one| one.args == command.args);
    // What cannot be listed is asked, and says itself what is wrong.
    let is_there = || certificates::is_there(host, command).unwrap_or(true);
    (is_certificate && !is_there()).then_some("this node has no such certificate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_one_source() {
        let families: Vec<Family> = SOURCES.iter().map(|source| source.family).collect();
        assert_eq!(families, Family::ALL);
    }

    #[test]
    fn a_source_that_panics_has_failed() {
        // What a panic says is not printed in a test run either.
        std::panic::set_hook(Box::new(|_| {}));
        let broken = source(Family::Ovs, every_s(1), |_| panic!("no {}", "bridge"));
        let fact = broken.ask(&Host::here());
        let _ = std::panic::take_hook();
        let why = fact.standing().failed.unwrap().to_owned();
        assert!(why.starts_with("the source panicked: no bridge"), "{why}");
    }
}
