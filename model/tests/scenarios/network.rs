//! What passes through cables and switches: carrier, LACP, and whether a packet of one node reaches another.

use std::collections::BTreeSet;

use model::fact::bond::BondMode;

use crate::site::{BondShape, Card, Node, Place, Shape, Site, Switch, SwitchPort};

/// LACP misses its partner after three times of its rate.
const FAST_MS: u64 = 3_000;
const SLOW_MS: u64 = 90_000;
/// Until both sides have agreed again.
const AGREE_MS: u64 = 2_000;

/// Where frames of an interface go in and out.
#[derive(Debug)]
struct Base<'a> {
    bond: Option<&'a BondShape>,
    ports: Vec<&'a str>,
    /// The tag on the wire.
    vlan: Option<u16>,
}

impl Shape {
    fn base<'a>(&'a self, iface: &'a str) -> Base<'a> {
        if let Some((_, below, _)) = self.bridges.iter().find(|(name, ..)| name == iface) {
            return self.base(below);
        }
        if let Some((_, below)) = self.vlans.iter().find(|(name, _)| name == iface) {
            let vlan = iface.rsplit('.').next().and_then(|id| id.parse().ok());
            return Base {
                vlan,
                ..self.base(below)
            };
        }
        match self.bonds.iter().find(|bond| bond.name == iface) {
            Some(bond) => Base {
                bond: Some(bond),
                ports: bond.ports.iter().map(String::as_str).collect(),
                vlan: None,
            },
            None => Base {
                bond: None,
                ports: vec![iface],
                vlan: None,
            },
        }
    }

    /// The network of untagged frames that a port is made for: its bond's, or its own.
    pub(crate) fn network_of(&self, port: &str) -> String {
        let bond = self
            .bonds
            .iter()
            .find(|bond| bond.ports.iter().any(|of| of == port));
        bond.map_or(port, |bond| &bond.name).to_owned()
    }
}

impl Site {
    pub(crate) fn plugged(&self, card: &Card) -> Option<(&SwitchPort, &Switch)> {
        let port = self.ports.get(&card.plug)?;
        Some((port, self.switches.get(&port.switch)?))
    }

    /// Brings carriers, LACP and the ports in use up to what is so now, and says whether that changed anything.
    pub(crate) fn settle(&mut self, now_ms: u64) -> bool {
        let mut nodes = std::mem::take(&mut self.nodes);
        let mut has_changed = false;
        for node in &mut nodes {
            has_changed |= self.settle_node(node, now_ms);
        }
        self.nodes = nodes;
        has_changed
    }

    fn settle_node(&self, node: &mut Node, now_ms: u64) -> bool {
        let before: Vec<(bool, bool)> = node
            .cards
            .values()
            .map(|card| (card.carrier, card.is_answered))
            .collect();
        let active = node.active.clone();
        let slow: BTreeSet<&str> = self
            .shape
            .bonds
            .iter()
            .filter(|bond| !bond.is_fast)
            .flat_map(|bond| bond.ports.iter().map(String::as_str))
            .collect();
        let has_power = node.has_power();
        for (name, card) in &mut node.cards {
            let far = self.plugged(card);
            let carrier =
                has_power && card.has_cable && far.is_some_and(|(_, switch)| switch.has_power);
            if carrier != card.carrier {
                (card.carrier, card.carrier_since_ms) = (carrier, now_ms);
            }
            let speaks = carrier
                && !card.is_hung
                && far.is_some_and(|(port, switch)| port.is_in_group && !switch.is_mute);
            let misses_ms = if slow.contains(name.as_str()) {
                SLOW_MS
            } else {
                FAST_MS
            };
            if speaks == card.is_answered {
                card.agreed_until_ms = now_ms;
            }
            let takes_ms = if speaks { AGREE_MS } else { misses_ms };
            if (!carrier && card.is_answered) || now_ms >= card.agreed_until_ms + takes_ms {
                (card.is_answered, card.answered_since_ms) = (speaks, now_ms);
            }
        }
        for bond in &self.shape.bonds {
            let has_carrier = |port: &&String| {
                node.cards.get(*port).is_some_and(|card| card.carrier)
                    && !node.lacking.contains(*port)
            };
            let keeps = node
                .active
                .get(&bond.name)
                .filter(|port| has_carrier(port))
                .cloned();
            if let Some(active) = keeps.or_else(|| bond.ports.iter().find(has_carrier).cloned()) {
                node.active.insert(bond.name.clone(), active);
            }
        }
        let after = node
            .cards
            .values()
            .map(|card| (card.carrier, card.is_answered));
        active != node.active || !after.eq(before)
    }

    /// The ports over which frames of this base leave and come now.
    fn usable<'a>(&self, node: &'a Node, base: &Base<'_>) -> Vec<&'a Card> {
        let cards = || {
            base.ports
                .iter()
                .filter(|port| !node.lacking.contains(**port))
                .filter_map(|port| node.cards.get(*port))
        };
        let up: Vec<&Card> = cards().filter(|card| card.carrier).collect();
        match base.bond {
            Some(bond) if bond.mode == BondMode::Ieee8023ad => {
                let agreed: Vec<&Card> =
                    up.iter().copied().filter(|card| card.is_answered).collect();
                // Where nobody answers one port stands alone.
                if agreed.is_empty() {
                    up.into_iter().take(1).collect()
                } else {
                    agreed
                }
            }
            Some(bond) if bond.mode == BondMode::ActiveBackup => {
                let active = node
                    .active
                    .get(&bond.name)
                    .and_then(|port| node.cards.get(port));
                active.filter(|card| card.carrier).into_iter().collect()
            }
            _ => up,
        }
    }

    /// Do two switches that work reach each other? All are cabled to each other.
    fn are_joined(&self, one: &str, other: &str) -> bool {
        let works = |name: &str| {
            self.switches
                .get(name)
                .is_some_and(|switch| switch.has_power && !switch.is_mute)
        };
        works(one) && works(other)
    }

    fn wire(&self, card: &Card, vlan: Option<u16>) -> Option<(&str, String)> {
        let (port, switch) = self.plugged(card)?;
        if !card.carrier || !switch.has_power || switch.is_mute {
            return None;
        }
        let network = match vlan {
            Some(id) if port.vlans_removed.contains(&id) => return None,
            Some(id) => format!("VLAN {id}"),
            None => port.network.clone(),
        };
        Some((&port.switch, network))
    }

    /// Does a packet of `from` get to `to` over this interface of both?
    pub(crate) fn passes_over(&self, iface: &str, from: &Node, to: &Node) -> bool {
        let base = self.shape.base(iface);
        let (out, into) = (self.usable(from, &base), self.usable(to, &base));
        let pick = |cards: &[&Card]| {
            let place = (from.id + to.id) as usize;
            (!cards.is_empty()).then(|| place % cards.len())
        };
        let Some(sender) = pick(&out).and_then(|place| out.get(place)) else {
            return false;
        };
        let Some((at, network)) = self.wire(sender, base.vlan).filter(|_| !sender.is_hung) else {
            return false;
        };
        let is_lacp = base
            .bond
            .is_some_and(|bond| bond.mode == BondMode::Ieee8023ad);
        // A group of a pair of switches is one port to both: any member will do, the own ones first.
        let candidates: Vec<&Card> = if is_lacp {
            let here = |card: &&Card| {
                self.plugged(card)
                    .is_some_and(|(port, _)| port.switch == at)
            };
            let own: Vec<&Card> = into.iter().copied().filter(here).collect();
            if own.is_empty() { into.clone() } else { own }
        } else {
            into.clone()
        };
        let receiver = pick(&candidates).and_then(|place| candidates.get(place));
        receiver
            .and_then(|card| self.wire(card, base.vlan))
            .is_some_and(|(there, other)| network == other && self.are_joined(at, there))
    }

    pub(crate) fn passes_on_link(&self, link: u8, from: &Node, to: &Node) -> bool {
        let shape = self.shape.links.iter().find(|shape| shape.number == link);
        let captured = |node: &Node| node.captured.as_ref().is_some_and(|(of, _)| *of == link);
        from.has_power()
            && to.has_power()
            && !captured(from)
            && !self.cut_paths.contains(&(from.id, to.id, link))
            && shape.is_some_and(|shape| self.passes_over(&shape.iface, from, to))
    }

    /// The largest frame that passes between them over this interface, by what switches on the way drop.
    pub(crate) fn largest(&self, iface: &str, from: &Node, to: &Node) -> u32 {
        let base = self.shape.base(iface);
        let of = |node: &Node| {
            let cards = self.usable(node, &base);
            let least = cards
                .iter()
                .filter_map(|card| Some(self.plugged(card)?.1.passes_bytes))
                .min();
            least.unwrap_or(u32::MAX)
        };
        of(from).min(of(to))
    }

    /// Does the node reach this place, over the network of its agent?
    pub(crate) fn reaches(&self, node: &Node, place: &Place) -> bool {
        let over = &self.shape.agents_over;
        let base = self.shape.base(over);
        let out = self.usable(node, &base);
        let works = |card: &&Card| self.wire(card, base.vlan).is_some() && !card.is_hung;
        match place {
            Place::Outside => out.iter().any(works),
            Place::At(switch) => out.iter().filter(|card| works(card)).any(|card| {
                self.plugged(card)
                    .is_some_and(|(port, _)| self.are_joined(&port.switch, switch))
            }),
            Place::On(host) if *host == node.id => node.has_power(),
            Place::On(host) => {
                self.nodes
                    .iter()
                    .find(|peer| peer.id == *host)
                    .is_some_and(|peer| {
                        peer.has_power()
                            && self.passes_over(over, node, peer)
                            && self.passes_over(over, peer, node)
                    })
            }
        }
    }
}
