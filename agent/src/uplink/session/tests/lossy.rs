//! Streams that break at any moment, a collector that crashes, a transport that takes nothing for a while: in the end
//! the collector's facts are the agent's, and it has every event exactly once and in order. By seed.

use std::collections::BTreeMap;

use model::report::Family;
use proto::fact::family;

use super::*;

const SEEDS: u64 = 300;
const STEPS: u32 = 400;

/// Small and good enough (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Stands {
    Known(Value),
    Failed(String),
    Absent,
}

/// Applies what it gets; keeps on its disk what it says that it keeps.
#[derive(Default)]
struct Collector {
    disk: Vec<u64>,
    /// Taken, and not yet on the disk.
    fresh: Vec<u64>,
    is_open: bool,
    revision: u64,
    facts: BTreeMap<Family, Stands>,
    asked: bool,
}

impl Collector {
    fn up_to(&self) -> u64 {
        self.disk.last().copied().unwrap_or_default()
    }

    fn whole(&mut self, fact: v1::Fact) {
        let stands = match fact.state.unwrap() {
            v1::fact::State::Known(known) => {
                Stands::Known(serde_json::from_str(&known.json).unwrap())
            }
            v1::fact::State::Failed(why) => Stands::Failed(why),
            v1::fact::State::Absent(_) => Stands::Absent,
        };
        self.facts.insert(family(fact.family).unwrap(), stands);
    }

    fn change(&mut self, change: v1::FactChange) {
        match change.change.unwrap() {
            v1::fact_change::Change::Whole(fact) => self.whole(fact),
            v1::fact_change::Change::Patch(patch) => {
                let operations: json_patch::Patch =
                    serde_json::from_str(&patch.json_patch).unwrap();
                let known = self.facts.get_mut(&family(patch.family).unwrap());
                let Some(Stands::Known(value)) = known else {
                    panic!("a patch on nothing")
                };
                json_patch::patch(value, &operations).unwrap();
            }
        }
    }

    fn take(&mut self, message: v1::AgentMessage, random: &mut Random) -> Option<Said> {
        match message.message.unwrap() {
            Message::Hello(_) => {
                // The one before may have been killed.
                self.fresh.clear();
                self.facts.clear();
                (self.revision, self.asked, self.is_open) = (0, false, true);
                return welcome(self.up_to()).message;
            }
            Message::Report(report) => {
                self.facts.clear();
                (self.revision, self.asked) = (report.revision, false);
                report.facts.into_iter().for_each(|fact| self.whole(fact));
            }
            Message::Delta(delta) => {
                // Now and then it loses the thread.
                if delta.base != self.revision || random.one_in(20) {
                    self.revision = 0;
                    let ask = !std::mem::replace(&mut self.asked, true);
                    return ask.then(|| Said::SendReport(v1::SendReport::default()));
                }
                self.revision = delta.revision;
                let changes = delta.changes.into_iter();
                changes.for_each(|change| self.change(change));
            }
            Message::Events(events) => {
                assert_eq!(events.spool_id, SPOOL);
                let numbers = events.events.iter().map(|event| event.number);
                self.fresh.extend(numbers);
            }
            Message::Heartbeat(_) | Message::ProbeAnswer(_) | Message::TrustKept(_) => {}
        }
        None
    }

    fn sync(&mut self) -> Option<Said> {
        self.disk.append(&mut self.fresh);
        kept(self.up_to()).message.filter(|_| self.is_open)
    }
}

struct World {
    random: Random,
    seconds: f64,
    next: u64,
    facts: BTreeMap<Family, Arc<ReadFact>>,
    session: Session,
    to_collector: VecDeque<v1::AgentMessage>,
    to_agent: VecDeque<Said>,
    collector: Collector,
}

impl World {
    fn reopen(&mut self) {
        self.to_collector.clear();
        self.to_agent.clear();
        self.collector.is_open = false;
        self.session = Session::new(hello(self.next), at(self.seconds));
        for fact in self.facts.values() {
            self.session.heard(Arc::clone(fact));
        }
    }

    fn change(&mut self) {
        let number = self.random.below(4) as u32;
        let of = [Family::Lldp, Family::Members, Family::Host][self.random.below(3) as usize];
        let fact = match (self.random.below(8), of) {
            (0, of) => of.absent(),
            (1, of) => of.failed("no ".repeat(number as usize)),
            (_, Family::Lldp) => neighbours(number),
            (_, Family::Host) => load(f64::from(number)),
            _ => Fact::Members(known(Members {
                version: Some(u64::from(number)),
                ..Members::default()
            })),
        };
        let read = read(fact, at(self.seconds));
        self.facts.insert(of, Arc::clone(&read));
        self.session.heard(read);
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0 | 1 => self.change(),
            2 => {
                self.next += self.random.below(600);
                self.session.spool_grew(self.next);
            }
            3 => self.seconds += self.random.below(1000) as f64 / 100.0,
            4 | 5 => self.send(),
            6 | 7 => self.deliver(),
            8 => self.read_spool(),
            9 => {
                let kept = self.collector.sync();
                self.to_agent.extend(kept);
            }
            10 => self.hear(),
            _ if self.random.one_in(8) => self.reopen(),
            _ => {}
        }
    }

    fn read_spool(&mut self) {
        if let Some(from) = self.session.wants_events(at(self.seconds)) {
            if self.random.one_in(5) {
                self.session.not_found(at(self.seconds));
            } else {
                let items = (from..self.next.min(from + 256)).map(record);
                self.session.found(items.collect());
            }
        }
    }

    fn send(&mut self) {
        if self.to_collector.len() < 2
            && let Some(message) = self.session.next(at(self.seconds))
        {
            self.to_collector.push_back(message);
        }
    }

    fn deliver(&mut self) {
        if let Some(message) = self.to_collector.pop_front() {
            let answer = self.collector.take(message, &mut self.random);
            self.to_agent.extend(answer);
        }
    }

    fn hear(&mut self) {
        if let Some(word) = self.to_agent.pop_front()
            && let Err(nonsense) = self.session.take(said(word), at(self.seconds))
        {
            panic!("{nonsense}");
        }
    }

    /// All is well from here on, and for long enough for the slowest measure.
    fn settle(&mut self) {
        self.reopen();
        for _ in 0..2000 {
            self.seconds += 1.0;
            for _ in 0..8 {
                self.send();
                self.deliver();
                self.hear();
            }
            let kept = self.collector.sync();
            self.to_agent.extend(kept);
            while !self.to_agent.is_empty() {
                self.hear();
            }
            self.read_spool();
        }
    }

    fn expected(&self) -> BTreeMap<Family, Stands> {
        let stands = |read: &ReadFact| match read.fact.to_json() {
            Reading::Known { value, .. } => Stands::Known(value),
            Reading::Failed { why } => Stands::Failed(why),
            Reading::Absent | Reading::NeverHeard => Stands::Absent,
        };
        let facts = self.facts.iter();
        facts
            .map(|(family, read)| (*family, stands(read)))
            .collect()
    }
}

fn run(seed: u64) {
    let mut world = World {
        random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        seconds: 0.0,
        next: 1,
        facts: BTreeMap::new(),
        session: Session::new(hello(1), at(0.0)),
        to_collector: VecDeque::new(),
        to_agent: VecDeque::new(),
        collector: Collector::default(),
    };
    for _ in 0..STEPS {
        world.step();
    }
    world.settle();
    assert_eq!(world.collector.facts, world.expected(), "seed {seed}");
    let all: Vec<u64> = (1..world.next).collect();
    assert!(world.collector.disk == all, "seed {seed}: events");
}

#[test]
fn after_any_number_of_broken_streams_nothing_is_lost_and_nothing_doubled() {
    for seed in 0..SEEDS {
        run(seed);
    }
}
