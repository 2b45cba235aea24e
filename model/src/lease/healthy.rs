//! Is a node back, and as it was before? What was well when the lease was taken must be well again; what was amiss then, or
//! is amiss elsewhere, holds nobody up.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Lease, State};
use crate::cluster::FreshNode;
use crate::fact::bond::MiiStatus;
use crate::fact::ha::{Ha, LrmMode};
use crate::fact::link::Link;
use crate::fact::power::PowerState;
use crate::fact::tasks::TaskKind;
use crate::gate::Action;
use crate::name::{IfaceName, LinkNumber, NodeName, VlanId};
use crate::report::Facts as _;
use crate::rule::Scene;
use crate::rule::membership::{all_have, id_of, is_quorate, name_of, nodelist};

/// What was well on a node when its lease was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Of the kernel that ran; empty where nothing was heard of the node.
    pub boot_id: String,
    pub signs: BTreeSet<Sign>,
}

/// One thing that is well. What is not known is no sign.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// The interface has a carrier.
    Link(IfaceName),
    BondPort {
        bond: IfaceName,
        port: IfaceName,
    },
    Vlans {
        port: IfaceName,
        first: VlanId,
        last: VlanId,
    },
    /// Over this link of corosync the node is connected to the peer.
    To {
        link: LinkNumber,
        peer: NodeName,
    },
    /// And the peer to it.
    From {
        link: LinkNumber,
        peer: NodeName,
    },
    LrmActive,
    ClockSynchronised,
}

/// What still keeps a lease from its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub node: NodeName,
    /// Finished.
    pub sentence: String,
}

/// What is well on this node now.
pub fn before(scene: &Scene<'_>, name: &NodeName) -> Before {
    let Some(node) = scene.node(name) else {
        return Before::default();
    };
    Before {
        boot_id: node.node.seen.boot_id.clone(),
        signs: signs(scene, &node),
    }
}

fn signs(scene: &Scene<'_>, node: &FreshNode<'_>) -> BTreeSet<Sign> {
    let mut signs = BTreeSet::new();
    let links = node.links().into_iter().flatten();
    let up = links.filter(|link| link.carrier == Some(true) && is_a_way(link));
    signs.extend(up.map(|link| Sign::Link(link.name.clone())));
    for bond in node.bonds().into_iter().flatten() {
        let up = bond.slaves.iter();
        let up = up.filter(|port| port.mii_status == Some(MiiStatus::Up));
        signs.extend(up.map(|port| Sign::BondPort {
            bond: bond.name.clone(),
            port: port.name.clone(),
        }));
    }
    // Without filtering the VLANs of a bridge are without effect.
    let bridges = node.bridges().into_iter().flatten();
    let bridges = bridges.filter(|bridge| bridge.vlan_filtering == Some(true));
    for port in bridges
        .flat_map(|bridge| &bridge.ports)
        .filter(|port| is_of_the_node(&port.name))
    {
        signs.extend(port.vlans.iter().flatten().map(|vlans| Sign::Vlans {
            port: port.name.clone(),
            first: vlans.first,
            last: vlans.last,
        }));
    }
    signs.extend(knet(scene, node));
    let lrm = |ha: &Ha| ha.lrm.get(node.name())?.mode.clone();
    if node.ha().and_then(lrm) == Some(LrmMode::Active) {
        signs.insert(Sign::LrmActive);
    }
    if node.time().and_then(|time| time.synchronised) == Some(true) {
        signs.insert(Sign::ClockSynchronised);
    }
    signs
}

/// Cards, bonds and VLANs. A bridge without a card is up while a guest is on it, and others come and go with what uses them.
fn is_a_way(link: &Link) -> bool {
    let kind = link.kind.as_deref();
    let is_for_guests = link.master.as_ref().is_some_and(is_made_for_guests);
    matches!(kind, None | Some("bond" | "vlan")) && is_of_the_node(&link.name) && !is_for_guests
}

/// `vmbr0v30`: made by Proxmox VE when the first guest with that tag starts, and the VLAN below it too.
fn is_made_for_guests(bridge: &IfaceName) -> bool {
    let numbers = bridge.as_str().strip_prefix("vmbr");
    let numbers = numbers.and_then(|rest| rest.split_once('v'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(bridge, tag)| is_number(bridge) && is_number(tag))
}

/// Interfaces of guests come back when their guests do, under other names at times.
fn is_of_the_node(name: &IfaceName) -> bool {
    let of_guests = ["tap", "veth", "fwbr", "fwpr", "fwln"];
    !of_guests
        .iter()
        .any(|start| name.as_str().starts_with(start))
}

fn knet(scene: &Scene<'_>, node: &FreshNode<'_>) -> Vec<Sign> {
    let heard: Vec<FreshNode<'_>> = scene.nodes().collect();
    let Some((_, conf)) = nodelist(&heard) else {
        return Vec::new();
    };
    let own = id_of(conf, node.name());
    let mut signs = Vec::new();
    for speaker in &heard {
        let is_own = speaker.name() == node.name();
        let links = speaker.corosync().and_then(|it| it.links.as_ref());
        for link in links.into_iter().flatten() {
            let peers = link.peers.iter().flatten();
            let connected = peers.filter(|peer| {
                peer.connected == Some(true)
                    && peer.local != Some(true)
                    && (is_own || Some(peer.node_id) == own)
            });
            signs.extend(connected.filter_map(|peer| {
                let link = link.link;
                Some(if is_own {
                    let peer = name_of(conf, peer.node_id)?;
                    Sign::To { link, peer }
                } else {
                    let peer = speaker.name().clone();
                    Sign::From { link, peer }
                })
            }));
        }
    }
    signs
}

/// Whether all who are heard and quorate have the node among their members; `None` where they do not agree, or nobody says.
pub(super) fn is_member(scene: &Scene<'_>, name: &NodeName) -> Option<bool> {
    let heard: Vec<FreshNode<'_>> = scene.nodes().collect();
    let (_, conf) = nodelist(&heard)?;
    all_have(&heard, id_of(conf, name)?)
}

/// The nodelist of those who are quorate does not have it any more. That its certificate was sent away says nothing of it.
pub(super) fn is_removed(scene: &Scene<'_>, name: &NodeName) -> bool {
    let quorate: Vec<FreshNode<'_>> = scene.nodes().filter(|node| is_quorate(node)).collect();
    nodelist(&quorate).is_some_and(|(_, conf)| id_of(conf, name).is_none())
}

/// Does it run another kernel than when the lease was taken? Unknown is no.
pub(crate) fn has_rebooted(scene: &Scene<'_>, lease: &Lease, name: &NodeName) -> bool {
    let before = lease.grant.before.get(name);
    let before = before.map_or("", |before| before.boot_id.as_str());
    let now = scene.node(name);
    now.is_some_and(|node| {
        let now = &node.node.seen.boot_id;
        !before.is_empty() && !now.is_empty() && now != before
    })
}

/// Whether somebody may ask for the end although the kernel is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reboot {
    AsPlanned,
    /// Its owner thought better of it.
    NotDone,
}

/// All that keeps the lease from its end.
pub fn missing(scene: &Scene<'_>, lease: &Lease, reboot: Reboot) -> Vec<Missing> {
    let nodes = lease.grant.nodes.iter();
    let nodes = nodes.filter(|name| !is_removed(scene, name));
    let of_node = nodes.flat_map(|name| of_node(scene, lease, name, reboot));
    of_node.collect()
}

fn of_node(scene: &Scene<'_>, lease: &Lease, name: &NodeName, reboot: Reboot) -> Vec<Missing> {
    let missing = |sentence: String| Missing {
        node: name.clone(),
        sentence,
    };
    let Some(node) = scene.node(name) else {
        return vec![missing(format!("nothing is heard of the agent of {name}"))];
    };
    let mut sentences = Vec::new();
    let must_reboot = matches!(lease.grant.action, Action::Reboot | Action::Shutdown);
    let has_boot_id = lease
        .grant
        .before
        .get(name)
        .is_some_and(|before| !before.boot_id.is_empty());
    // Of a node that was silent when the lease was taken nobody knows what ran.
    if must_reboot
        && reboot == Reboot::AsPlanned
        && has_boot_id
        && !has_rebooted(scene, lease, name)
    {
        sentences.push(format!(
            "{name} still runs the kernel of before: it has not rebooted"
        ));
    }
    match is_member(scene, name) {
        Some(true) => {}
        Some(false) => sentences.push(format!("{name} is not in the membership")),
        None => sentences.push(format!(
            "whether {name} is in the membership is not certain"
        )),
    }
    match node.power().map(|power| &power.state) {
        Some(PowerState::Running) => {}
        Some(PowerState::Booting) => sentences.push(format!("{name} has not finished booting")),
        Some(PowerState::ShuttingDown) => sentences.push(format!("{name} is shutting down")),
        Some(PowerState::ShutdownScheduled) => {
            sentences.push(format!("a shutdown of {name} is scheduled"));
        }
        Some(PowerState::Unknown) | None => sentences.push(format!(
            "whether {name} is running or on its way down is not known"
        )),
    }
    // Nothing was done to a node that has not left, so that nothing can be amiss by it.
    let is_untouched =
        reboot == Reboot::NotDone && matches!(lease.state, State::Granted | State::Withdrawn);
    if !is_untouched {
        sentences.extend(not_as_before(scene, lease, &node));
    }
    sentences.into_iter().map(missing).collect()
}

fn not_as_before(scene: &Scene<'_>, lease: &Lease, node: &FreshNode<'_>) -> Vec<String> {
    let name = node.name();
    let mut sentences = Vec::new();
    let tasks = node.tasks().into_iter().flat_map(|tasks| &tasks.running);
    if tasks
        .filter(|task| task.alive != Some(false))
        .any(|task| task.task.kind == TaskKind::StartAll)
    {
        sentences.push(format!("{name} is still starting its guests"));
    }
    let now = signs(scene, node);
    let before = lease.grant.before.get(name);
    let gone = before
        .into_iter()
        .flat_map(|before| before.signs.difference(&now));
    let is_demanded = |sign: &&Sign| sign.is_demanded(scene, lease.grant.action, &now);
    let gone = gone.filter(is_demanded);
    sentences.extend(gone.map(|sign| sign.missing(name)));
    sentences
}

impl Sign {
    /// Whether its absence is this node's: a peer that is away, or of which nothing is heard, is told by itself; VLANs may be
    /// listed in other ranges; and a change of the network changes ports.
    fn is_demanded(&self, scene: &Scene<'_>, action: Action, now: &BTreeSet<Self>) -> bool {
        let is_there = |peer| is_member(scene, peer) == Some(true);
        match self {
            Self::To { peer, .. } => is_there(peer),
            Self::From { peer, .. } => {
                let speaks = scene
                    .node(peer)
                    .is_some_and(|peer| peer.corosync().is_some());
                is_there(peer) && speaks
            }
            Self::Link(_) | Self::BondPort { .. } => action != Action::Network,
            Self::Vlans { port, first, last } => {
                let covers = |vlan: u16| {
                    now.iter().any(|sign| {
                        matches!(sign, Self::Vlans { port: on, first, last }
                            if on == port && (first.get()..=last.get()).contains(&vlan))
                    })
                };
                action != Action::Network && !(first.get()..=last.get()).all(covers)
            }
            Self::LrmActive | Self::ClockSynchronised => true,
        }
    }

    /// It was so before, and is not seen now.
    fn missing(&self, node: &NodeName) -> String {
        match self {
            Self::Link(iface) => format!("{iface} of {node} is not seen to be up, and was before"),
            Self::BondPort { bond, port } => {
                format!("{port} is not seen to be up in {bond} of {node}, and was before")
            }
            Self::Vlans { port, first, last } if first == last => {
                format!("{port} of {node} is not seen to carry VLAN {first}, and did before")
            }
            Self::Vlans { port, first, last } => {
                format!(
                    "{port} of {node} is not seen to carry the VLANs {first} to {last}, and did before"
                )
            }
            Self::To { link, peer } => {
                format!(
                    "{node} is not seen to be connected to {peer} over corosync link {link}, and was before"
                )
            }
            Self::From { link, peer } => {
                format!(
                    "{peer} is not seen to be connected to {node} over corosync link {link}, and was before"
                )
            }
            Self::LrmActive => {
                format!(
                    "the HA manager's local part on {node} is not seen to be active, and was before"
                )
            }
            Self::ClockSynchronised => {
                format!("the clock of {node} is not seen to be synchronised, and was before")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, known, name};
    use crate::fact::power::Power;
    use crate::lease::testing::held;

    fn sentences(world: &World, lease: &Lease) -> Vec<String> {
        let missing = missing(&world.scene(), lease, Reboot::AsPlanned);
        missing.into_iter().map(|one| one.sentence).collect()
    }

    fn world() -> World {
        let mut world = World::of(3);
        world.edit_all(|_, report| {
            report.power = known(Power {
                state: PowerState::Running,
                ..Power::default()
            })
        });
        world
    }

    #[test]
    fn a_node_that_did_not_reboot_is_not_back() {
        let mut world = world();
        let lease = held(&world, "pve-02");
        let expect = "pve-02 still runs the kernel of before: it has not rebooted";
        assert_eq!(sentences(&world, &lease), [expect]);
        world.reboot("pve-02");
        assert_eq!(sentences(&world, &lease), [""; 0]);
    }

    #[test]
    fn what_was_well_before_must_be_well_again_and_what_was_amiss_must_not() {
        let mut world = world();
        world.edit("pve-02", |report| {
            let bonds = crate::cluster::testing::value(&mut report.bonds);
            bonds[0].slaves[0].mii_status = Some(MiiStatus::Down);
        });
        let lease = held(&world, "pve-02");
        world.reboot("pve-02");
        assert_eq!(sentences(&world, &lease), [""; 0]);
        world.edit("pve-02", |report| {
            let bonds = crate::cluster::testing::value(&mut report.bonds);
            bonds[0].slaves[1].mii_status = Some(MiiStatus::Down);
        });
        let expect = "eno2 is not seen to be up in bond0 of pve-02, and was before";
        assert_eq!(sentences(&world, &lease), [expect]);
    }

    #[test]
    fn a_lease_that_was_not_used_is_given_back_whatever_befell_the_others() {
        let mut world = world();
        let lease = held(&world, "pve-02");
        world.leave(3);
        let unused = missing(&world.scene(), &lease, Reboot::NotDone);
        assert_eq!(unused, []);
    }

    #[test]
    fn a_reading_that_is_not_known_any_more_is_no_sign() {
        let mut world = world();
        let lease = held(&world, "pve-02");
        world.reboot("pve-02");
        world.edit("pve-02", |report| {
            report.links = crate::reading::Reading::NeverHeard
        });
        assert!(!sentences(&world, &lease).is_empty());
        assert!(world.cluster.nodes.contains_key(&name("pve-02")));
    }
}
