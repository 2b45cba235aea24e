//! What is remembered of a node's past: as much as rules need to say "slower than before" and "again and again".
//!
//! It is bounded, and gone when the collector starts anew: a comparison with the past needs a past, and where there is
//! none nothing is said.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Now, Seen};
use crate::fact::bond::Bond;
use crate::fact::cmap::Cmap;
use crate::fact::ha::{FencingState, Ha, HaNodeState};
use crate::fact::hardware_address::HardwareAddress;
use crate::fact::link::Link;
use crate::fact::lldp::Neighbour;
use crate::fact::power::{Power, PowerState, ShutdownKind};
use crate::fleet::Hearing;
use crate::name::{IfaceName, NodeName};
use crate::report::{Fact, Family};
use crate::topology;

/// Interfaces, bonds and keys of corosync that are remembered, each; guests' interfaces come and go.
pub(super) const MAX_REMEMBERED: usize = 1_024;
/// Transitions of one thing.
pub(super) const MAX_TRANSITIONS: usize = 32;
/// Samples of one counter.
pub(super) const MAX_SAMPLES: usize = 16;
/// Samples of a counter lie at least so far apart.
pub(super) const SAMPLE_EVERY_MS: u64 = 60_000;

/// A counter at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub at_ms: u64,
    pub count: u64,
}

/// One counter: what it says now, and samples of before, the newest last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    samples: VecDeque<Sample>,
    last: u64,
    /// When it rose last, as far as that was seen.
    rose_at_ms: u64,
}

impl Counter {
    fn count(&mut self, count: u64, now: Now) {
        if count < self.last {
            // It began anew, and what it counted before is not to be compared with.
            self.samples.clear();
        }
        let at_ms = now.mono_ms;
        if count > self.last {
            self.rose_at_ms = at_ms;
        }
        self.last = count;
        let newest = self.samples.back();
        if newest.is_some_and(|sample| at_ms < sample.at_ms.saturating_add(SAMPLE_EVERY_MS)) {
            return;
        }
        if self.samples.len() == MAX_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at_ms, count });
    }

    /// By how much it rose within this time before now.
    pub fn rose_within(&self, window_ms: u64, now: Now) -> u64 {
        let since = now.mono_ms.saturating_sub(window_ms);
        // A counter that stands still is not heard of again, and its newest sample can be older than its last rise.
        if self.rose_at_ms < since {
            return 0;
        }
        let base = self
            .samples
            .iter()
            .rev()
            .find(|sample| sample.at_ms <= since)
            .or(self.samples.front());
        base.map_or(0, |base| self.last.saturating_sub(base.count))
    }
}

/// When something went down or came up, the newest last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Transitions {
    at_ms: VecDeque<u64>,
}

impl Transitions {
    fn happened(&mut self, now: Now) {
        if self.at_ms.len() == MAX_TRANSITIONS {
            self.at_ms.pop_front();
        }
        self.at_ms.push_back(now.mono_ms);
    }

    /// At most [`MAX_TRANSITIONS`] are counted.
    pub fn within(&self, window_ms: u64, now: Now) -> usize {
        let since = now.mono_ms.saturating_sub(window_ms);
        self.at_ms.iter().filter(|at| **at >= since).count()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PortPast {
    /// The highest speed that it ran at while its node was seen.
    pub best_speed_mbps: Option<u32>,
    /// The system that answered LACP there last: a port that is down hears none, and its switch is still the same.
    pub lacp_partner: Option<HardwareAddress>,
    /// The one switch that was heard there by LLDP last; it is forgotten on the node soon after the carrier is lost.
    pub chassis: Option<Chassis>,
    /// When its carrier was seen to be lost, as long as it is.
    pub lost_carrier_ms: Option<u64>,
    /// When it was seen to come back last.
    pub got_carrier_ms: Option<u64>,
    /// Losses and returns of its carrier.
    pub carrier: Transitions,
    /// Frames that came damaged: `rx_crc_errors`, or `rx_errors` where the driver tells only that.
    pub damaged: Counter,
    pub tx_errors: Counter,
    pub carrier_changes: Counter,
}

/// One thing of a node's past that a finding was compared with. It is kept with the incident, so that a collector that
/// starts anew finds the same again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recall {
    Speed {
        port: IfaceName,
        best_mbps: u32,
    },
    Ports {
        bond: IfaceName,
        most: usize,
    },
    Switch {
        port: IfaceName,
        chassis: Option<Chassis>,
        lacp_partner: Option<HardwareAddress>,
    },
    /// The node was on its way down: a collector that starts anew while it is away does not hear that from it.
    GoingDown(GoingDown),
}

/// A node on its way down, and how it was heard of first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GoingDown {
    pub kind: ShutdownKind,
    /// By the collector's wall clock.
    pub since_unix_ms: i64,
    /// Of the kernel that ends: with another one the node is back.
    pub boot_id: String,
}

/// A switch, as it calls itself by LLDP.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Chassis {
    pub id: String,
    pub name: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BondPast {
    /// The port in use, where one at a time is.
    pub active: Option<IfaceName>,
    /// Changes of it while there was one before.
    pub active_changes: Transitions,
    /// The most ports that it had while its node was seen.
    pub most_ports: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    pub ports: BTreeMap<IfaceName, PortPast>,
    pub bonds: BTreeMap<IfaceName, BondPast>,
    /// Of a link of corosync to a peer, under its key in corosync's map (`stats.knet.node2.link0`).
    pub knet: BTreeMap<String, Transitions>,
    /// Messages that totem sent again: `stats.srp.mcast_retx`.
    pub retransmits: Counter,
    /// Since when, as long as it is not heard.
    pub silent_since_ms: Option<u64>,
    /// Kernels that were seen to begin, the newest last: on the collector's monotonic clock.
    pub boots: Transitions,
    /// When the last of them was seen, if the node ran the moment before and was not on its way down.
    pub sudden_boot_ms: Option<u64>,
    /// Nodes that the HA manager has in maintenance, as this node's `/etc/pve` says, and since when it was seen.
    pub maintenance_since_ms: BTreeMap<NodeName, u64>,
    /// Since when the HA manager was seen disarmed.
    pub disarmed_since_ms: Option<u64>,
    /// As long as it was its last word, and no other kernel spoke.
    pub going_down: Option<GoingDown>,
}

impl Past {
    /// What the collector itself has seen since it started comes first.
    pub(super) fn recall(&mut self, recall: &Recall) {
        match recall {
            Recall::Speed { port, best_mbps } => {
                let past = self.ports.entry(port.clone()).or_default();
                past.best_speed_mbps = past.best_speed_mbps.max(Some(*best_mbps));
            }
            Recall::Ports { bond, most } => {
                let past = self.bonds.entry(bond.clone()).or_default();
                past.most_ports = past.most_ports.max(*most);
            }
            Recall::Switch {
                port,
                chassis,
                lacp_partner,
            } => {
                let past = self.ports.entry(port.clone()).or_default();
                past.chassis = past.chassis.take().or_else(|| chassis.clone());
                past.lacp_partner = past.lacp_partner.take().or_else(|| lacp_partner.clone());
            }
            Recall::GoingDown(going) => {
                self.going_down.get_or_insert_with(|| going.clone());
            }
        }
    }

    pub(super) fn learn(&mut self, before: &Seen, seen: &Seen, now: Now) {
        self.silent_since_ms = match seen.hearing {
            Hearing::Silent => self.silent_since_ms.or(Some(now.mono_ms)),
            Hearing::Connected | Hearing::NeverHeard | Hearing::Revoked => None,
        };
        if !before.boot_id.is_empty() && before.boot_id != seen.boot_id {
            self.boots.happened(now);
            self.sudden_boot_ms = ran(before).then_some(now.mono_ms);
            // Counters and names begin anew with the kernel; how fast a port once ran does not.
            for port in self.ports.values_mut() {
                port.damaged = Counter::default();
                port.tx_errors = Counter::default();
                port.carrier_changes = Counter::default();
            }
        }
        self.power(seen, now);
        let news = |family| {
            let is = seen.facts.get(&family)?;
            let was = before.facts.get(&family);
            let is_news = was.is_none_or(|was| !Arc::ptr_eq(&was.fact, &is.fact));
            is_news.then(|| (was.map(|was| &*was.fact), &*is.fact))
        };
        if let Some((was, Fact::Links(links))) = news(Family::Links)
            && let Some(links) = links.known()
        {
            let was = match was {
                Some(Fact::Links(was)) => was.known().map_or(&[][..], Vec::as_slice),
                _ => &[],
            };
            self.links(was, links, now);
        }
        if let Some((_, Fact::Bonds(bonds))) = news(Family::Bonds)
            && let Some(bonds) = bonds.known()
        {
            self.bonds(bonds, now);
        }
        if let Some((_, Fact::Lldp(neighbours))) = news(Family::Lldp)
            && let Some(neighbours) = neighbours.known()
        {
            self.lldp(neighbours);
        }
        if let Some((was, Fact::Cmap(cmap))) = news(Family::Cmap)
            && let Some(cmap) = cmap.known()
        {
            let was = match was {
                Some(Fact::Cmap(was)) => was.known(),
                _ => None,
            };
            self.knet(was, cmap, now);
        }
        if let Some((_, Fact::Ha(ha))) = news(Family::Ha)
            && let Some(ha) = ha.known()
        {
            self.ha(ha, now);
        }
    }

    fn power(&mut self, seen: &Seen, now: Now) {
        let is_other = |going: &GoingDown| !going.is_of(&seen.boot_id);
        if self.going_down.as_ref().is_some_and(is_other) {
            self.going_down = None;
        }
        let Some(power) = power_of(seen) else {
            return;
        };
        if power.state != PowerState::ShuttingDown {
            self.going_down = None;
            return;
        }
        let kind = power.shutdown_kind();
        let going = self.going_down.get_or_insert_with(|| GoingDown {
            kind,
            since_unix_ms: now.unix_ms,
            boot_id: seen.boot_id.clone(),
        });
        if kind != ShutdownKind::Unknown {
            going.kind = kind;
        }
    }

    fn ha(&mut self, ha: &Ha, now: Now) {
        let manager = ha.manager.as_ref();
        let nodes = manager.into_iter().flat_map(|manager| &manager.node_status);
        let in_maintenance = nodes.filter(|(_, state)| **state == HaNodeState::Maintenance);
        let since = in_maintenance.take(MAX_REMEMBERED).map(|(node, _)| {
            let since = self.maintenance_since_ms.get(node);
            (node.clone(), since.copied().unwrap_or(now.mono_ms))
        });
        self.maintenance_since_ms = since.collect();
        let disarm = manager.and_then(|manager| manager.disarm.as_ref());
        let is_disarmed = disarm.is_some_and(|disarm| disarm.state != Some(FencingState::Armed));
        self.disarmed_since_ms = is_disarmed.then(|| self.disarmed_since_ms.unwrap_or(now.mono_ms));
    }

    fn links(&mut self, was: &[Link], links: &[Link], now: Now) {
        for link in links {
            if self.ports.len() >= MAX_REMEMBERED && !self.ports.contains_key(&link.name) {
                continue;
            }
            let port = self.ports.entry(link.name.clone()).or_default();
            port.best_speed_mbps = port.best_speed_mbps.max(link.speed_mbps);
            let before = was.iter().find(|before| before.name == link.name);
            if let Some((was, is)) = before.and_then(|before| before.carrier.zip(link.carrier))
                && was != is
            {
                port.carrier.happened(now);
                port.lost_carrier_ms = (!is).then_some(now.mono_ms);
                if is {
                    port.got_carrier_ms = Some(now.mono_ms);
                }
            }
            if link.carrier == Some(true) {
                port.lost_carrier_ms = None;
            }
            let Some(statistics) = &link.statistics else {
                continue;
            };
            let damaged = statistics.rx_crc_errors.or(statistics.rx_errors);
            let counters = [
                (&mut port.damaged, damaged),
                (&mut port.tx_errors, statistics.tx_errors),
                (&mut port.carrier_changes, statistics.carrier_changes),
            ];
            for (counter, count) in counters {
                if let Some(count) = count {
                    counter.count(count, now);
                }
            }
        }
    }

    fn bonds(&mut self, bonds: &[Bond], now: Now) {
        for bond in bonds {
            if self.bonds.len() >= MAX_REMEMBERED && !self.bonds.contains_key(&bond.name) {
                continue;
            }
            let past = self.bonds.entry(bond.name.clone()).or_default();
            past.most_ports = past.most_ports.max(bond.slaves.len());
            if let Some(active) = &bond.active_slave {
                let was = past.active.replace(active.clone());
                if was.is_some_and(|was| was != *active) {
                    past.active_changes.happened(now);
                }
            }
            for port in &bond.slaves {
                let partner = port.partner_mac.as_ref().filter(|mac| !mac.is_zero());
                if let Some(partner) = partner
                    && (self.ports.len() < MAX_REMEMBERED || self.ports.contains_key(&port.name))
                {
                    let past = self.ports.entry(port.name.clone()).or_default();
                    past.lacp_partner = Some(partner.clone());
                }
            }
        }
    }

    fn lldp(&mut self, neighbours: &[Neighbour]) {
        let ports: BTreeSet<&IfaceName> = neighbours
            .iter()
            .filter_map(|neighbour| neighbour.interface.as_ref())
            .collect();
        for port in ports {
            let has_room = self.ports.len() < MAX_REMEMBERED || self.ports.contains_key(port);
            if let Some((id, name)) = topology::chassis_on(neighbours, port)
                && has_room
            {
                let past = self.ports.entry(port.clone()).or_default();
                past.chassis = Some(Chassis { id, name });
            }
        }
    }

    fn knet(&mut self, was: Option<&Cmap>, cmap: &Cmap, now: Now) {
        if let Some(count) = cmap.count("stats.srp.mcast_retx") {
            self.retransmits.count(count, now);
        }
        for key in cmap.keys.keys() {
            let Some(link) = key
                .strip_suffix(".connected")
                .filter(|link| link.starts_with("stats.knet."))
            else {
                continue;
            };
            let before = was.and_then(|was| was.count(key));
            if before.is_some_and(|before| Some(before) != cmap.count(key)) {
                if self.knet.len() >= MAX_REMEMBERED && !self.knet.contains_key(link) {
                    continue;
                }
                self.knet.entry(link.to_owned()).or_default().happened(now);
            }
        }
    }
}

impl GoingDown {
    /// Whether the node may still be what it was then: nothing else is known of it, or its kernel is the same.
    pub fn is_of(&self, boot_id: &str) -> bool {
        boot_id.is_empty() || self.boot_id == boot_id
    }
}

/// Whether the node was running by its last word, and neither going down nor told to.
fn ran(before: &Seen) -> bool {
    power_of(before).is_some_and(|power| power.state == PowerState::Running)
}

fn power_of(seen: &Seen) -> Option<&Power> {
    match &*seen.facts.get(&Family::Power)?.fact {
        Fact::Power(power) => power.known(),
        _ => None,
    }
}
