//! Draws situations and questions: the same at each run with the same seed.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::ceph::{Ceph, CephSays};
use super::fault::Fault;
use super::situation::{Collector, Device, Question, Rules, Situation};
use crate::fact::ha::ServiceState;
use crate::fact::ha_config::ShutdownPolicy;
use crate::fact::power::PowerState;
use crate::fact::tasks::TaskKind;
use crate::gate::Action;
use crate::lease::State;
use crate::report::Family;

/// Families that no question about a reboot needs.
const NEVER_NEEDED: &[Family] = &[
    Family::Lldp,
    Family::Ovs,
    Family::Certificates,
    Family::Packages,
    Family::Journal,
    Family::Time,
    Family::Host,
    Family::Agent,
    Family::Storage,
    Family::Quorumtool,
    Family::Members,
    Family::Bridges,
];

/// What a verdict rests on more often than on the others.
const TELLING: &[Family] = &[
    Family::Corosync,
    Family::CorosyncConf,
    Family::Cmap,
    Family::Power,
    Family::Boot,
    Family::Interfaces,
    Family::Links,
    Family::Bonds,
    Family::Tasks,
    Family::Guests,
    Family::Ha,
    Family::Ceph,
];

fn one<T: Clone>(random: &mut Rng, of: &[T]) -> T {
    of[random.usize(..of.len())].clone()
}

fn one_in(random: &mut Rng, many: u32) -> bool {
    random.u32(..many) == 0
}

fn some_nodes(random: &mut Rng, nodes: u32, most: usize) -> BTreeSet<u32> {
    (0..random.usize(1..=most))
        .map(|_| random.u32(1..=nodes))
        .collect()
}

pub(super) fn family(random: &mut Rng) -> Family {
    let all = if random.bool() { TELLING } else { Family::ALL };
    one(random, all)
}

pub(super) fn action(random: &mut Rng) -> Action {
    let all = [
        Action::Reboot,
        Action::Shutdown,
        Action::Upgrade,
        Action::Network,
    ];
    one(random, &all)
}

/// One to three nodes, asked about by whoever; where a half can go on alone, the other half too.
pub(super) fn question(random: &mut Rng, situation: &Situation) -> Question {
    let of_lease = situation.lease.as_ref().map(|(nodes, _)| nodes.clone());
    let own = of_lease.filter(|_| random.bool());
    let nodes = situation.nodes;
    let half = (nodes / 2 + 1..=nodes).collect();
    let half = Some(half).filter(|_| situation.rules == Rules::TieBreaker && random.bool());
    Question {
        nodes: own.or(half).unwrap_or_else(|| {
            let most = one(random, &[1, 1, 1, 2, 3]);
            some_nodes(random, nodes, most)
        }),
        action: action(random),
        is_holder: one_in(random, 3),
        ceph: ceph_says(random),
    }
}

/// Small clusters with anything in them.
pub(super) fn anything(random: &mut Rng) -> Situation {
    let mut drawn = Situation::nothing_wrong(random.u32(3..=8));
    let nodes = drawn.nodes;
    drawn.is_one_link = one_in(random, 3);
    drawn.device = device(random, nodes);
    drawn.collector = collector(random, nodes);
    if drawn.device == Device::None {
        drawn.rules = rules(random, nodes);
    }
    if one_in(random, 5) {
        drawn.away = some_nodes(random, nodes, 2);
    } else if one_in(random, 6) {
        drawn.away = (1..=nodes / 2).collect();
    }
    if one_in(random, 3) {
        drawn.accepted.clone_from(&drawn.away);
    }
    // How qnetd hears the parts of a cluster that it runs in itself is another question.
    drawn.is_split = matches!(drawn.device, Device::None | Device::External) && random.bool();
    if one_in(random, 5) {
        drawn.silent = some_nodes(random, nodes, 2);
    }
    if one_in(random, 5) {
        let state = one(random, &[State::Granted, State::Withdrawn, State::Departed]);
        drawn.lease = Some((some_nodes(random, nodes, 2), state));
    }
    drawn.policy = policy(random);
    drawn.ceph = ceph(random);
    for _ in 0..random.u32(0..3) {
        let fault = if one_in(random, 3) {
            lost(random, nodes)
        } else {
            let on = random.u32(1..=nodes);
            fault(random, on, nodes)
        };
        drawn.faults.push(fault);
    }
    if one_in(random, 10) {
        drawn
            .faults
            .push(Fault::SaysNoQuorum(random.u32(1..=nodes)));
    }
    drawn.settle();
    drawn
}

/// What a cluster of any size is like on a day when somebody wants to take this node of it away.
pub(super) fn everyday(random: &mut Rng) -> (Situation, u32) {
    let mut drawn = Situation::nothing_wrong(random.u32(3..=32));
    let nodes = drawn.nodes;
    let target = random.u32(1..=nodes);
    let another = random.u32(1..=nodes);
    drawn.is_one_link = one_in(random, 3);
    drawn.device = device(random, nodes);
    drawn.collector = collector(random, nodes);
    if one_in(random, 8) {
        drawn.away = BTreeSet::from([one(random, &[target, another])]);
        drawn.is_split = matches!(drawn.device, Device::None | Device::External) && random.bool();
    }
    if one_in(random, 4) {
        drawn.silent = some_nodes(random, nodes, 1);
    }
    if one_in(random, 12) {
        drawn.lease = Some((some_nodes(random, nodes, 2), State::Granted));
    }
    drawn.policy = policy(random);
    drawn.ceph = ceph(random);
    for _ in 0..random.u32(0..3) {
        let on = one(random, &[target, another, another]);
        drawn.faults.push(fault(random, on, nodes));
    }
    for _ in 0..random.u32(0..4) {
        let (on, is_failed) = (random.u32(1..=nodes), random.bool());
        let family = one(random, NEVER_NEEDED);
        drawn.faults.push(Fault::Lost {
            on,
            family,
            is_failed,
        });
    }
    if one_in(random, 3) {
        drawn.faults.push(lost(random, nodes));
    }
    drawn.settle();
    (drawn, target)
}

impl Situation {
    /// Who is away without being heard is silent, and of a silent node nobody hears what is wrong with it; nor of one
    /// whose readings are lost. Nothing is wrong twice.
    fn settle(&mut self) {
        if !self.is_split {
            self.silent.extend(self.away.iter().copied());
        }
        let (is_one_link, silent) = (self.is_one_link, self.silent.clone());
        let lost: Vec<u32> = self.faults.iter().filter_map(Fault::hides).collect();
        let mut had = Vec::new();
        self.faults.retain(|fault| match fault {
            Fault::LinkDown(on) => !is_one_link && !silent.contains(on),
            // The only link that they have would be cut.
            Fault::PairCut(one, other) => !is_one_link && one != other,
            Fault::Lost { on, .. } => !silent.contains(on),
            _ => {
                let kind = (std::mem::discriminant(fault), fault.on());
                let is_first = !had.contains(&kind);
                had.push(kind);
                let is_told = |on: u32| !silent.contains(&on) && !lost.contains(&on);
                is_first && fault.on().is_none_or(is_told)
            }
        });
        if let Device::On(host) | Device::FoundOn(host) = self.device
            && (self.away.contains(&host) || self.silent.contains(&host))
        {
            self.device = Device::Mute;
        }
        if let Collector::On(host) | Collector::InGuestOf(host) | Collector::FoundOn(host) =
            self.collector
            && (self.away.contains(&host) || self.silent.contains(&host))
        {
            self.collector = Collector::External;
        }
    }
}

impl Fault {
    /// The node of which nobody hears what is wrong with it.
    fn hides(&self) -> Option<u32> {
        match self {
            Self::Lost { on, family, .. } if TELLING.contains(family) => Some(*on),
            _ => None,
        }
    }
}

fn device(random: &mut Rng, nodes: u32) -> Device {
    let host = random.u32(1..=nodes);
    one(
        random,
        &[
            Device::None,
            Device::None,
            Device::None,
            Device::External,
            Device::External,
            Device::Somewhere,
            Device::On(host),
            Device::FoundOn(host),
            Device::Mute,
        ],
    )
}

fn collector(random: &mut Rng, nodes: u32) -> Collector {
    let host = random.u32(1..=nodes);
    one(
        random,
        &[
            Collector::Somewhere,
            Collector::Somewhere,
            Collector::External,
            Collector::On(host),
            Collector::InGuestOf(host),
            Collector::FoundOn(host),
        ],
    )
}

/// Of an odd number of votes no two halves can be made.
fn rules(random: &mut Rng, nodes: u32) -> Rules {
    match random.u32(0..8) {
        0 => Rules::WaitForAll,
        1 => Rules::LastManStanding,
        2 | 3 if nodes.is_multiple_of(2) => Rules::TieBreaker,
        _ => Rules::Plain,
    }
}

fn ceph(random: &mut Rng) -> Ceph {
    let all = [Ceph::None, Ceph::None, Ceph::Listed, Ceph::Listed];
    if one_in(random, 10) {
        return Ceph::Unlisted;
    }
    one(random, &all)
}

/// Yes more often than all else.
pub(super) fn ceph_says(random: &mut Rng) -> CephSays {
    if random.bool() {
        return CephSays::Yes;
    }
    one(random, &CephSays::ALL)
}

fn policy(random: &mut Rng) -> Option<ShutdownPolicy> {
    let all = [
        None,
        Some(ShutdownPolicy::Conditional),
        Some(ShutdownPolicy::Freeze),
        Some(ShutdownPolicy::Failover),
        Some(ShutdownPolicy::Migrate),
    ];
    one(random, &all)
}

fn fault(random: &mut Rng, on: u32, nodes: u32) -> Fault {
    let other = random.u32(1..=nodes);
    match random.u32(0..14) {
        0 => Fault::Power {
            on,
            state: going(random),
        },
        1 | 2 => Fault::PortDown(on),
        3 => Fault::LinkDown(on),
        4 => Fault::PairCut(on, other),
        5 | 6 => Fault::Task {
            on,
            kind: task_kind(random),
            alive: one(random, &[Some(true), Some(false), None]),
        },
        7 => Fault::Held(on),
        8 => Fault::MoreGuests(on),
        9 | 10 => Fault::Service {
            on,
            state: service_state(random),
            is_tied: random.bool(),
        },
        11 => Fault::DiskFull(on),
        12 => Fault::SlowToken,
        _ => Fault::OldBackups(on),
    }
}

fn lost(random: &mut Rng, nodes: u32) -> Fault {
    Fault::Lost {
        on: random.u32(1..=nodes),
        family: family(random),
        is_failed: random.bool(),
    }
}

pub(super) fn going(random: &mut Rng) -> PowerState {
    let all = [
        PowerState::ShuttingDown,
        PowerState::ShutdownScheduled,
        PowerState::Booting,
        PowerState::Unknown,
    ];
    one(random, &all)
}

fn task_kind(random: &mut Rng) -> TaskKind {
    let all = [
        TaskKind::Backup,
        TaskKind::MigrateVm,
        TaskKind::StartAll,
        TaskKind::Console,
        TaskKind::UpdatePackageLists,
    ];
    one(random, &all)
}

fn service_state(random: &mut Rng) -> ServiceState {
    let all = [
        ServiceState::Started,
        ServiceState::Started,
        ServiceState::Stopped,
        ServiceState::Freeze,
        ServiceState::Migrate,
        ServiceState::Relocate,
        ServiceState::Recovery,
        ServiceState::Error,
    ];
    one(random, &all)
}
