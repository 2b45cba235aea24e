//! Whether it is harmless to stop a node, judged from what is so and not from what is told: by the operator's own rules,
//! and by counting votes on fingers. The quorum machine counts once more, in its own way.

use std::collections::BTreeSet;

use super::ceph::{Ceph, CephSays};
use super::fault::Fault;
use super::situation::{Collector, Device, Question, Situation, node_ids};
use crate::fact::ha::ServiceState;
use crate::fact::ha_config::ShutdownPolicy;
use crate::fact::power::PowerState;
use crate::fact::tasks::TaskKind;
use crate::gate::Action;
use crate::name::NodeId;
use crate::quorum::event::{Event, QdeviceState};
use crate::quorum::forecast::{Forecast, Outlook};
use crate::report::Family;

/// One side of the cluster, as it is now.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) nodes: BTreeSet<u32>,
    pub(super) was_quorate: bool,
    /// With these nodes gone.
    pub(super) votes_after: u32,
    pub(super) needed: u32,
}

/// What both sides have, with and without the nodes asked about. A qdevice that nobody knows the place of counts for
/// nobody afterwards.
pub(super) fn sides(situation: &Situation, gone: &BTreeSet<u32>) -> Vec<Side> {
    let all: BTreeSet<u32> = (1..=situation.nodes).collect();
    let rest = &all - &situation.away;
    let away = if situation.is_split {
        situation.away.clone()
    } else {
        BTreeSet::new()
    };
    let has_device = situation.device != Device::None;
    let needed = (situation.nodes + u32::from(has_device)) / 2 + 1;
    let is_larger = |one: &BTreeSet<u32>, other: &BTreeSet<u32>| {
        // Of two halves the device takes the one with the lowest node.
        (one.len(), std::cmp::Reverse(one.first()))
            > (other.len(), std::cmp::Reverse(other.first()))
    };
    let side = |nodes: &BTreeSet<u32>, other: &BTreeSet<u32>| {
        let votes_now = has_device && situation.device != Device::Mute && is_larger(nodes, other);
        let is_half = nodes.len() * 2 >= all.len();
        let now = u32::from(votes_now && is_half);
        let after = match situation.device {
            Device::External => now,
            Device::On(host) | Device::FoundOn(host) if !gone.contains(&host) => now,
            _ => 0,
        };
        Side {
            was_quorate: count(nodes) + now >= needed,
            votes_after: count(&(nodes - gone)) + after,
            needed,
            nodes: nodes.clone(),
        }
    };
    let both = [side(&rest, &away), side(&away, &rest)];
    both.into_iter()
        .filter(|side| !side.nodes.is_empty())
        .collect()
}

fn count(nodes: &BTreeSet<u32>) -> u32 {
    u32::try_from(nodes.len()).unwrap()
}

/// Everybody who had quorum and stays has it by the count of fingers.
pub(super) fn enough_stay(situation: &Situation, gone: &BTreeSet<u32>) -> bool {
    let sides = sides(situation, gone);
    let stays = |side: &&Side| !side.nodes.is_subset(gone);
    let mut had = sides.iter().filter(|side| side.was_quorate).filter(stays);
    had.all(|side| side.votes_after >= side.needed)
        && sides.iter().any(|side| side.was_quorate && stays(&side))
}

/// Everybody who had quorum and stays has it by the machine, whether the nodes are lost or leave in good order, and
/// wherever the qdevice is that nobody knows the place of.
pub(super) fn machine_confirms(situation: &Situation, gone: &BTreeSet<u32>) -> bool {
    let before = situation.voters(situation.config());
    let quorate: Vec<NodeId> = before
        .partitions()
        .into_iter()
        .filter(|partition| partition.quorate)
        .flat_map(|partition| partition.nodes)
        .filter(|id| !gone.contains(&id.get()))
        .collect();
    let takes_device = match situation.device {
        Device::On(host) | Device::FoundOn(host) => vec![gone.contains(&host)],
        Device::Somewhere => vec![false, true],
        Device::None | Device::External | Device::Mute => vec![false],
    };
    let keeps = |event: Event, takes_device: bool| {
        let voters = before.clone();
        let voters = if takes_device {
            voters.with_qdevice(QdeviceState::Away)
        } else {
            voters
        };
        let after = Forecast::of(voters).step(&event).unwrap();
        let outlooks = after.partitions();
        quorate.iter().all(|id| {
            let of = |outlook: &&Outlook| outlook.partition.nodes.contains(id);
            let outlook = outlooks.iter().find(of).unwrap();
            outlook.certain && outlook.partition.quorate
        })
    };
    !quorate.is_empty()
        && takes_device.into_iter().all(|takes| {
            keeps(Event::Down(node_ids(gone)), takes) && keeps(Event::Leave(node_ids(gone)), takes)
        })
}

/// Why it does harm to stop this node; `None`: it is harmless.
pub(super) fn harm(situation: &Situation, question: &Question) -> Option<&'static str> {
    let target = *question.nodes.first().unwrap();
    let is_out = situation.away.contains(&target);
    let missed = &situation.away - &situation.accepted;
    let others_away = missed.iter().any(|id| *id != target);
    if others_away {
        return Some("another node is away");
    }
    if !is_out && !enough_stay(situation, &question.nodes) {
        return Some("too few votes stay");
    }
    if let Collector::On(host) | Collector::InGuestOf(host) | Collector::FoundOn(host) =
        situation.collector
        && host == target
    {
        return Some("the collector goes");
    }
    if situation.lease.is_some() {
        return Some("somebody else is at it");
    }
    if situation.ceph == Ceph::Listed && question.ceph == CephSays::No {
        return Some("Ceph needs what runs there");
    }
    let mut faults = situation.faults.iter();
    faults.find_map(|fault| harm_of(situation, question.action, target, fault))
}

fn harm_of(
    situation: &Situation,
    action: Action,
    target: u32,
    fault: &Fault,
) -> Option<&'static str> {
    let stops_services = action != Action::Network;
    match fault {
        Fault::Power { state, .. }
            if !matches!(state, PowerState::Unknown | PowerState::Running) =>
        {
            Some("a node is going or coming")
        }
        Fault::Task { on, kind, alive } if *on == target && *alive != Some(false) => {
            let is_idle = matches!(kind, TaskKind::Console | TaskKind::UpdatePackageLists);
            (!is_idle).then_some("a task runs")
        }
        Fault::Held(on) if *on == target => Some("a guest is held"),
        Fault::DiskFull(on) if *on == target => Some("it would not come back"),
        Fault::Service { on, state, .. } if *on == target && stops_services => {
            let is_moving = matches!(
                state,
                ServiceState::Migrate | ServiceState::Relocate | ServiceState::Recovery
            );
            let is_tied = situation.is_tied(target);
            let waits = situation.policy == Some(ShutdownPolicy::Migrate) && is_tied;
            (is_moving || waits).then_some("a service is stuck")
        }
        _ => None,
    }
}

impl Situation {
    fn is_tied(&self, node: u32) -> bool {
        self.faults
            .iter()
            .any(|fault| matches!(fault, Fault::Service { on, is_tied: true, .. } if *on == node))
    }
}

/// Without these of the node itself nobody knows what becomes of it.
const NEEDED: &[Family] = &[
    Family::Power,
    Family::Boot,
    Family::Interfaces,
    Family::Links,
    Family::Tasks,
    Family::Guests,
    Family::Ha,
    Family::Ceph,
    Family::Corosync,
];

/// What is missing to judge it; `None`: the evidence is complete.
pub(super) fn gap(situation: &Situation, question: &Question) -> Option<&'static str> {
    let target = *question.nodes.first().unwrap();
    let is_out = situation.away.contains(&target);
    if situation.silent.contains(&target) && !is_out {
        return Some("the node itself is silent");
    }
    if situation.silent.iter().filter(|id| **id != target).count() > 1 {
        return Some("several agents are silent");
    }
    let tells_votes = |id: &u32| situation.is_heard(*id) && !situation.lacks(*id, Family::Corosync);
    let tells_nodes =
        |id: &u32| situation.is_heard(*id) && !situation.lacks(*id, Family::CorosyncConf);
    let members = || (1..=situation.nodes).filter(|id| !situation.away.contains(id));
    if members().filter(tells_votes).count() < 2 {
        return Some("nobody confirms the votes");
    }
    if !(1..=situation.nodes).any(|id| tells_nodes(&id)) {
        return Some("nobody tells the nodes");
    }
    let can_ask =
        |id: &u32| *id != target && situation.is_heard(*id) && !situation.lacks(*id, Family::Ceph);
    match situation.ceph {
        Ceph::None => {}
        Ceph::Unlisted => return Some("nobody tells of Ceph's daemons"),
        Ceph::Listed if question.ceph != CephSays::Yes => return Some("Ceph does not say yes"),
        Ceph::Listed if !(1..=situation.nodes).any(|id| can_ask(&id)) => {
            return Some("nobody can ask Ceph");
        }
        Ceph::Listed => {}
    }
    let is_gap = |fault: &Fault| match fault {
        Fault::Power { on, state } => *on == target && *state == PowerState::Unknown,
        Fault::Lost { on, family, .. } => *on == target && NEEDED.contains(family),
        _ => false,
    };
    let mut faults = situation.faults.iter();
    faults
        .any(is_gap)
        .then_some("a reading of the node itself is missing")
}

impl Situation {
    fn lacks(&self, node: u32, of: Family) -> bool {
        self.faults.iter().any(
            |fault| matches!(fault, Fault::Lost { on, family, .. } if *on == node && *family == of),
        )
    }
}

/// Is there a vote to spare, whoever of a whole cluster is asked about?
pub(super) fn has_margin(situation: &Situation) -> bool {
    let gone = BTreeSet::from([1]);
    let mut sides = sides(situation, &gone).into_iter();
    sides.all(|side| side.votes_after > side.needed)
}
