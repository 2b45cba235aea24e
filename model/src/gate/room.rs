//! Can another node run a service that HA takes away from this one, and is there memory for all of them? That they find a
//! place each is tried with the largest first, where most is free; HA's own choice may be worse.

use std::collections::BTreeMap;

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::cluster::FreshNode;
use crate::fact::guests::{Disk, Guest};
use crate::fact::ha::HaNodeState;
use crate::fact::ha_config::HaRuleKind;
use crate::fact::storage::{ReplicationJob, Storage};
use crate::finding::Thing;
use crate::name::NodeName;
use crate::report::Facts as _;

const MIB: u64 = 1 << 20;
const GIB: f64 = (1_u64 << 30) as f64;
/// What a guest has whose file names no memory (qm(1), pct(1)).
const USUAL_MIB: u64 = 512;

/// A service that HA starts on, or moves to, another node than this one.
#[derive(Clone, Copy)]
pub(super) struct Leaving<'a> {
    pub(super) node: &'a FreshNode<'a>,
    pub(super) service: &'a str,
}

/// Of all nodes asked about: they leave at once, and to the same others.
pub(super) fn look(case: &Case<'_>, leaving: &[Leaving<'_>], reasons: &mut Vec<Reason>) {
    let mut wanting: Vec<(u64, Leaving<'_>)> = Vec::new();
    for one in leaving {
        let Leaving { node, service } = *one;
        match tied(case, node, service).or_else(|| beside_others(node, service)) {
            Some(why) => {
                let sentence = format!("no other node can run {service}: {why}");
                reasons.push(nowhere(service, sentence));
            }
            None => wanting.extend(needs(node, service).map(|bytes| (bytes, *one))),
        }
    }
    wanting.sort_by_key(|(bytes, one)| (std::cmp::Reverse(*bytes), one.service));
    let mut free = free(case);
    for (bytes, Leaving { node, service }) in wanting {
        let mut may: Vec<(&NodeName, &mut u64)> = free
            .iter_mut()
            .filter(|(name, _)| may_run(node, service, name))
            .map(|(name, free)| (*name, free))
            .collect();
        may.sort_by_key(|(_, free)| **free);
        match may.pop() {
            Some((_, free)) if *free >= bytes => *free -= bytes,
            most => reasons.push(too_large(
                service,
                bytes,
                most.map(|(name, free)| (name, *free)),
            )),
        }
    }
}

fn too_large(service: &str, bytes: u64, most: Option<(&NodeName, u64)>) -> Reason {
    let least = match most {
        Some((name, free)) => format!("{name} has most, {}", gib(free)),
        None => "of none that can run it is it known how much it has".to_owned(),
    };
    let sentence = format!(
        "for {service} ({}) no other node has free memory beside what comes to it before: {least}",
        gib(bytes)
    );
    nowhere(service, sentence)
}

fn nowhere(service: &str, sentence: String) -> Reason {
    Reason::warning(Kind::FitsNowhere, Thing::Service(service.to_owned()), sentence)
        .remedy(format!(
            "Make room first, or let it stand still meanwhile: `ha-manager set {service} --state stopped`."
        ))
        .way_back(format!("`ha-manager set {service} --state started`"))
}

fn gib(bytes: u64) -> String {
    // Of no more digits than are told.
    #[allow(clippy::cast_precision_loss, reason = "a tenth of a GiB is told")]
    let gib = bytes as f64 / GIB;
    format!("{gib:.1} GiB")
}

/// Of the others to which HA takes services, and that tell it.
fn free<'a>(case: &'a Case<'_>) -> BTreeMap<&'a NodeName, u64> {
    let takes = |name: &NodeName| {
        let mut told = case
            .heard
            .iter()
            .filter_map(|node| node.ha()?.manager.as_ref());
        let online = Some(&HaNodeState::Online);
        // What an old copy says counts against it.
        told.all(|manager| manager.node_status.get(name) == online)
    };
    let members = case.others().filter(|node| !case.is_out(node.name()));
    let told = members
        .filter(|node| takes(node.name()))
        .filter_map(|node| {
            let memory = node.host()?.memory.as_ref()?;
            Some((node.name(), memory.available_bytes?))
        });
    told.collect()
}

/// `None`: it is no guest of the node, or it does not say.
fn needs(node: &FreshNode<'_>, service: &str) -> Option<u64> {
    let config = guest(node, id_of(service)?)?.config.as_ref()?;
    Some(config.memory_mib.unwrap_or(USUAL_MIB).saturating_mul(MIB))
}

fn id_of(service: &str) -> Option<u32> {
    service.split_once(':')?.1.parse().ok()
}

fn guest<'a>(node: &'a FreshNode<'_>, id: u32) -> Option<&'a Guest> {
    node.guests()?.here.iter().find(|guest| guest.id == id)
}

/// Whether its disks are there, and no rule or group keeps it away.
fn may_run(node: &FreshNode<'_>, service: &str, other: &NodeName) -> bool {
    let guest = id_of(service).and_then(|id| guest(node, id));
    let has_disks = guest.is_none_or(|guest| {
        let disks = guest.config.iter().flat_map(|config| &config.disks);
        let mut kept = disks.filter(|disk| !disk.cdrom && !disk.slot.starts_with("unused"));
        kept.all(|disk| has_disk(node, guest, disk, other))
    });
    has_disks && kept_to(node, service).iter().all(|set| set.has(other))
}

/// The storage is active there by the last word of pvestatd, and where it is the other node's own, a copy goes there. What is not
/// told is not there.
fn has_disk(node: &FreshNode<'_>, guest: &Guest, disk: &Disk, other: &NodeName) -> bool {
    let Some(storage) = &disk.storage else {
        // An empty drive, or one that the operator says is the same everywhere; else the guest is tied.
        return true;
    };
    let Some(known) = node.storage() else {
        return false;
    };
    let mut configured = known.configured.iter().flatten();
    let Some(config) = configured.find(|config| config.id == *storage) else {
        return false;
    };
    let mut seen = known.seen.iter().flatten();
    let is_active = seen.any(|seen| seen.node == *other && seen.storage == *storage);
    let is_there = config.is_shared() == Some(true)
        || disk.shared
        || copies(known, guest).any(|job| job.target.as_ref() == Some(other));
    config.is_for(other) && is_active && is_there
}

fn copies<'a>(known: &'a Storage, guest: &Guest) -> impl Iterator<Item = &'a ReplicationJob> {
    let id = guest.id;
    let jobs = known.replication.iter().flatten();
    jobs.filter(move |job| job.guest == Some(id) && !job.disabled && !job.removed)
}

/// Why no other node can take it; what is not known of it counts.
pub(super) fn tied(case: &Case<'_>, node: &FreshNode<'_>, service: &str) -> Option<String> {
    let id = id_of(service)?;
    node.guests()?;
    let Some(guest) = guest(node, id) else {
        return Some("its configuration is not known".to_owned());
    };
    let Some(config) = &guest.config else {
        return Some("its configuration cannot be read".to_owned());
    };
    if let Some(device) = config
        .passthrough
        .iter()
        .find(|device| device.mapping.is_none())
    {
        return Some(format!("it holds {} of the host", device.slot));
    }
    let tied = config
        .disks
        .iter()
        .find(|disk| !disk.cdrom && is_local(node, guest, disk));
    if let Some(disk) = tied {
        return Some(format!("its disk {} is on this node alone", disk.slot));
    }
    strictly_here(case, node, service)
}

/// A disk that no other node sees and that is not replicated either. A machine's own disks can be copied along while it
/// moves, but HA does not do that.
fn is_local(node: &FreshNode<'_>, guest: &Guest, disk: &Disk) -> bool {
    if disk.shared || disk.slot.starts_with("unused") {
        return false;
    }
    let Some(storage) = node.storage() else {
        return true;
    };
    let configured = storage.configured.iter().flatten();
    let of_disk = configured
        .filter(|known| Some(&known.id) == disk.storage.as_ref())
        .find_map(|known| known.is_shared());
    of_disk != Some(true) && copies(storage, guest).next().is_none()
}

/// A rule or a group that leaves it no other node.
fn strictly_here(case: &Case<'_>, node: &FreshNode<'_>, service: &str) -> Option<String> {
    let is_other = |name: &NodeName| name != node.name() && !case.is_target(name);
    let mut sets = kept_to(node, service).into_iter();
    let here = sets.find(|set| !set.nodes.iter().any(|(name, _)| is_other(name)))?;
    Some(format!("{} keeps it there", here.by))
}

/// A rule that ties it to other services, or keeps it from them: where these are then is not played.
fn beside_others(node: &FreshNode<'_>, service: &str) -> Option<String> {
    let mut rules = node.ha()?.config.rules.iter().flatten();
    let rule = rules.find(|rule| {
        let is_about = rule.resources.iter().any(|of| of == service);
        !rule.disabled && rule.kind == HaRuleKind::ResourceAffinity && is_about
    })?;
    Some(format!(
        "whether the rule {} lets it is not counted",
        rule.id
    ))
}

/// Nodes outside which a service does not run.
struct KeptTo<'a> {
    by: String,
    nodes: &'a [(NodeName, Option<u32>)],
}

impl KeptTo<'_> {
    fn has(&self, other: &NodeName) -> bool {
        self.nodes.iter().any(|(name, _)| name == other)
    }
}

fn kept_to<'a>(node: &'a FreshNode<'_>, service: &str) -> Vec<KeptTo<'a>> {
    let Some(config) = node.ha().map(|ha| &ha.config) else {
        return Vec::new();
    };
    let rules = config.rules.iter().flatten();
    let strict = rules.filter(|rule| {
        !rule.disabled && rule.strict && rule.resources.iter().any(|of| of == service)
    });
    let strict = strict.map(|rule| KeptTo {
        by: "a strict rule".to_owned(),
        nodes: &rule.nodes,
    });
    let mut resources = config.resources.iter().flatten();
    let resource = resources.find(|of| of.id == service);
    let group = resource.and_then(|resource| {
        let mut groups = config.groups.iter().flatten();
        groups.find(|of| of.restricted && Some(&of.id) == resource.group.as_ref())
    });
    let group = group.map(|group| KeptTo {
        by: format!("group {}", group.id),
        nodes: &group.nodes,
    });
    strict.chain(group).collect()
}
