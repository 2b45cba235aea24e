//! What was ever seen of incidents, over all lives of the collector, held against what was really done to the cables.

use std::collections::{BTreeMap, BTreeSet};

use collector::keeper::LOOK_AGAIN_MS;
use collector::keeper::view::ClusterView;
use model::fact::bond::MiiStatus;
use model::finding::{SETTLES_MS, Thing};
use model::fleet::Hearing;
use model::incident::{Incident, Number};
use model::report::{Fact, Family};
use quorate_collector as collector;

use super::node::{BONDS, Node};

/// The rule that speaks of a pulled cable.
const RULE: &str = "bond-degraded";
/// How long nothing must be wrong until an incident is over, and within which time what comes back is the same one.
const CALM_MS: u64 = 30_000;
const RETURN_MS: i64 = 600_000;
/// How far the collector may lag behind a node that it calls connected: missed heartbeats, and what is under way.
const BEHIND_MS: u64 = 15_000;

type Key = (String, Thing);

#[derive(Debug, Default)]
pub(crate) struct History {
    seed: u64,
    numbers: BTreeMap<Number, Key>,
    /// The last incident about each thing, and when it was over.
    last: BTreeMap<Key, (Number, Option<i64>)>,
    /// Since when a bond is shown with a port down, the ledger waits for nothing, and no incident is open.
    untold_ms: BTreeMap<Thing, u64>,
}

impl History {
    pub(crate) fn of(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// How many there ever were.
    pub(crate) fn incidents(&self) -> u64 {
        self.numbers.len() as u64
    }

    /// Nobody looks.
    pub(crate) fn blind(&mut self) {
        self.untold_ms.clear();
    }

    pub(crate) fn look(&mut self, view: &ClusterView, nodes: &[Node], now_ms: u64) {
        let mut open = BTreeSet::new();
        for incident in view.incidents.open() {
            let key = (incident.rule.clone(), incident.subject.clone());
            assert!(
                open.insert(key),
                "seed {}: two are open: {incident:?}",
                self.seed
            );
        }
        for incident in view.incidents.open().chain(view.incidents.closed()) {
            self.meet(incident, nodes);
        }
        self.check_told(view, now_ms);
    }

    fn meet(&mut self, incident: &Incident, nodes: &[Node]) {
        let (seed, number) = (self.seed, incident.number);
        let key = (incident.rule.clone(), incident.subject.clone());
        let before = self.numbers.entry(number).or_insert_with(|| key.clone());
        assert_eq!(
            *before, key,
            "seed {seed}: the number {number} was given twice"
        );
        if let Some((last, over)) = self.last.get(&key) {
            let is_late = over.is_some_and(|over| incident.opened_unix_ms - over >= RETURN_MS);
            assert!(
                *last == number || is_late || *last > number,
                "seed {seed}: {key:?} was {last}, over at {over:?}, and is {number}"
            );
            if *last > number {
                return;
            }
        }
        let seen = (number, incident.closed_unix_ms);
        let before = self.last.insert(key, seen);
        if let Some(over) = incident.closed_unix_ms
            && before != Some(seen)
        {
            self.check_over(incident, over.cast_unsigned(), nodes);
        }
    }

    /// It was not called over while the cable was still pulled.
    fn check_over(&self, incident: &Incident, over_ms: u64, nodes: &[Node]) {
        let Some((node, bond)) = bond_of(incident, nodes) else {
            return;
        };
        let calm_ms = over_ms.saturating_sub(CALM_MS);
        let down_ms = node.longest_down_ms(bond, calm_ms, over_ms);
        assert!(
            down_ms <= BEHIND_MS,
            "seed {}: over at {over_ms}, and down for {down_ms} ms just before: {incident:?}",
            self.seed
        );
    }

    /// What is shown as wrong has its incident, once the rules had time to look and nothing waits for the ledger.
    fn check_told(&mut self, view: &ClusterView, now_ms: u64) {
        let open = open_bonds(view);
        let shown = if view.steps_waiting == 0 {
            shown_down(view)
        } else {
            BTreeSet::new()
        };
        self.untold_ms
            .retain(|thing, _| shown.contains(thing) && !open.contains(thing));
        for thing in shown.difference(&open) {
            let since_ms = *self.untold_ms.entry(thing.clone()).or_insert(now_ms);
            assert!(
                now_ms - since_ms <= SETTLES_MS + LOOK_AGAIN_MS + 1_000,
                "seed {}: {thing:?} is shown as degraded since {since_ms}, and no incident is open at {now_ms}",
                self.seed
            );
        }
    }
}

/// The bonds that incidents are open about.
pub(crate) fn open_bonds(view: &ClusterView) -> BTreeSet<Thing> {
    let open = view.incidents.open();
    let open = open.filter(|incident| incident.rule == RULE);
    open.map(|incident| incident.subject.clone()).collect()
}

/// The bonds that have a port down.
pub(crate) fn down_bonds(nodes: &[Node]) -> BTreeSet<Thing> {
    let all = nodes
        .iter()
        .flat_map(|node| (0..BONDS).map(move |bond| (node, bond)));
    let down = all.filter(|(node, bond)| node.is_down(*bond));
    down.map(|(node, bond)| thing(node, bond)).collect()
}

/// The bonds that the collector shows with a port down, of nodes that it hears.
fn shown_down(view: &ClusterView) -> BTreeSet<Thing> {
    let heard = view.nodes.iter();
    let heard = heard.filter(|(_, node)| node.hearing == Hearing::Connected);
    let mut down = BTreeSet::new();
    for (name, node) in heard {
        let Some(aged) = node.facts.get(&Family::Bonds) else {
            continue;
        };
        let Fact::Bonds(reading) = &*aged.fact.fact else {
            continue;
        };
        for bond in reading.known().into_iter().flatten() {
            let is_down = |status: &MiiStatus| *status != MiiStatus::Up;
            if bond
                .slaves
                .iter()
                .any(|port| port.mii_status.as_ref().is_some_and(is_down))
            {
                down.insert(Thing::Iface(name.clone(), bond.name.clone()));
            }
        }
    }
    down
}

fn thing(node: &Node, bond: usize) -> Thing {
    let name = format!("bond{bond}");
    Thing::Iface(
        node.name.clone(),
        model::name::IfaceName::new(name).unwrap(),
    )
}

fn bond_of<'a>(incident: &Incident, nodes: &'a [Node]) -> Option<(&'a Node, usize)> {
    let mut all = nodes
        .iter()
        .flat_map(|node| (0..BONDS).map(move |bond| (node, bond)));
    let is_it = |(node, bond): &(&Node, usize)| thing(node, *bond) == incident.subject;
    all.find(is_it).filter(|_| incident.rule == RULE)
}
