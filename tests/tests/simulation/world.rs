//! Three nodes, a collector, a ledger, and a time that passes in steps.

use std::collections::BTreeMap;

use collector::ledger::EventsWanted;
use collector::ledger::memory::{Faults, Memory};
use model::identity::ClusterId;
use model::incident::Incidents;
use model::report::Family;
use prost::Message as _;
use proto::v1;
use quorate_collector as collector;

use super::centre::Centre;
use super::history::{History, down_bonds, open_bonds};
use super::leases::Asking;
use super::node::{BONDS, Node};
use super::wire::Wire;

pub(crate) const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
pub(crate) const COLLECTOR: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const VERSION: &str = "0.1.0";
const NODES: u8 = 3;
const FAMILIES: [Family; 4] = [Family::Lldp, Family::Members, Family::Power, Family::Bonds];
const STEP_MS: u64 = 50;
/// So long things go wrong.
const LIFE_MS: u64 = 120_000;
/// And so long at most until all is well again.
const REST_MS: u64 = 300_000;
/// Then in longer steps until no incident changes any more: what flapped is over only after ten minutes.
const CALM_STEP_MS: u64 = 500;
const CALM_MS: u64 = 700_000;
const LONGEST_ABSENCE_MS: u64 = 20_000;
/// In a thousand appends and reads.
const FAULTS: Faults = Faults {
    conflict: 50,
    unknown_done: 80,
    unknown_lost: 80,
    unknown_late: 80,
    not_leader: 0,
    unreadable: 80,
};

pub(crate) struct World {
    seed: u64,
    now_ms: u64,
    chance: fastrand::Rng,
    cluster: ClusterId,
    nodes: Vec<Node>,
    wires: Vec<Wire>,
    /// Whose wire it is.
    owners: Vec<usize>,
    ledger: Memory,
    /// Or when it starts again.
    centre: Result<Centre, u64>,
    history: History,
    asking: Asking,
    restarts: u64,
    writers: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let cluster = ClusterId::new(CLUSTER).unwrap();
        let ledger = Memory::nasty(seed, FAULTS);
        let mut nodes: Vec<Node> = (1..=NODES)
            .map(|number| Node::new(number, &mut chance))
            .collect();
        for node in &mut nodes {
            for family in FAMILIES {
                node.read(family, 0, &mut chance);
            }
        }
        Self {
            seed,
            now_ms: 0,
            chance,
            nodes,
            wires: Vec::new(),
            owners: Vec::new(),
            centre: Ok(Centre::start(&cluster, &ledger, 1, 0)),
            history: History::of(seed),
            asking: Asking::default(),
            cluster,
            ledger,
            restarts: 0,
            writers: 1,
        }
    }

    pub(crate) fn events(&self) -> u64 {
        self.nodes.iter().map(|node| node.events.len() as u64).sum()
    }

    pub(crate) fn streams(&self) -> u64 {
        self.wires.len() as u64
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Things happen, and things go wrong.
    pub(crate) fn live(&mut self) {
        while self.now_ms < LIFE_MS {
            self.something_happens();
            self.somebody_asks_for_the_lease();
            self.something_goes_wrong();
            self.step(STEP_MS);
        }
    }

    /// Nothing goes wrong any more, until everything has arrived.
    pub(crate) fn come_to_rest(&mut self) {
        self.ledger.set_faults(Faults::default());
        for node in &mut self.nodes {
            node.mend(self.now_ms, &mut self.chance);
        }
        let end_ms = self.now_ms + REST_MS;
        while self.unsettled().is_some() {
            assert!(
                self.now_ms < end_ms,
                "seed {}: {}",
                self.seed,
                self.unsettled().unwrap_or_default()
            );
            self.step(STEP_MS);
        }
        let end_ms = self.now_ms + CALM_MS;
        while let Some(why) = self.unsettled().or_else(|| self.unsettled_incidents()) {
            assert!(self.now_ms < end_ms, "seed {}: {why}", self.seed);
            self.step(CALM_STEP_MS);
        }
    }

    fn something_happens(&mut self) {
        for node in &mut self.nodes {
            if self.chance.u8(0..10) == 0 {
                let family = FAMILIES[self.chance.usize(0..FAMILIES.len())];
                node.read(family, self.now_ms, &mut self.chance);
            }
            if self.chance.u8(0..100) == 0 {
                let bond = self.chance.usize(0..BONDS);
                node.pull_or_plug(bond, self.now_ms, &mut self.chance);
            }
            match self.chance.u16(0..1000) {
                0 => node.happen(self.chance.u64(100..3000)),
                1..=100 => node.happen(self.chance.u64(1..10)),
                _ => {}
            }
        }
    }

    fn somebody_asks_for_the_lease(&mut self) {
        if let Ok(centre) = &mut self.centre
            && self.chance.u8(0..40) == 0
        {
            let node = &self.nodes[self.chance.usize(0..self.nodes.len())].name;
            let ask = self.asking.next(node, &mut self.chance);
            centre.lease(&ask, self.now_ms);
        }
    }

    fn something_goes_wrong(&mut self) {
        let now_ms = self.now_ms;
        if !self.wires.is_empty() && self.chance.u8(0..100) == 0 {
            let newest = self.wires.len().saturating_sub(usize::from(NODES));
            let number = self.chance.usize(newest..self.wires.len());
            self.wires[number].break_off(now_ms, &mut self.chance);
        }
        if self.chance.u16(0..500) == 0 {
            let node = self.chance.usize(0..self.nodes.len());
            self.restarts += 1;
            if let Some(stream) = &self.nodes[node].stream {
                self.wires[stream.wire].break_off(now_ms, &mut self.chance);
            }
            self.nodes[node].restart(now_ms, &mut self.chance);
        }
        if self.centre.is_ok() && self.chance.u16(0..400) == 0 {
            self.restarts += 1;
            for wire in &mut self.wires {
                wire.break_off(now_ms, &mut self.chance);
            }
            if self.chance.bool() {
                self.ledger.power_cut();
            }
            self.centre = Err(now_ms + self.chance.u64(0..LONGEST_ABSENCE_MS));
        }
    }

    fn step(&mut self, step_ms: u64) {
        self.now_ms += step_ms;
        let now_ms = self.now_ms;
        if let Err(back_ms) = self.centre
            && back_ms <= now_ms
        {
            self.writers += 1;
            self.centre = Ok(Centre::start(
                &self.cluster,
                &self.ledger,
                self.writers,
                now_ms,
            ));
        }
        for (owner, node) in self.nodes.iter_mut().enumerate() {
            if node.stream.is_none() && node.may_dial_ms <= now_ms && self.centre.is_ok() {
                self.wires.push(Wire::new());
                self.owners.push(owner);
                node.dial(self.wires.len() - 1, now_ms);
            }
            node.live(&mut self.wires, now_ms, &mut self.chance);
        }
        if let Ok(centre) = &mut self.centre {
            centre.live(
                &mut self.wires,
                &self.owners,
                &self.nodes,
                &self.ledger,
                now_ms,
                &mut self.chance,
            );
            for told in std::mem::take(&mut centre.leased) {
                self.asking.hear(&told);
            }
            if let Some(view) = &centre.view {
                self.history.look(view, &self.nodes, now_ms);
            }
        } else {
            self.history.blind();
        }
    }

    /// What is open though it is mended, or is not written yet.
    fn unsettled_incidents(&self) -> Option<String> {
        let view = self.centre.as_ref().ok()?.view.as_ref()?;
        if view.steps_waiting > 0 {
            return Some(format!("{} steps wait for the ledger", view.steps_waiting));
        }
        let (open, expected) = (open_bonds(view), down_bonds(&self.nodes));
        (open != expected).then(|| format!("{open:?} are open, and {expected:?} are down"))
    }

    /// What anybody makes of the ledger is what the keeper shows, and what the store adds up to.
    pub(crate) fn check_incidents(&self) -> u64 {
        let mut replayed = Incidents::default();
        for step in self.ledger.all_steps(&self.cluster) {
            replayed.fold(&step);
        }
        let kept = self.ledger.snapshot_now(&self.cluster).unwrap().kept;
        assert_eq!(replayed, *kept.incidents, "seed {}", self.seed);
        let centre = self.centre.as_ref().ok();
        let shown = centre.and_then(|centre| centre.view.as_ref()).unwrap();
        assert_eq!(replayed, *shown.incidents, "seed {}", self.seed);
        self.history.incidents()
    }

    pub(crate) fn check_leases(&self) -> usize {
        let kept = self.ledger.snapshot_now(&self.cluster).unwrap().kept;
        self.asking.check(self.seed, &kept.leases)
    }

    /// What has not arrived yet.
    fn unsettled(&self) -> Option<String> {
        let Ok(centre) = &self.centre else {
            return Some("the collector is away".to_owned());
        };
        let Some(view) = &centre.view else {
            return Some("the collector has published nothing".to_owned());
        };
        for node in &self.nodes {
            let Some(seen) = view.nodes.get(&node.name) else {
                return Some(format!("{} was not heard", node.name));
            };
            for (family, fact) in &node.facts {
                let here = seen.facts.get(family).map(|aged| &*aged.fact.fact);
                // When it was read is held against the truth elsewhere.
                let text = |fact: &model::report::Fact| {
                    let json = fact.to_json();
                    (
                        json.known().cloned(),
                        fact.standing().failed.map(str::to_owned),
                    )
                };
                if here.map(text) != Some(text(&fact.fact)) {
                    return Some(format!(
                        "{} {}: {:?} is seen as {here:?}",
                        node.name,
                        family.key(),
                        fact.fact
                    ));
                }
            }
            let happened = node.events.len() as u64;
            if seen.events_kept != happened {
                let kept = seen.events_kept;
                return Some(format!(
                    "{kept} of {happened} events of {} are kept",
                    node.name
                ));
            }
        }
        None
    }

    /// Every event is kept, once, and in the order in which it happened on its node.
    pub(crate) fn check(&self) {
        let mut kept: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut after = 0;
        loop {
            let wanted = EventsWanted {
                cluster: self.cluster.clone(),
                node: None,
                after,
                limit: collector::ledger::MAX_EVENTS_READ,
            };
            let events = self.ledger.events_now(&wanted).unwrap();
            let Some(last) = events.last() else {
                break;
            };
            after = last.place;
            for event in events {
                let node = self.nodes.iter().find(|node| node.name == event.event.node);
                let body = v1::Event::decode(event.event.body.as_slice()).unwrap();
                let Some(v1::event::Event::ChangeJson(text)) = body.event else {
                    panic!("seed {}: {body:?} did not happen", self.seed);
                };
                kept.entry(node.unwrap().name.as_str())
                    .or_default()
                    .push(text);
            }
        }
        for node in &self.nodes {
            let kept = kept.remove(node.name.as_str()).unwrap_or_default();
            assert!(
                kept == node.events,
                "seed {}: {} of {} events of {} are kept, or not in their order",
                self.seed,
                kept.len(),
                node.events.len(),
                node.name
            );
        }
    }
}
