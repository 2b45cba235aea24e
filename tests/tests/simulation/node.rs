//! One node: its facts, what happened on it, and the agent's end of its stream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::fact::lldp::Neighbour;
use model::name::{IfaceName, NodeName};
use model::reading::Reading;
use model::report::{Fact, Family};
use proto::fact::ReadFact;
use proto::v1;
use quorate_agent::spool::{Item, Kind, Record};
use quorate_agent::uplink::{Effect, Now, Session};
use serde_json::{Value, json};

use super::wire::Wire;

/// What one look into the spool brings.
const READ_AT_ONCE: usize = 40;
const LONGEST_PAUSE_MS: u64 = 5_000;
/// Bonds of a node, with two ports each.
pub(crate) const BONDS: usize = 2;
/// What is acknowledged is not in the spool any more, but for the records that share a segment with later ones.
const KEPT_BEHIND: u64 = 5;

pub(crate) struct Node {
    pub(crate) name: NodeName,
    boot_id: String,
    /// CLOCK_BOOTTIME is the world's time and this.
    boottime_ahead_ms: u64,
    wall_ahead_ms: i64,
    pub(crate) facts: BTreeMap<Family, Arc<ReadFact>>,
    /// When each was read, on the world's clock.
    pub(crate) read_ms: BTreeMap<Family, u64>,
    /// When a port of each bond went down or came back, and whether it was down then.
    pub(crate) ports: [Vec<(u64, bool)>; BONDS],
    /// What happened, from number 1.
    pub(crate) events: Vec<String>,
    acknowledged: u64,
    spool_id: [u8; 16],
    instance: u64,
    pub(crate) stream: Option<Stream>,
    pub(crate) may_dial_ms: u64,
}

pub(crate) struct Stream {
    pub(crate) wire: usize,
    session: Session,
}

impl Node {
    pub(crate) fn new(number: u8, chance: &mut fastrand::Rng) -> Self {
        Self {
            name: NodeName::new(format!("pve-{number:02}")).unwrap(),
            boot_id: format!("00000000-0000-4000-8000-0000000000{number:02x}"),
            boottime_ahead_ms: chance.u64(0..1_000_000_000),
            wall_ahead_ms: chance.i64(-5_000_000..5_000_000),
            facts: BTreeMap::new(),
            read_ms: BTreeMap::new(),
            ports: Default::default(),
            events: Vec::new(),
            acknowledged: 0,
            spool_id: [number; 16],
            instance: 0,
            stream: None,
            may_dial_ms: 0,
        }
    }

    fn now(&self, now_ms: u64) -> Now {
        Now {
            monotonic: Duration::from_millis(now_ms),
            boottime_ms: now_ms + self.boottime_ahead_ms,
            unix_ms: now_ms.cast_signed() + self.wall_ahead_ms,
        }
    }

    /// The agent's process starts anew: what it knew is read again, what it kept on its disk is there.
    pub(crate) fn restart(&mut self, now_ms: u64, chance: &mut fastrand::Rng) {
        self.instance += 1;
        self.stream = None;
        self.may_dial_ms = now_ms + chance.u64(0..LONGEST_PAUSE_MS);
        let families: Vec<Family> = self.facts.keys().copied().collect();
        for family in families {
            self.read(family, now_ms, chance);
        }
    }

    /// A family is read and says something, now and then what it said before.
    pub(crate) fn read(&mut self, family: Family, now_ms: u64, chance: &mut fastrand::Rng) {
        let fact = match (chance.u8(0..6), self.facts.get(&family)) {
            (0, _) if family == Family::Bonds => family.failed("permission denied".to_owned()),
            _ if family == Family::Bonds => self.bonds(now_ms),
            (0, Some(before)) => (*before.fact).clone(),
            (1, _) => family.absent(),
            // Other families have other shapes; one that is known is enough for patches.
            _ if family == Family::Lldp => neighbours(now_ms, chance),
            // Digits alone make no new reason: tools write times into theirs.
            _ => family.failed(format!("reason {}", chance.char('a'..='z'))),
        };
        self.tell(family, fact, now_ms);
    }

    /// A cable is pulled or plugged in, and mostly it can be read.
    pub(crate) fn pull_or_plug(&mut self, bond: usize, now_ms: u64, chance: &mut fastrand::Rng) {
        self.ports[bond].push((now_ms, !self.is_down(bond)));
        self.read(Family::Bonds, now_ms, chance);
    }

    /// Most cables are plugged in, and all can be read.
    pub(crate) fn mend(&mut self, now_ms: u64, chance: &mut fastrand::Rng) {
        for bond in 0..BONDS {
            if self.is_down(bond) && chance.u8(0..4) > 0 {
                self.ports[bond].push((now_ms, false));
            }
        }
        let bonds = self.bonds(now_ms);
        self.tell(Family::Bonds, bonds, now_ms);
    }

    pub(crate) fn is_down(&self, bond: usize) -> bool {
        self.ports[bond].last().is_some_and(|(_, is_down)| *is_down)
    }

    /// The longest time within these moments that the port of a bond was down without a break.
    pub(crate) fn longest_down_ms(&self, bond: usize, from_ms: u64, to_ms: u64) -> u64 {
        let ends = self.ports[bond].iter().skip(1).map(|(at, _)| *at);
        let ends = ends.chain([u64::MAX]);
        let times = self.ports[bond].iter().zip(ends);
        let down = times.filter(|((_, is_down), _)| *is_down);
        let within = down.map(|((begin, _), end)| {
            let (begin, end) = (*begin.max(&from_ms), end.min(to_ms));
            end.saturating_sub(begin)
        });
        within.max().unwrap_or_default()
    }

    fn bonds(&self, now_ms: u64) -> Fact {
        let bond = |number: usize| {
            let port = |port: usize| {
                let is_down = port == 1 && self.is_down(number);
                json!({"name": format!("eno{}", 2 * number + port), "speed_unknown": false,
                       "mii_status": if is_down { "down" } else { "up" }})
            };
            json!({"name": format!("bond{number}"), "monitor_targets": [], "slaves": [port(0), port(1)]})
        };
        let bonds: Vec<Value> = (0..BONDS).map(bond).collect();
        let at = Timestamp::from_millisecond(now_ms.cast_signed()).unwrap();
        let text = serde_json::to_string(&bonds).unwrap();
        Family::Bonds.known(&text, at, Vec::new()).unwrap()
    }

    fn tell(&mut self, family: Family, fact: Fact, now_ms: u64) {
        let fact = Arc::new(ReadFact {
            fact: Arc::new(fact),
            read_at_boottime_ms: now_ms + self.boottime_ahead_ms,
        });
        self.facts.insert(family, Arc::clone(&fact));
        self.read_ms.insert(family, now_ms);
        if let Some(stream) = &mut self.stream {
            stream.session.heard(fact);
        }
    }

    pub(crate) fn happen(&mut self, count: u64) {
        for _ in 0..count {
            let text = format!("{} event {}", self.name, self.events.len() + 1);
            self.events.push(text);
        }
        let next = self.next_number();
        if let Some(stream) = &mut self.stream {
            stream.session.spool_grew(next);
        }
    }

    fn next_number(&self) -> u64 {
        self.events.len() as u64 + 1
    }

    fn first_number(&self) -> u64 {
        1 + self.acknowledged.saturating_sub(KEPT_BEHIND)
    }

    pub(crate) fn dial(&mut self, wire: usize, now_ms: u64) {
        let hello = v1::Hello {
            cluster: Some(v1::Cluster {
                id: super::world::CLUSTER.to_owned(),
                name: "lab".to_owned(),
            }),
            node: self.name.as_str().to_owned(),
            agent: Some(v1::Software {
                version: super::world::VERSION.to_owned(),
                capabilities: Vec::new(),
            }),
            boot_id: self.boot_id.clone(),
            spool_id: self.spool_id.to_vec(),
            spool_first: self.first_number(),
            spool_next: self.next_number(),
            authority: None,
            instance: self.instance.to_le_bytes().to_vec(),
            trust: Vec::new(),
        };
        let mut session = Session::new(hello, self.now(now_ms));
        for fact in self.facts.values() {
            session.heard(Arc::clone(fact));
        }
        self.stream = Some(Stream { wire, session });
    }

    /// Everything that the agent does in one moment.
    pub(crate) fn live(&mut self, wires: &mut [Wire], now_ms: u64, chance: &mut fastrand::Rng) {
        let now = self.now(now_ms);
        let Some(mut stream) = self.stream.take() else {
            return;
        };
        let Some(wire) = wires.get_mut(stream.wire) else {
            return;
        };
        while let Some(message) = wire.at_node(now_ms) {
            let effect = stream.session.take(message, now);
            match effect.unwrap_or_else(|nonsense| panic!("{}: {nonsense}", self.name)) {
                Some(Effect::Kept { up_to }) => {
                    assert!(up_to <= self.events.len() as u64);
                    self.acknowledged = self.acknowledged.max(up_to);
                }
                Some(Effect::Welcomed(welcome)) => {
                    let kept = welcome.events_kept_up_to;
                    assert!(
                        kept >= self.acknowledged,
                        "{}: {} were acknowledged, and {kept} are kept",
                        self.name,
                        self.acknowledged
                    );
                }
                _ => {}
            }
        }
        let is_over = wire.node_knows(now_ms) || stream.session.silent_for(now).is_some();
        if is_over {
            wire.close(now_ms);
            self.may_dial_ms = now_ms + chance.u64(0..LONGEST_PAUSE_MS);
            return;
        }
        while wire.has_room() {
            if let Some(from) = stream.session.wants_events(now) {
                stream.session.found(self.records(from));
            }
            let Some(message) = stream.session.next(now) else {
                break;
            };
            wire.send_to_centre(message, now_ms, chance);
        }
        self.stream = Some(stream);
    }

    fn records(&self, from: u64) -> Vec<Item> {
        let first = self.first_number();
        let mut items = Vec::new();
        if from < first {
            items.push(Item::Missing {
                from,
                to: first - 1,
                count: first - from,
            });
        }
        let record = |number: u64| {
            let text = self.events.get(number as usize - 1)?;
            Some(Item::Record(Record {
                number,
                kind: Kind::Change,
                cursor: None,
                json: text.clone(),
            }))
        };
        let numbers = from.max(first)..self.next_number();
        items.extend(numbers.filter_map(record).take(READ_AT_ONCE));
        items
    }
}

fn neighbours(now_ms: u64, chance: &mut fastrand::Rng) -> Fact {
    let count = chance.u8(0..4);
    let neighbour = |number: u8| Neighbour {
        interface: IfaceName::new(format!("eno{number}")).ok(),
        remote_id: Some(u32::from(number)),
        age: None,
        ..Neighbour::default()
    };
    let mut value: Vec<Neighbour> = (0..count).map(neighbour).collect();
    if let Some(first) = value.first_mut() {
        first.remote_id = Some(chance.u32(0..100));
    }
    let at = Timestamp::from_millisecond(now_ms.cast_signed()).unwrap();
    Fact::Lldp(Reading::Known {
        value,
        at,
        problems: Vec::new(),
    })
}
