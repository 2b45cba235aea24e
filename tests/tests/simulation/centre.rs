//! The collector's end: the keeper's core of one cluster, and the ledger, which outlives it.

use std::collections::BTreeMap;

use collector::keeper::core::{Core, LeaseAsk, Output, Told, Wish};
use collector::keeper::hello;
use collector::keeper::intake::Intake;
use collector::keeper::refusal::Refusal;
use collector::keeper::view::ClusterView;
use collector::keeper::{Now, Own, StreamId};
use collector::ledger::memory::Memory;
use model::identity::ClusterId;
use quorate_collector as collector;

use super::node::Node;
use super::wire::Wire;
use super::world::{COLLECTOR, VERSION};

const SLOWEST_LEDGER_MS: u64 = 2_000;

pub(crate) struct Centre {
    cluster: ClusterId,
    core: Core,
    began_ms: u64,
    /// Those whose Hello was heard, by wire.
    streams: BTreeMap<usize, (StreamId, Intake)>,
    opened: u64,
    /// What the ledger is asked, and when it answers.
    asked: Option<(u64, Wish)>,
    pub(crate) view: Option<ClusterView>,
    /// What those who asked for the lease were told since they listened last.
    pub(crate) leased: Vec<Told>,
}

impl Centre {
    pub(crate) fn start(cluster: &ClusterId, ledger: &Memory, writer: u64, now_ms: u64) -> Self {
        // A store that cannot be read just now is read again, as the program does.
        let snapshot = loop {
            if let Ok(snapshot) = ledger.snapshot_now(cluster) {
                break snapshot;
            }
        };
        let own = Own {
            collector: COLLECTOR.to_owned(),
            epoch: 1,
            is_authority: true,
        };
        Self {
            cluster: cluster.clone(),
            core: Core::new(cluster.clone(), own, VERSION, writer, snapshot),
            began_ms: now_ms,
            streams: BTreeMap::new(),
            opened: 0,
            asked: None,
            view: None,
            leased: Vec::new(),
        }
    }

    pub(crate) fn lease(&mut self, ask: &LeaseAsk, now_ms: u64) {
        let now = self.now(now_ms);
        if let Err(told) = self.core.lease(0, ask, now) {
            self.leased.push(*told);
        }
    }

    fn now(&self, now_ms: u64) -> Now {
        Now {
            mono_ms: now_ms - self.began_ms,
            unix_ms: now_ms.cast_signed(),
        }
    }

    /// Everything that the collector does in one moment. `nodes` are those at the other ends of the wires.
    pub(crate) fn live(
        &mut self,
        wires: &mut [Wire],
        owners: &[usize],
        nodes: &[Node],
        ledger: &Memory,
        now_ms: u64,
        chance: &mut fastrand::Rng,
    ) {
        let now = self.now(now_ms);
        for (wire, owner) in owners.iter().enumerate() {
            if let Some(node) = nodes.get(*owner) {
                self.hear(wire, &mut wires[wire], node, now, now_ms);
            }
        }
        self.core.tick(now);
        if let Some((_, wish)) = self.asked.take_if(|(at_ms, _)| *at_ms <= now_ms) {
            self.ask(wish, ledger, now);
        }
        while let Some(output) = self.core.next_output() {
            self.put_out(output, wires, now_ms, chance);
        }
        if let Some(view) = self.core.view(now) {
            self.never_younger(&view, nodes);
            self.view = Some(view);
        }
    }

    fn hear(&mut self, number: usize, wire: &mut Wire, node: &Node, now: Now, now_ms: u64) {
        if wire.centre_knows(now_ms) {
            if let Some((stream, _)) = self.streams.remove(&number) {
                self.core.closed(stream);
            }
            return;
        }
        loop {
            if let Some((stream, _)) = self.streams.get(&number)
                && !self.core.wants(*stream, now)
            {
                break;
            }
            let Some(message) = wire.at_centre(now_ms) else {
                break;
            };
            let taken = match self.streams.get_mut(&number) {
                Some((stream, intake)) => intake
                    .take(message, now)
                    .map(|arrived| self.core.message(*stream, arrived, now)),
                None => hello::check(message, &self.cluster, &node.name, VERSION).map(|greeting| {
                    self.opened += 1;
                    let stream = StreamId(self.opened);
                    self.core.opened(stream, &greeting, now);
                    let intake = Intake::new(greeting.version.clone(), greeting.spool);
                    self.streams.insert(number, (stream, intake));
                }),
            };
            taken.unwrap_or_else(|refusal| panic!("{}: {refusal}", node.name));
        }
    }

    fn ask(&mut self, wish: Wish, ledger: &Memory, now: Now) {
        match wish {
            Wish::Append {
                expected,
                epoch,
                decision,
            } => {
                let appended = ledger.append_now(&self.cluster, expected, epoch, &decision);
                self.core.appended(appended, now);
            }
            Wish::Read { after } => {
                let read = ledger
                    .read_now(&self.cluster, after)
                    .and_then(|records| Ok((records, ledger.snapshot_now(&self.cluster)?)));
                self.core.read(read.map_err(|error| error.to_string()), now);
            }
        }
    }

    fn put_out(
        &mut self,
        output: Output,
        wires: &mut [Wire],
        now_ms: u64,
        chance: &mut fastrand::Rng,
    ) {
        match output {
            Output::Send { stream, message } => {
                if let Some(wire) = self
                    .wire_of(stream)
                    .and_then(|number| wires.get_mut(number))
                {
                    wire.send_to_node(message, now_ms, chance);
                }
            }
            Output::End { stream, refusal } => {
                let is_usual = matches!(
                    refusal,
                    Refusal::Newer { .. } | Refusal::Silent { .. } | Refusal::EventsNotTaken
                );
                assert!(is_usual, "{refusal}");
                if let Some(number) = self.wire_of(stream) {
                    self.streams.remove(&number);
                    wires[number].close(now_ms);
                }
                self.core.closed(stream);
            }
            Output::Ledger(wish) => {
                assert!(
                    self.asked.is_none(),
                    "the ledger is asked one thing at a time"
                );
                let at_ms = now_ms + chance.u64(0..=SLOWEST_LEDGER_MS);
                self.asked = Some((at_ms, wish));
            }
            Output::Answered { .. } | Output::Alerted { .. } => {}
            Output::Leased { told, .. } => self.leased.push(*told),
        }
    }

    fn wire_of(&self, stream: StreamId) -> Option<usize> {
        let mut all = self.streams.iter();
        all.find(|(_, (of, _))| *of == stream)
            .map(|(number, _)| *number)
    }

    /// No fact is held for younger than it is.
    fn never_younger(&self, view: &ClusterView, nodes: &[Node]) {
        for node in nodes {
            let Some(seen) = view.nodes.get(&node.name) else {
                continue;
            };
            for (family, aged) in &seen.facts {
                let latest_ms = node.read_ms[family].cast_signed();
                let believed_ms = self.began_ms.cast_signed() + aged.read_at_ms;
                assert!(
                    believed_ms <= latest_ms,
                    "{} {}: read at {latest_ms}, held to be of {believed_ms}",
                    node.name,
                    family.key()
                );
            }
        }
    }
}
