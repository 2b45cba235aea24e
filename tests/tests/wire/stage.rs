//! A rack with a collector, an agent in each node, and programs that speak to their journals.

use std::collections::BTreeMap;
use std::time::Duration;

use model::measure;
use model::report::Family;
use proto::v1;
use proto::v1::event::Event as Kind;
use proto::v1::fact::State;
use quorate_tests::{
    Agent, Collector, History, Journal, PATIENCE, Rack, Speaker, give_cluster_id, spoken,
    wait_until,
};
use serde_json::Value;

pub(crate) const NODES: usize = 8;
const LINKS: usize = 2;
pub(crate) const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
/// The agent listens to it, and nothing on a rack speaks in its name.
pub(crate) const SPEAKER: &str = "pmxcfs";
const LONGEST_PAUSE_MS: u64 = 1_500;
/// The rule that names a node whose cable to a network is pulled.
const PULLED: &str = "corosync-link-down";
/// What flapped is over only after ten calm minutes.
const CALM: Duration = Duration::from_secs(700);
/// Families whose facts hold still once the cluster does. Their measures never do: `model::measure` names them, and nothing
/// else is left out.
const COMPARED: &[Family] = &[
    Family::Bonds,
    Family::Links,
    Family::Bridges,
    Family::Interfaces,
    Family::Corosync,
    Family::CorosyncConf,
    Family::Members,
    Family::Ha,
    Family::Guests,
    Family::Boot,
];

pub(crate) struct Stage {
    pub(crate) rack: Rack,
    pub(crate) collector: Collector,
    pub(crate) agents: Vec<Agent>,
    _journals: Vec<Journal>,
    pub(crate) speakers: Vec<Speaker>,
    random: fastrand::Rng,
    pub(crate) history: History,
    pulled: Option<Pulled>,
}

/// A cable that stays pulled over kills, and the incident that tells of it.
struct Pulled {
    node: String,
    link: usize,
    incident: u64,
}

impl Stage {
    pub(crate) fn set(seed: u64) -> Self {
        let mut rack = Rack::new(NODES, LINKS).unwrap();
        give_cluster_id(&rack, CLUSTER).unwrap();
        let collector = Collector::start(&mut rack, LINKS).unwrap();
        let agents = Agent::on_every_node(&rack, &collector).unwrap();
        let (journals, agents): (Vec<_>, Vec<_>) = agents.into_iter().unzip();
        let speaker = |node| Speaker::start(&rack, node, SPEAKER).unwrap();
        let speakers = rack.nodes().map(speaker).collect();
        let stage = Self {
            rack,
            collector,
            agents,
            _journals: journals,
            speakers,
            random: fastrand::Rng::with_seed(seed),
            history: History::default(),
            pulled: None,
        };
        stage.rest();
        stage
    }

    /// Waits until the collector hears every node.
    pub(crate) fn rest(&self) {
        let mut last = Value::Null;
        let all = wait_until("all nodes to be connected", PATIENCE, || {
            last = self.collector.status(&self.rack)?;
            let nodes = last["clusters"][0]["nodes"].as_array();
            let connected = nodes.into_iter().flatten();
            let connected = connected.filter(|node| node["standing"] == "connected");
            Ok((connected.count() == NODES).then_some(()))
        });
        assert!(all.is_ok(), "{all:?}: {last:#}");
    }

    /// A random moment.
    pub(crate) fn pause(&mut self) {
        std::thread::sleep(Duration::from_millis(self.random.u64(0..LONGEST_PAUSE_MS)));
    }

    pub(crate) fn kill_an_agent(&mut self) {
        let which = self.random.usize(0..self.agents.len());
        self.agents[which].kill().unwrap();
        self.pause();
        self.agents[which].start(&self.rack).unwrap();
    }

    pub(crate) fn kill_the_collector(&mut self) {
        self.collector.kill().unwrap();
        self.pause();
        self.collector.run(&self.rack).unwrap();
    }

    /// Pulls the cable of a node or of the collector, or kills a switch, for a moment.
    pub(crate) fn cut(&mut self) {
        let link = self.random.usize(0..LINKS);
        let who = self.random.usize(0..self.agents.len() + 2);
        let station = match self.agents.get(who) {
            Some(agent) => agent.node().to_owned(),
            None => self.collector.station().to_owned(),
        };
        let pulled = self.pulled.as_ref();
        if pulled.is_some_and(|pulled| pulled.node == station && pulled.link == link) {
            // It is cut already, and is not to be plugged in yet.
            self.pause();
        } else if who > self.agents.len() {
            self.rack.kill_switch(link).unwrap();
            self.pause();
            self.rack.revive_switch(link).unwrap();
        } else {
            self.rack.cut_cable(&station, link).unwrap();
            self.pause();
            self.rack.plug_cable(&station, link).unwrap();
        }
    }

    /// Pulls a cable, for as long as it is not plugged in again, and waits for its incident.
    pub(crate) fn pull(&mut self) {
        let link = self.random.usize(0..LINKS);
        let node = self.random.usize(0..self.agents.len());
        let node = self.agents[node].node().to_owned();
        self.rack.cut_cable(&node, link).unwrap();
        let mut last = Vec::new();
        let told = wait_until("the cable's incident", PATIENCE, || {
            last = self.collector.incidents(&self.rack, CLUSTER)?;
            let mut open = last
                .iter()
                .filter(|incident| incident.closed_unix_ms.is_none());
            let told = open.find(|incident| incident.rule == PULLED && incident.subject == node);
            Ok(told.map(|incident| incident.number))
        });
        let told = told.unwrap_or_else(|error| panic!("{node} link {link}: {error}: {last:#?}"));
        self.pulled = Some(Pulled {
            node,
            link,
            incident: told,
        });
        self.look();
    }

    pub(crate) fn plug(&mut self) {
        if let Some(pulled) = self.pulled.take() {
            self.rack.plug_cable(&pulled.node, pulled.link).unwrap();
        }
    }

    /// Holds the incidents against all that was shown before, and against the cable that is pulled.
    pub(crate) fn look(&mut self) -> Vec<v1::Incident> {
        let incidents = self.collector.incidents(&self.rack, CLUSTER).unwrap();
        self.history.look(&incidents).unwrap();
        if let Some(pulled) = &self.pulled {
            let told = incidents.iter().find(|told| told.number == pulled.incident);
            let told = told.unwrap();
            assert_eq!(told.closed_unix_ms, None, "its cable is pulled: {told:?}");
        }
        incidents
    }

    /// All is well again, and so is every incident about a link of corosync.
    pub(crate) fn check_incidents(&mut self) {
        let mut open = Vec::new();
        let over = wait_until("the incidents to be over", CALM, || {
            open = self.look();
            open.retain(|told| told.closed_unix_ms.is_none() && told.rule == PULLED);
            Ok(open.is_empty().then_some(()))
        });
        assert!(over.is_ok(), "{over:?}: {open:#?}");
    }

    /// Ends the speakers, and gives for each node how many lines it wrote.
    pub(crate) fn silence(&mut self) -> BTreeMap<String, u64> {
        let nodes = self.agents.iter().map(|agent| agent.node().to_owned());
        let speakers = self.speakers.drain(..);
        nodes
            .zip(speakers)
            .map(|(node, speaker)| (node, speaker.stop().unwrap()))
            .collect()
    }

    pub(crate) fn check_events(&self, written: &BTreeMap<String, u64>) {
        let mut heard = BTreeMap::new();
        let complete = wait_until("all events to arrive", PATIENCE, || {
            heard = self.heard();
            let is_complete = written.iter().all(|(node, lines)| {
                let last = heard.get(node).and_then(|heard| heard.last());
                *lines == 0 || last == Some(lines)
            });
            Ok(is_complete.then_some(()))
        });
        assert!(complete.is_ok(), "{complete:?}");
        for (node, lines) in written {
            let expected: Vec<u64> = (1..=*lines).collect();
            assert_eq!(
                heard.get(node),
                Some(&expected),
                "of {node} each line comes once, in order"
            );
        }
    }

    /// Each line of a flood once and in order, behind those that were told before.
    pub(crate) fn check_flood(
        &self,
        told: &BTreeMap<String, u64>,
        lines: u64,
        mut meanwhile: impl FnMut(),
    ) {
        let mut heard = BTreeMap::new();
        let expected = |before: u64| (1..=before).chain(1..=lines).collect::<Vec<_>>();
        let complete = wait_until("the flood to arrive", PATIENCE, || {
            meanwhile();
            heard = self.heard();
            let mut all = told.iter();
            let is_complete = all.all(|(node, before)| {
                let heard = heard.get(node).map_or(0, Vec::len) as u64;
                heard >= before + lines
            });
            Ok(is_complete.then_some(()))
        });
        assert!(complete.is_ok(), "{complete:?}");
        for (node, before) in told {
            assert_eq!(heard.get(node), Some(&expected(*before)), "of {node}");
        }
    }

    /// The numbers of the speakers' lines, node by node, in the collector's order.
    fn heard(&self) -> BTreeMap<String, Vec<u64>> {
        let mut heard: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut keys = BTreeMap::new();
        let mut place = 0;
        for kept in self.collector.events(&self.rack, CLUSTER).unwrap() {
            assert!(kept.place > place, "places go up");
            place = kept.place;
            let event = kept.event.unwrap();
            let key = (kept.node.clone(), kept.spool_id, event.number);
            let before = keys.insert(key.clone(), kept.place);
            assert_eq!(before, None, "{key:?} is there twice");
            let Some(Kind::JournalJson(json)) = event.event else {
                let is_lost = matches!(event.event, Some(Kind::Missing(_)));
                assert!(!is_lost, "events of {} are missing", kept.node);
                continue;
            };
            if let Some(number) = spoken(&json, SPEAKER).unwrap() {
                heard.entry(kept.node).or_default().push(number);
            }
        }
        heard
    }

    pub(crate) fn check_state(&self) {
        for agent in &self.agents {
            let (mut own, mut known) = (BTreeMap::new(), BTreeMap::new());
            let same = wait_until("the state to be the node's own", PATIENCE, || {
                own = own_facts(&agent.report(&self.rack)?);
                known = self.known_facts(agent.node());
                Ok((own == known).then_some(()))
            });
            assert!(same.is_ok(), "{}: {own:#?}\n{known:#?}", agent.node());
        }
    }

    fn known_facts(&self, node: &str) -> BTreeMap<&'static str, Value> {
        let facts = self.collector.report(&self.rack, CLUSTER, node).unwrap();
        let mut known = BTreeMap::new();
        for aged in facts {
            let fact = aged.fact.unwrap();
            let family = proto::fact::family(fact.family).unwrap();
            if !COMPARED.contains(&family) {
                continue;
            }
            let value = match fact.state.unwrap() {
                State::Known(known) => {
                    measure::without(family, &serde_json::from_str(&known.json).unwrap())
                }
                State::Failed(why) => Value::String(why),
                State::Absent(_) => Value::String("absent".to_owned()),
            };
            known.insert(family.key(), value);
        }
        known
    }
}

/// The same of the agent's own snapshot.
fn own_facts(report: &Value) -> BTreeMap<&'static str, Value> {
    let value = |family: &Family| {
        let reading = &report[family.key()];
        let value = ["known", "failed"].iter().find_map(|key| reading.get(key));
        let value = measure::without(*family, value.unwrap_or(reading));
        (family.key(), value)
    };
    COMPARED.iter().map(value).collect()
}
