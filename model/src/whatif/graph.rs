//! The topology, compiled: every corosync address of every node as an endpoint, every thing that can fail as an item that
//! knows which endpoints stand on it.

use std::collections::BTreeMap;

use super::mask::Mask;
use super::part::{Manner, Part};
use super::present::{MAX_LINKS, Present};
use crate::topology::{Failover, Gathered, PortId, Stack, Standing, SwitchOf, Topology};

pub(crate) type ItemId = usize;

#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) part: Part,
    pub(crate) label: String,
    /// The place of a node.
    pub(crate) place: Option<usize>,
    /// The endpoints that it may make a difference to.
    pub(crate) endpoints: Vec<usize>,
}

/// What stands on switches, as the items see it.
#[derive(Debug, Clone)]
enum Plug {
    Into(ItemId),
    /// One of these, or another one of the same system.
    OneOf(Vec<ItemId>),
    System(ItemId),
    Unknown,
}

#[derive(Debug, Clone)]
struct Leg {
    nic: ItemId,
    plug: Plug,
    standing: Standing,
}

/// Which of a node's ways an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The link at this place of [`Present::links`].
    Link(usize),
    /// Any address: a way to the qdevice may be over it.
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) node: usize,
    pub(crate) way: Way,
    /// All of these, besides the ports.
    needs: Vec<ItemId>,
    /// Without any, nothing is known of what it stands on.
    legs: Vec<Leg>,
    gathered: Gathered,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub(crate) items: Vec<Item>,
    index: BTreeMap<Part, ItemId>,
    pub(crate) endpoints: Vec<Endpoint>,
    /// LACP with the fast rate is quicker than totem's token.
    pub(crate) fast_is_in_time: bool,
}

/// Endpoints that stand or fall by the hypothesis.
#[derive(Debug, Clone, Default)]
pub(crate) struct Struck {
    /// By the place of the link.
    pub(crate) down: [Mask; MAX_LINKS],
    pub(crate) unknown: [Mask; MAX_LINKS],
    /// Nodes with an address that is down, or may be.
    pub(crate) ways_down: Mask,
    pub(crate) ways_unknown: Mask,
    /// Nodes one of whose endpoints goes on with less than it had.
    pub(crate) thinner: Mask,
}

impl Graph {
    pub(crate) fn of(present: &Present, topology: &Topology) -> Self {
        let mut graph = Self::default();
        for (id, switch) in &topology.switches {
            let is_system = matches!(switch.basis, crate::topology::Basis::Lacp);
            graph.item(Part::Switch(id.0.clone()), &switch.label);
            if is_system {
                graph.item(Part::System(id.0.clone()), &switch.label);
            }
        }
        for (place, name) in present.names.iter().enumerate() {
            let id = graph.item(Part::Node(name.clone()), name.as_str());
            if let Some(item) = graph.items.get_mut(id) {
                item.place = Some(place);
            }
        }
        for (node, iface) in topology.ports.keys() {
            graph.item(Part::Iface(node.clone(), iface.clone()), iface.as_str());
        }
        if present.config.qdevice.is_some() {
            graph.item(Part::Qdevice, "qdevice");
        }
        for (place, hears) in present.links.iter().enumerate() {
            graph.item(Part::Network(hears.link), &hears.link.to_string());
            for (node, name) in present.names.iter().enumerate() {
                let stack = topology.stacks.get(&(name.clone(), hears.link));
                let stack = stack.and_then(|stack| stack.as_ref().ok());
                let needs = vec![Part::Network(hears.link)];
                graph.endpoint(present, topology, node, Way::Link(place), stack, needs);
            }
        }
        if present.config.qdevice.is_some() {
            for (node, name) in present.names.iter().enumerate() {
                let others = topology.others.get(name);
                for stack in others.into_iter().flatten() {
                    graph.endpoint(present, topology, node, Way::Other, Some(stack), Vec::new());
                }
                if others.is_none_or(Vec::is_empty) {
                    graph.endpoint(present, topology, node, Way::Other, None, Vec::new());
                }
            }
        }
        graph.connect();
        graph
    }

    fn item(&mut self, part: Part, label: &str) -> ItemId {
        if let Some(id) = self.index.get(&part) {
            return *id;
        }
        let id = self.items.len();
        self.index.insert(part.clone(), id);
        self.items.push(Item {
            part,
            label: label.to_owned(),
            place: None,
            endpoints: Vec::new(),
        });
        id
    }

    fn endpoint(
        &mut self,
        present: &Present,
        topology: &Topology,
        node: usize,
        way: Way,
        stack: Option<&Stack>,
        needs: Vec<Part>,
    ) {
        let mut endpoint = Endpoint {
            node,
            way,
            needs: Vec::new(),
            legs: Vec::new(),
            gathered: Gathered::Single,
        };
        for part in needs {
            endpoint.needs.push(self.item(part, ""));
        }
        if let Some((stack, name)) = stack.zip(present.names.get(node)) {
            for iface in &stack.through {
                let id = self.item(Part::Iface(name.clone(), iface.clone()), iface.as_str());
                endpoint.needs.push(id);
            }
            for vlan in &stack.vlans {
                endpoint
                    .needs
                    .push(self.item(Part::Vlan(*vlan), &vlan.to_string()));
            }
            for port in &stack.ports {
                let leg = self.leg(topology, (name.clone(), port.clone()));
                endpoint.legs.push(leg);
            }
            endpoint.gathered = stack.gathered.clone();
        }
        self.endpoints.push(endpoint);
    }

    fn leg(&mut self, topology: &Topology, id: PortId) -> Leg {
        let port = topology.ports.get(&id);
        let plug = match port.map(|port| &port.switch) {
            Some(SwitchOf::Known(switch)) => {
                Plug::Into(self.item(Part::Switch(switch.0.clone()), &switch.0))
            }
            Some(SwitchOf::OneOf(switches)) => {
                let ids = switches
                    .iter()
                    .map(|switch| self.item(Part::Switch(switch.0.clone()), &switch.0));
                Plug::OneOf(ids.collect())
            }
            Some(SwitchOf::System(system)) => {
                Plug::System(self.item(Part::System(system.0.clone()), &system.0))
            }
            Some(SwitchOf::Unknown) | None => {
                self.item(Part::UnknownSwitches, "unknown");
                Plug::Unknown
            }
        };
        let label = id.1.to_string();
        Leg {
            nic: self.item(Part::Iface(id.0, id.1), &label),
            plug,
            standing: port.map_or(Standing::Unknown, |port| port.standing),
        }
    }

    /// Tells the items which endpoints look at them.
    fn connect(&mut self) {
        let is_switch = |item: &Item| {
            matches!(
                item.part,
                Part::Switch(_) | Part::System(_) | Part::UnknownSwitches
            )
        };
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let is_unknown = endpoint.legs.is_empty()
                || endpoint
                    .legs
                    .iter()
                    .any(|leg| !matches!(leg.plug, Plug::Into(_)));
            for item in &mut self.items {
                let is_hidden = is_unknown && is_switch(item)
                    || endpoint.legs.is_empty() && matches!(item.part, Part::Vlan(_));
                if is_hidden {
                    item.endpoints.push(index);
                }
            }
            let plugs = endpoint.legs.iter().filter_map(|leg| match leg.plug {
                Plug::Into(switch) => Some(switch),
                _ => None,
            });
            let nics = endpoint.legs.iter().map(|leg| leg.nic);
            for id in endpoint.needs.iter().copied().chain(nics).chain(plugs) {
                if let Some(item) = self.items.get_mut(id)
                    && item.endpoints.last() != Some(&index)
                {
                    item.endpoints.push(index);
                }
            }
        }
    }

    /// A part by its name, or a switch by its label.
    pub(crate) fn find(&self, part: &Part) -> Option<ItemId> {
        if let Some(id) = self.index.get(part) {
            return Some(*id);
        }
        let Part::Switch(asked) = part else {
            return None;
        };
        let has_label = |item: &Item| matches!(item.part, Part::Switch(_)) && item.label == *asked;
        self.items.iter().position(has_label)
    }

    /// Nodes and the links of corosync that can carry nothing for them as it is: no port that the address stands on has a link.
    pub(crate) fn dark(&self) -> impl Iterator<Item = (usize, usize)> {
        let endpoints = self.endpoints.iter();
        let dark = endpoints.filter(|endpoint| self.standing(endpoint, &[]) == Standing::Down);
        dark.filter_map(|endpoint| match endpoint.way {
            Way::Link(link) => Some((endpoint.node, link)),
            Way::Other => None,
        })
    }

    /// What the failures make of the endpoints.
    pub(crate) fn strike(&self, failed: &[(ItemId, Manner)]) -> Struck {
        let mut struck = Struck::default();
        let items = failed.iter().filter_map(|(id, _)| self.items.get(*id));
        for index in items.flat_map(|item| &item.endpoints) {
            let Some(endpoint) = self.endpoints.get(*index) else {
                continue;
            };
            let standing = self.standing(endpoint, failed);
            let (down, unknown) = match endpoint.way {
                Way::Link(link) => (struck.down.get_mut(link), struck.unknown.get_mut(link)),
                Way::Other => (Some(&mut struck.ways_down), Some(&mut struck.ways_unknown)),
            };
            let mask = match standing {
                Standing::Down => down,
                Standing::Unknown => unknown,
                Standing::Up => Some(&mut struck.thinner),
            };
            if let Some(mask) = mask {
                mask.set(endpoint.node);
            }
        }
        struck
    }

    fn standing(&self, endpoint: &Endpoint, failed: &[(ItemId, Manner)]) -> Standing {
        let has_failed = |id: ItemId| failed.iter().any(|(failed, _)| *failed == id);
        if endpoint.needs.iter().any(|id| has_failed(*id)) {
            return Standing::Down;
        }
        if endpoint.legs.is_empty() {
            return Standing::Unknown;
        }
        let (mut up, mut unknown, mut mute) = (0_usize, 0_usize, 0_usize);
        for leg in &endpoint.legs {
            match self.leg_state(leg, failed) {
                LegState::Up => up += 1,
                LegState::Unknown => unknown += 1,
                LegState::Mute => mute += 1,
                LegState::Down => {}
            }
        }
        match &endpoint.gathered {
            Gathered::Single | Gathered::Several if up == endpoint.legs.len() => Standing::Up,
            Gathered::Single | Gathered::Several if up + unknown == 0 => Standing::Down,
            Gathered::Single | Gathered::Several => Standing::Unknown,
            Gathered::Bond(bond) => {
                let at_least = bond.at_least as usize;
                if up + unknown < at_least {
                    return Standing::Down;
                }
                let by_carrier = if up >= at_least {
                    Standing::Up
                } else {
                    Standing::Unknown
                };
                if mute == 0 {
                    return by_carrier;
                }
                let legs = endpoint.legs.iter();
                let legs = legs
                    .map(|leg| (leg.nic, self.leg_state(leg, failed)))
                    .collect::<Vec<_>>();
                self.with_a_mute_leg(&bond.failover, &legs).min(by_carrier)
            }
        }
    }

    /// A bond that goes on, one of whose ports passes nothing.
    fn with_a_mute_leg(&self, failover: &Failover, legs: &[(ItemId, LegState)]) -> Standing {
        match failover {
            Failover::LacpFast if self.fast_is_in_time => Standing::Up,
            Failover::LacpFast | Failover::LacpSlow | Failover::Blind => Standing::Unknown,
            Failover::ActivePort(active) => {
                let is_active = |(nic, _): &&(ItemId, LegState)| {
                    let part = self.items.get(*nic).map(|item| &item.part);
                    matches!(part, Some(Part::Iface(_, iface)) if Some(iface) == active.as_ref())
                };
                match legs.iter().find(is_active).map(|(_, state)| *state) {
                    Some(LegState::Mute) => Standing::Down,
                    Some(LegState::Up) => Standing::Up,
                    _ => Standing::Unknown,
                }
            }
        }
    }

    fn leg_state(&self, leg: &Leg, failed: &[(ItemId, Manner)]) -> LegState {
        let manner_of = |id: ItemId| {
            let hit = failed.iter().find(|(failed, _)| *failed == id);
            hit.map(|(_, manner)| *manner)
        };
        let part = |id: &ItemId| self.items.get(*id).map(|item| &item.part);
        let mut state = match leg.standing {
            Standing::Up => LegState::Up,
            Standing::Unknown => LegState::Unknown,
            Standing::Down => return LegState::Down,
        };
        let a_switch_failed = || {
            failed
                .iter()
                .any(|(id, _)| matches!(part(id), Some(Part::Switch(_))))
        };
        let together = || {
            let is_unknown = |(id, _): &&(ItemId, Manner)| part(id) == Some(&Part::UnknownSwitches);
            failed.iter().find(is_unknown).map(|(_, manner)| *manner)
        };
        let by_switch = match &leg.plug {
            Plug::Into(switch) => manner_of(*switch),
            Plug::System(system) => {
                if a_switch_failed() {
                    state = LegState::Unknown;
                }
                manner_of(*system).or_else(together)
            }
            Plug::OneOf(switches) => {
                let hit = switches
                    .iter()
                    .filter(|id| manner_of(**id).is_some())
                    .count();
                if hit > 0 {
                    state = LegState::Unknown;
                }
                let all = switches.len() > 1 && hit == switches.len();
                switches
                    .first()
                    .filter(|_| all)
                    .and_then(|id| manner_of(*id))
            }
            Plug::Unknown => {
                if a_switch_failed() {
                    state = LegState::Unknown;
                }
                together()
            }
        };
        match (manner_of(leg.nic), by_switch) {
            (Some(Manner::Dark), _) | (_, Some(Manner::Dark)) => LegState::Down,
            (Some(Manner::Mute), _) | (_, Some(Manner::Mute)) => LegState::Mute,
            (None, None) => state,
        }
    }
}

impl Struck {
    /// No address is lost, and none may be.
    pub(crate) fn is_nothing(&self) -> bool {
        let mut masks = self.down.iter().chain(&self.unknown);
        masks.all(Mask::is_empty)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LegState {
    Down,
    Mute,
    Unknown,
    Up,
}
