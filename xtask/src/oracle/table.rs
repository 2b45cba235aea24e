//! What an act is: a command of the simulator on one side, events of the model on the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::name::NodeId;
use model::quorum::event::{Event, QdeviceState};

use super::draw::{Act, Case};

/// For the messages that follow a new ring.
pub(crate) const PAUSE: Duration = Duration::from_millis(300);
/// The drawn qdevice timeout is 1 s, and the simulator's first poll comes that late.
const PAUSE_QDEVICE: Duration = Duration::from_millis(2300);

/// One command of the simulator and what it is in the model.
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) events: Vec<Event>,
    /// Whose ring must change. Where the ring id stays, nothing shows that a membership formed: only a pause helps.
    pub(crate) new_ring: BTreeSet<u32>,
    pub(crate) pause: Duration,
    /// How the qdevice answers from here on, where that is no event.
    pub(crate) qdevice: Option<QdeviceState>,
}

/// Who runs and where everybody sits in the simulator.
pub(crate) struct Table {
    pub(crate) running: BTreeSet<u32>,
    /// The simulator's partition numbers.
    seats: BTreeMap<u32, usize>,
    /// Whom the simulated qdevice votes for. It loses a node when its membership changes.
    voting: BTreeSet<u32>,
}

impl Table {
    pub(crate) fn new(case: &Case) -> Self {
        let ids = || case.nodes.iter().map(|(id, _)| *id);
        Self {
            running: ids().collect(),
            seats: ids().map(|id| (id, 0)).collect(),
            voting: BTreeSet::new(),
        }
    }

    /// Who sits in the partition of this node.
    fn beside(&self, id: u32) -> BTreeSet<u32> {
        let seat = self.seats.get(&id).copied().unwrap_or_default();
        self.partitions().remove(&seat).unwrap_or_default()
    }

    fn partitions(&self) -> BTreeMap<usize, BTreeSet<u32>> {
        let mut partitions: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
        for (id, seat) in &self.seats {
            partitions.entry(*seat).or_default().insert(*id);
        }
        partitions
    }

    pub(crate) fn steps(&mut self, act: &Act) -> Vec<Step> {
        let all = self.running.clone();
        let step = |command: String, events: Vec<Event>, new_ring: BTreeSet<u32>| Step {
            command,
            events,
            new_ring,
            pause: PAUSE,
            qdevice: None,
        };
        let mut steps = match act {
            Act::Down(id) => {
                let mut formed = self.beside(*id);
                formed.remove(id);
                self.running.remove(id);
                self.seats.remove(id);
                self.voting.remove(id);
                vec![step(
                    format!("down {id}"),
                    vec![Event::Down(ids([*id]))],
                    formed,
                )]
            }
            Act::Up(id) => {
                let lowest = self.running.first().copied();
                let seat = lowest
                    .and_then(|low| self.seats.get(&low).copied())
                    .unwrap_or(0);
                let formed = lowest.map(|low| self.beside(low)).unwrap_or_default();
                self.running.insert(*id);
                self.seats.insert(*id, seat);
                vec![step(
                    format!("up {seat}:{id}"),
                    vec![Event::Up(ids([*id]))],
                    formed,
                )]
            }
            Act::Split(groups) => {
                let (command, events) = self.split(groups);
                vec![step(command, events, all)]
            }
            Act::Join => {
                let (command, events) = self.join();
                vec![step(command, events, all)]
            }
            Act::Qdevice(on) => return self.qdevice_steps(*on),
        };
        for step in &mut steps {
            // Whose membership forms anew loses the simulated qdevice: it polls with the old ring id, in vain.
            self.voting.retain(|id| !step.new_ring.contains(id));
            step.qdevice = Some(QdeviceState::VotesFor(ids(self.voting.iter().copied())));
        }
        steps
    }

    fn split(&mut self, groups: &[Vec<u32>]) -> (String, Vec<Event>) {
        let before = self.partitions();
        let groups = self.whole_groups(groups);
        let mut command = String::from("split");
        for (seat, group) in groups.iter().enumerate() {
            let words: Vec<String> = group.iter().map(u32::to_string).collect();
            command.push_str(&format!(" {seat}:{}", words.join(",")));
            self.seats.extend(group.iter().map(|id| (*id, seat)));
        }
        let groups = groups
            .iter()
            .map(|group| ids(group.iter().copied()))
            .collect();
        let events = self.and_reform(Event::Split(groups), &before);
        (command, events)
    }

    fn join(&mut self) -> (String, Vec<Event>) {
        let before = self.partitions();
        let mut seats: Vec<String> = before.keys().map(usize::to_string).collect();
        if seats.len() == 1 {
            // With an empty partition: the command wants two.
            seats.push("15".into());
        }
        let first = before.keys().next().copied().unwrap_or(0);
        self.seats.values_mut().for_each(|seat| *seat = first);
        let command = format!("join {}", seats.join(" "));
        let events = self.and_reform(Event::Join, &before);
        (command, events)
    }

    /// The groups without nodes that are down, and with the rest of each old partition as a group of its own, as
    /// the model has it: a story that was made smaller may not name everybody.
    fn whole_groups(&self, groups: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let named: BTreeSet<u32> = groups.iter().flatten().copied().collect();
        let runs = |id: &&u32| self.running.contains(id);
        let named_groups = groups
            .iter()
            .map(|group| group.iter().filter(runs).copied().collect());
        let rests = self.partitions().into_values();
        let rests = rests.map(|part| part.difference(&named).copied().collect());
        named_groups
            .chain(rests)
            .filter(|group: &Vec<u32>| !group.is_empty())
            .collect()
    }

    /// The simulator makes every membership form anew, also those that stay as they are.
    fn and_reform(&self, event: Event, before: &BTreeMap<usize, BTreeSet<u32>>) -> Vec<Event> {
        let after = self.partitions();
        let same = after
            .values()
            .filter(|part| before.values().any(|old| old == *part));
        std::iter::once(event)
            .chain(same.filter_map(reform))
            .collect()
    }

    /// Every membership forms anew as it is.
    pub(crate) fn all_form(&self) -> Vec<Event> {
        self.partitions().values().filter_map(reform).collect()
    }

    /// Off first: after a membership change the simulator believes that it still polls.
    fn qdevice_steps(&mut self, on: bool) -> Vec<Step> {
        let seats: Vec<String> = self
            .seats
            .iter()
            .map(|(id, seat)| format!("{seat}:{id}"))
            .collect();
        let all_form = || self.all_form().into_iter();
        let vote_for = |nodes: BTreeSet<NodeId>| Event::Qdevice(QdeviceState::VotesFor(nodes));
        let step = |word: &str, events: Vec<Event>| Step {
            command: format!("qdevice {word} {}", seats.join(" ")),
            events,
            new_ring: BTreeSet::new(),
            pause: PAUSE_QDEVICE,
            qdevice: None,
        };
        let nobody = std::iter::once(vote_for(BTreeSet::new()));
        let mut steps = vec![step("off", nobody.chain(all_form()).collect())];
        if on {
            let everybody = vote_for(ids(self.running.iter().copied()));
            steps.push(step(
                "on",
                all_form().chain(std::iter::once(everybody)).collect(),
            ));
        }
        self.voting = if on {
            self.running.clone()
        } else {
            BTreeSet::new()
        };
        steps
    }
}

fn reform(part: &BTreeSet<u32>) -> Option<Event> {
    part.first()
        .and_then(|id| NodeId::new(*id).ok())
        .map(Event::Reform)
}

pub(crate) fn ids(ids: impl IntoIterator<Item = u32>) -> BTreeSet<NodeId> {
    ids.into_iter()
        .filter_map(|id| NodeId::new(id).ok())
        .collect()
}
