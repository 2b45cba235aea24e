//! Plays a story: what a line says is done in the machine room, and time passes there and at the collector.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::fact::bond::BondMode;
use model::fact::journal::{Event, JournalEvent, JournalTime};
use model::whatif::{Failure, Hypothesis, Part};

use crate::collector::{BEGIN_UNIX_MS, Collector};
use crate::facts;
use crate::ring::Ring;
use crate::site::{
    BondShape, Card, Flaps, LinkShape, Node, Place, Power, Shape, Site, Switch, SwitchPort,
};
use crate::story::{BadLine, Line};

const TICK_MS: u64 = 200;
/// So long all is well before the story begins.
const BEFORE_MS: u64 = 150_000;

struct Room {
    site: Site,
    ring: Ring,
    collector: Collector,
    now_ms: u64,
    /// A line of the story changed something.
    has_news: bool,
}

pub(crate) fn play(story: &[Line]) -> Result<String, BadLine> {
    let happens = story
        .iter()
        .position(|line| !is_building(line))
        .unwrap_or(story.len());
    let (building, rest) = story.split_at(happens);
    let site = build(building)?;
    let conf = facts::conf(&site, 8);
    let ring = Ring::new(&site, &conf);
    let collector = Collector::new(&site);
    let mut room = Room {
        site,
        ring,
        collector,
        now_ms: 0,
        has_news: true,
    };
    room.advance(BEFORE_MS);
    room.collector.begins(room.now_ms);
    for line in rest {
        if is_building(line) {
            return Err(line.bad("the site is built before anything happens"));
        }
        let text = line.text.clone();
        room.collector.say(&format!("> {text}"));
        room.happens(line)?;
        room.has_news = true;
    }
    room.collector.ends();
    Ok(room.collector.log)
}

fn is_building(line: &Line) -> bool {
    let first = crate::story::LINES
        .iter()
        .position(|row| *row == "advance DURATION");
    crate::story::LINES.iter().position(|row| *row == line.row) < first
}

#[derive(Default)]
struct Plan {
    nodes: u32,
    switches: Vec<String>,
    pairs: BTreeMap<String, String>,
    plugs: Vec<(u32, String, String)>,
    shape: Shape,
    armed: BTreeSet<u32>,
    no_lldp: bool,
    collector: Option<Place>,
    qdevice: Option<Place>,
    totem: Option<(u64, u64)>,
}

impl Plan {
    /// Where nothing is said: the ordinary eight.
    fn filled(mut self) -> Self {
        let texts = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        if self.nodes == 0 {
            self.nodes = 8;
        }
        if self.switches.is_empty() {
            self.switches = texts(&["sw-a", "sw-b"]);
            self.pairs = self
                .switches
                .iter()
                .map(|name| (name.clone(), "02:1c:73:aa:01:00".to_owned()))
                .collect();
        }
        if self.plugs.is_empty() {
            for id in 1..=self.nodes {
                for (port, switch) in [("eno1", "sw-a"), ("eno2", "sw-b"), ("eno3", "sw-b")] {
                    self.plugs.push((id, port.to_owned(), switch.to_owned()));
                }
            }
        }
        let shape = &mut self.shape;
        if shape.links.is_empty() {
            let mode = BondMode::Ieee8023ad;
            if shape.bonds.is_empty() {
                let ports = texts(&["eno1", "eno2"]);
                shape.bonds.push(BondShape {
                    name: "bond0".to_owned(),
                    mode,
                    is_fast: true,
                    ports,
                });
            }
            if shape.bridges.is_empty() {
                shape
                    .bridges
                    .push(("vmbr0".to_owned(), "bond0".to_owned(), true));
            }
            let link = |number, iface: &str| LinkShape {
                number,
                iface: iface.to_owned(),
                is_v6: false,
            };
            shape.links = vec![link(0, "vmbr0"), link(1, "eno3")];
        }
        if shape.agents_over.is_empty() {
            shape.agents_over = shape.links[0].iface.clone();
        }
        self
    }

    fn site(self) -> Site {
        let token_ms = 3_000 + 650 * u64::from(self.nodes.saturating_sub(2));
        let (token_ms, consensus_ms) = self.totem.unwrap_or((token_ms, token_ms * 12 / 10));
        let mut ports = BTreeMap::new();
        let mut cards: BTreeMap<u32, BTreeMap<String, Card>> = BTreeMap::new();
        for (id, port, switch) in &self.plugs {
            let plug = (*id, port.clone());
            let far = SwitchPort {
                switch: switch.clone(),
                network: self.shape.network_of(port),
                is_in_group: self
                    .shape
                    .bonds
                    .iter()
                    .any(|bond| bond.mode == BondMode::Ieee8023ad && bond.ports.contains(port)),
                vlans_removed: BTreeSet::new(),
                system: None,
            };
            let is_answered = far.is_in_group;
            ports.insert(plug.clone(), far);
            let card = Card {
                has_cable: true,
                plug,
                is_hung: false,
                mbps: self.shape.mbps.get(port).copied().unwrap_or(10_000),
                mtu_bytes: 1_500,
                carrier: true,
                carrier_since_ms: 0,
                is_answered,
                answered_since_ms: 0,
                agreed_until_ms: 0,
                name: port.clone(),
                flaps: None,
            };
            cards.entry(*id).or_default().insert(port.clone(), card);
        }
        let switch = |(place, name): (usize, &String)| {
            let chassis = format!("00:1c:73:aa:01:{:02x}", 16 + place);
            let system = self
                .pairs
                .get(name)
                .cloned()
                .unwrap_or_else(|| chassis.clone());
            let new = Switch {
                has_power: true,
                is_mute: false,
                power_at_ms: None,
                system,
                chassis,
                passes_bytes: u32::MAX,
            };
            (name.clone(), new)
        };
        let nodes = (1..=self.nodes).map(|id| {
            node(
                id,
                cards.remove(&id).unwrap_or_default(),
                self.armed.contains(&id),
            )
        });
        Site {
            nodes: nodes.collect(),
            switches: self.switches.iter().enumerate().map(switch).collect(),
            ports,
            has_lldp: !self.no_lldp,
            collector: self.collector.clone().unwrap_or(Place::Outside),
            collector_is_cut: false,
            qdevice: self.qdevice.clone(),
            qdevice_is_away: false,
            token_ms,
            consensus_ms,
            cut_paths: BTreeSet::new(),
            shape: self.shape,
        }
    }
}

fn node(id: u32, cards: BTreeMap<String, Card>, is_armed: bool) -> Node {
    Node {
        id,
        power: Power::Running,
        boot: 1,
        agent_runs: true,
        corosync_runs: true,
        corosync_at_ms: None,
        cards,
        is_armed,
        config_version: 8,
        running_version: 8,
        vlans_missing: Vec::new(),
        captured: None,
        retransmits: 0,
        lacking: BTreeSet::new(),
        renamed_at_boot: Vec::new(),
        journal: Vec::new(),
        active: BTreeMap::new(),
        pve_written_ms: 0,
        without_quorum_since_ms: None,
    }
}

fn split(word: &str) -> Vec<String> {
    word.split(',').map(str::to_owned).collect()
}

fn build(lines: &[Line]) -> Result<Site, BadLine> {
    let mut plan = Plan::default();
    for line in lines {
        let of = if plan.nodes == 0 { 8 } else { plan.nodes };
        let word = |place: usize| line.word(place).to_owned();
        match line.row {
            "nodes COUNT" => plan.nodes = line.number(0)?,
            "switches NAMES" => plan.switches = split(line.word(0)),
            "mlag NAMES" => {
                plan.pairs.extend(
                    split(line.word(0))
                        .into_iter()
                        .map(|name| (name, "02:1c:73:aa:01:00".to_owned())),
                );
            }
            "lldp off" => plan.no_lldp = true,
            "port NODES/IFACE at SWITCH" => {
                if plan.switches.is_empty() {
                    plan.switches = split("sw-a,sw-b");
                }
                if !plan.switches.contains(&word(1)) {
                    return Err(line.bad(format!("there is no switch {:?}", word(1))));
                }
                for (id, port) in line.ports(0, of)? {
                    plan.plugs
                        .retain(|(node, has, _)| (*node, has) != (id, &port));
                    plan.plugs.push((id, port, word(1)));
                }
            }
            "bond NAME MODE of PORTS" => {
                let (mode, is_fast) =
                    match line.word(1) {
                        "lacp-fast" => (BondMode::Ieee8023ad, true),
                        "lacp-slow" => (BondMode::Ieee8023ad, false),
                        "active-backup" => (BondMode::ActiveBackup, false),
                        "balance-alb" => (BondMode::BalanceAlb, false),
                        other => return Err(line.bad(format!(
                            "{other:?} is no mode: lacp-fast, lacp-slow, active-backup, balance-alb"
                        ))),
                    };
                plan.shape.bonds.push(BondShape {
                    name: word(0),
                    mode,
                    is_fast,
                    ports: split(line.word(2)),
                });
            }
            "bridge NAME on IFACE" => plan.shape.bridges.push((word(0), word(1), false)),
            "bridge NAME on IFACE vlan-aware" => plan.shape.bridges.push((word(0), word(1), true)),
            "vlan NAME on IFACE" => plan.shape.vlans.push((word(0), word(1))),
            "corosync link NUMBER on IFACE" | "corosync link NUMBER on IFACE over IPv6" => {
                let (number, is_v6) = (line.number(0)?, line.row.ends_with("IPv6"));
                plan.shape.links.push(LinkShape {
                    number,
                    iface: word(1),
                    is_v6,
                });
            }
            "agents over IFACE" => plan.shape.agents_over = word(0),
            "collector outside" => plan.collector = Some(Place::Outside),
            "collector at SWITCH" => plan.collector = Some(Place::At(word(0))),
            "collector on NODE" => plan.collector = Some(Place::On(line.one_node(0, of)?)),
            "qdevice outside" => plan.qdevice = Some(Place::Outside),
            "qdevice at SWITCH" => plan.qdevice = Some(Place::At(word(0))),
            "qdevice on NODE" => plan.qdevice = Some(Place::On(line.one_node(0, of)?)),
            "armed NODES" => plan.armed.extend(line.nodes(0, of)?),
            "totem token MILLISECONDS consensus MILLISECONDS" => {
                plan.totem = Some((line.number(0)?, line.number(1)?))
            }
            "speed of IFACE MBPS" => drop(plan.shape.mbps.insert(word(0), line.number(1)?)),
            row => return Err(line.bad(format!("`{row}` is not built yet"))),
        }
    }
    Ok(plan.filled().site())
}

impl Room {
    fn advance(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.now_ms < end {
            self.now_ms += TICK_MS;
            let before = self.site.on_and_off();
            self.site.passes(self.now_ms);
            let has_changed = self.site.settle(self.now_ms);
            if has_changed || self.has_news || before != self.site.on_and_off() {
                self.has_news = false;
                self.ring.look(&self.site);
            }
            self.ring.settle(&mut self.site, self.now_ms);
            self.has_news |= std::mem::take(&mut self.ring.has_fenced);
            self.settle_qdevice();
            self.collector.hears(&self.site, &self.ring, self.now_ms);
        }
    }

    /// The device votes for those who reach it; that is asked of any node that runs.
    fn settle_qdevice(&mut self) {
        let Some(place) = self.site.qdevice.clone() else {
            return;
        };
        let host_is_there = match &place {
            Place::On(host) => self.site.nodes.iter().any(|node| {
                node.id == *host && node.has_power() && matches!(node.power, Power::Running)
            }),
            Place::Outside | Place::At(_) => true,
        };
        let reaches = |node: &Node| node.corosync_runs && self.site.reaches(node, &place);
        let is_away =
            self.site.qdevice_is_away || !host_is_there || !self.site.nodes.iter().any(reaches);
        self.ring.qdevice_is(!is_away);
    }

    fn happens(&mut self, line: &Line) -> Result<(), BadLine> {
        let of = self.site.nodes.len() as u32;
        let word = line.row.split_whitespace().next().unwrap_or_default();
        match word {
            "advance" => {
                self.advance(line.ms(0)?);
                Ok(())
            }
            "switch" => self.switch(line),
            "cable" | "cables" | "card" | "speed" | "port" | "mtu" | "partner" => {
                self.card(line, of)
            }
            "vlan" | "vlans" | "frames" | "path" | "route" => self.path(line, of),
            "agent" | "node" | "corosync" | "config" | "retransmits" | "bond" | "names" => {
                self.node(line, of)
            }
            "lease" => {
                self.collector.grants(&line.nodes(0, of)?, self.now_ms);
                Ok(())
            }
            "qdevice" => {
                self.site.qdevice_is_away = line.row == "qdevice goes away";
                Ok(())
            }
            "collector" => {
                match line.row {
                    "collector restarts" => self.collector.restarts(self.now_ms),
                    row => self.site.collector_is_cut = row == "collector loses its network",
                }
                Ok(())
            }
            _ => self.what_if(line, of),
        }
    }

    fn switch(&mut self, line: &Line) -> Result<(), BadLine> {
        let now_ms = self.now_ms;
        let switch = self.site.switches.get_mut(line.word(0));
        let switch =
            switch.ok_or_else(|| line.bad(format!("there is no switch {:?}", line.word(0))))?;
        match line.row {
            "switch SWITCH loses power" => switch.has_power = false,
            "switch SWITCH gets power" => switch.has_power = true,
            "switch SWITCH goes mute" => switch.is_mute = true,
            "switch SWITCH speaks again" => switch.is_mute = false,
            _ => {
                switch.has_power = false;
                switch.power_at_ms = Some(now_ms + line.ms(1)?);
            }
        }
        Ok(())
    }

    fn card(&mut self, line: &Line, of: u32) -> Result<(), BadLine> {
        let now_ms = self.now_ms;
        if line.row.ends_with("swapped") {
            let (one, other) = (line.ports(0, of)?.remove(0), line.ports(1, of)?.remove(0));
            let plug = |site: &mut Site, port: &(u32, String)| {
                site.card(port).map(|card| card.plug.clone())
            };
            let (Some(a), Some(b)) = (plug(&mut self.site, &one), plug(&mut self.site, &other))
            else {
                return Err(line.bad("there is no such port"));
            };
            for (port, plug) in [(one, b), (other, a)] {
                if let Some(card) = self.site.card(&port) {
                    card.plug = plug;
                }
            }
            return Ok(());
        }
        for id in line.ports(0, of)? {
            let plug = self.site.card(&id).map(|card| card.plug.clone());
            let plug =
                plug.ok_or_else(|| line.bad(format!("pve-{:02} has no port {}", id.0, id.1)))?;
            match line.row {
                "port NODES/IFACE leaves its LACP group"
                | "port NODES/IFACE joins its LACP group" => {
                    let is_in = line.row.contains("joins");
                    self.site
                        .ports
                        .entry(plug)
                        .and_modify(|port| port.is_in_group = is_in);
                }
                "partner NODES/IFACE is MAC" => {
                    let system = Some(line.word(1).to_owned());
                    self.site
                        .ports
                        .entry(plug)
                        .and_modify(|port| port.system = system);
                }
                "card NODES/IFACE hangs" => {
                    let event = Event::NicHang {
                        iface: model::name::IfaceName::new(&*id.1).unwrap(),
                        driver: Some("e1000e".to_owned()),
                    };
                    let text =
                        format!("e1000e 0000:00:1f.6 {}: Detected Hardware Unit Hang:", id.1);
                    self.kernel(id.0, event, text);
                    self.site.card(&id).unwrap().is_hung = true;
                }
                "card NODES/IFACE resets" => {
                    let event = Event::NicReset {
                        iface: model::name::IfaceName::new(&*id.1).unwrap(),
                        driver: Some("e1000e".to_owned()),
                    };
                    self.kernel(
                        id.0,
                        event,
                        format!("e1000e 0000:00:1f.6 {}: Reset adapter unexpectedly", id.1),
                    );
                    self.site.card(&id).unwrap().is_hung = false;
                }
                _ => change_card(self.site.card(&id).unwrap(), line, now_ms)?,
            }
        }
        Ok(())
    }

    fn kernel(&mut self, id: u32, event: Event, message: String) {
        let at = Timestamp::from_millisecond(BEGIN_UNIX_MS + self.now_ms.cast_signed()).unwrap();
        self.site.node(id).journal.push(JournalEvent {
            time: Some(JournalTime::Exact(at)),
            boot_id: None,
            cursor: None,
            hostname: None,
            identifier: Some("kernel".to_owned()),
            unit: None,
            pid: None,
            priority: Some(3),
            repeated: None,
            message,
            event,
        });
    }

    fn path(&mut self, line: &Line, of: u32) -> Result<(), BadLine> {
        match line.row {
            "vlan ID removed from SWITCH" => {
                let id = line.number(0)?;
                let ports = self
                    .site
                    .ports
                    .values_mut()
                    .filter(|port| port.switch == line.word(1));
                for port in ports {
                    port.vlans_removed.insert(id);
                }
            }
            "vlan ID removed from NODES/IFACE" | "vlan ID restored on NODES/IFACE" => {
                let id: u16 = line.number(0)?;
                for port in line.ports(1, of)? {
                    let Some(far) = self.site.ports.get_mut(&port) else {
                        return Err(line.bad("there is no such port"));
                    };
                    if line.row.contains("removed") {
                        far.vlans_removed.insert(id);
                    } else {
                        far.vlans_removed.remove(&id);
                    }
                }
            }
            "vlans FIRST to LAST missing on NODES/IFACE" => {
                for (id, iface) in line.ports(2, of)? {
                    let missing = (iface, line.number(0)?, line.number(1)?);
                    self.site.node(id).vlans_missing.push(missing);
                }
            }
            "frames over BYTES dropped by SWITCH" => {
                let bytes = line.number(0)?;
                let switch = self.site.switches.get_mut(line.word(1));
                switch
                    .ok_or_else(|| line.bad("there is no such switch"))?
                    .passes_bytes = bytes;
            }
            "route on NODES to the network of link NUMBER through IFACE" => {
                for id in line.nodes(0, of)? {
                    self.site.node(id).captured = Some((line.number(1)?, line.word(2).to_owned()));
                }
            }
            row => {
                let link: u8 = line.number(2)?;
                for from in line.nodes(0, of)? {
                    for to in line.nodes(1, of)? {
                        if row.ends_with("cut") {
                            self.site.cut_paths.insert((from, to, link));
                        } else {
                            self.site.cut_paths.remove(&(from, to, link));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, line: &Line, of: u32) -> Result<(), BadLine> {
        let now_ms = self.now_ms;
        match line.row {
            "config version NUMBER arrives on NODES" | "config version NUMBER runs on NODES" => {
                for id in line.nodes(1, of)? {
                    let node = self.site.node(id);
                    let version = if line.row.contains("arrives") {
                        &mut node.config_version
                    } else {
                        &mut node.running_version
                    };
                    *version = line.number(0)?;
                }
                return Ok(());
            }
            "bond NODES/NAME lacks PORT" => {
                for (id, _) in line.ports(0, of)? {
                    self.site.node(id).lacking.insert(line.word(1).to_owned());
                }
                return Ok(());
            }
            "names NODES/IFACE becomes IFACE at boot" => {
                for (id, iface) in line.ports(0, of)? {
                    self.site
                        .node(id)
                        .renamed_at_boot
                        .push((iface, line.word(1).to_owned()));
                }
                return Ok(());
            }
            _ => {}
        }
        for id in line.nodes(0, of)? {
            let node = self.site.node(id);
            match line.row {
                "agent NODES stops" => node.agent_runs = false,
                "agent NODES starts" => node.agent_runs = true,
                "node NODES loses power" => node.loses_power(),
                "node NODES gets power" => node.start(now_ms),
                "node NODES reboots" => node.stop(now_ms, true),
                "node NODES shuts down" => node.stop(now_ms, false),
                "corosync NODES stops" => node.corosync_runs = false,
                "corosync NODES starts" => node.corosync_runs = true,
                "corosync NODES restarts" => {
                    node.corosync_runs = false;
                    node.corosync_at_ms = Some(now_ms + 3_000);
                    node.running_version = node.config_version;
                }
                "retransmits NODES COUNT" => node.retransmits += line.number::<u64>(1)?,
                row => return Err(line.bad(format!("`{row}` is not played yet"))),
            }
        }
        Ok(())
    }

    fn what_if(&mut self, line: &Line, of: u32) -> Result<(), BadLine> {
        let failure = match line.row {
            "what-if node NODE" => {
                Failure::dark(Part::Node(facts::node_name(line.one_node(0, of)?)))
            }
            "what-if switch SWITCH" => Failure::dark(Part::Switch(line.word(0).to_owned())),
            "what-if mute switch SWITCH" => Failure::mute(Part::Switch(line.word(0).to_owned())),
            _ => Failure::dark(Part::Network(line.number(0)?)),
        };
        self.collector.what_if(
            &Hypothesis {
                failures: vec![failure],
            },
            self.now_ms,
        );
        Ok(())
    }
}

fn change_card(card: &mut Card, line: &Line, now_ms: u64) -> Result<(), BadLine> {
    match line.row {
        "cable NODES/IFACE cut" => card.has_cable = false,
        "cable NODES/IFACE mended" => card.has_cable = true,
        "cable NODES/IFACE flaps COUNT times every DURATION" => {
            // Each flap is a loss and a return.
            let (left, every_ms) = (line.number::<u32>(1)? * 2, line.ms(2)? / 2);
            card.flaps = Some(Flaps {
                left,
                every_ms,
                next_ms: now_ms,
            });
        }
        "speed NODES/IFACE MBPS" => card.mbps = line.number(1)?,
        "mtu NODES/IFACE BYTES" => card.mtu_bytes = line.number(1)?,
        row => return Err(line.bad(format!("`{row}` is not played yet"))),
    }
    Ok(())
}
