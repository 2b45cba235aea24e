//! knet's links, totem's memberships and the votes, as they follow from what passes. The votes are the quorum machine's.

use std::collections::{BTreeMap, BTreeSet};

use model::fact::corosync_conf::CorosyncConf;
use model::name::NodeId;
use model::quorum::cluster::Cluster;
use model::quorum::config::QuorumConfig;
use model::quorum::event::{Event, QdeviceState};

use crate::site::Site;

/// knet's pings are missed for so long, more or less, until a link is down, and answered for so long until it is up.
const DOWN_MS: u64 = 3_500;
const UP_MS: u64 = 3_000;
/// Pings of different pairs are not sent at the same moment.
const SPREAD_MS: u64 = 1_700;
/// Nodes that hear each other again are one membership after so long.
const JOIN_MS: u64 = 3_000;
/// An armed node that is without quorum so long is reset by its watchdog.
pub(crate) const FENCE_MS: u64 = 60_000;

/// One direction of one link.
pub(crate) type Way = (u32, u32, u8);

#[derive(Debug, Clone)]
struct Link {
    is_up: bool,
    /// Since when the pings tell otherwise.
    otherwise_ms: Option<u64>,
    changed: u64,
}

#[derive(Debug)]
pub(crate) struct Ring {
    links: BTreeMap<Way, Link>,
    /// What passed when something changed in the machine room last.
    passing: BTreeSet<Way>,
    pub(crate) members: BTreeMap<u32, BTreeSet<u32>>,
    pub(crate) sequence: u64,
    forming: Option<(Vec<BTreeSet<u32>>, u64)>,
    pub(crate) votes: Cluster,
    has_qdevice: bool,
    /// A node was reset: what passes is to be asked again.
    pub(crate) has_fenced: bool,
}

impl Ring {
    pub(crate) fn new(site: &Site, conf: &CorosyncConf) -> Self {
        let all: BTreeSet<u32> = site.nodes.iter().map(|node| node.id).collect();
        let config = QuorumConfig::new(conf).unwrap();
        let mut links = BTreeMap::new();
        for link in &site.shape.links {
            for (from, to) in all
                .iter()
                .flat_map(|from| all.iter().map(move |to| (*from, *to)))
            {
                if from != to {
                    let up = Link {
                        is_up: true,
                        otherwise_ms: None,
                        changed: 0,
                    };
                    links.insert((from, to, link.number), up);
                }
            }
        }
        Self {
            links,
            passing: BTreeSet::new(),
            members: all.iter().map(|id| (*id, all.clone())).collect(),
            sequence: 19,
            forming: None,
            votes: Cluster::healthy(config),
            has_qdevice: true,
            has_fenced: false,
        }
    }

    pub(crate) fn is_up(&self, way: Way) -> bool {
        self.links.get(&way).is_some_and(|link| link.is_up)
    }

    /// Which packets pass now; to be asked again when something changed.
    pub(crate) fn look(&mut self, site: &Site) {
        let runs = |id: u32| {
            site.nodes
                .iter()
                .find(|node| node.id == id)
                .filter(|node| node.corosync_runs)
        };
        // A ping there and its answer back.
        let passes = |(from, to, link): &&Way| {
            runs(*from).zip(runs(*to)).is_some_and(|(one, other)| {
                site.passes_on_link(*link, one, other) && site.passes_on_link(*link, other, one)
            })
        };
        self.passing = self.links.keys().filter(passes).copied().collect();
    }

    pub(crate) fn settle(&mut self, site: &mut Site, now_ms: u64) {
        let mut passing: BTreeSet<(u32, u32)> = BTreeSet::new();
        for ((from, to, number), link) in &mut self.links {
            let passes = self.passing.contains(&(*from, *to, *number));
            if passes {
                passing.insert((*from, *to));
            }
            if passes == link.is_up {
                link.otherwise_ms = None;
                continue;
            }
            let since = *link.otherwise_ms.get_or_insert(now_ms);
            let spread = u64::from(from * 31 + to * 17 + u32::from(*number) * 7) * 100 % SPREAD_MS;
            let takes = if passes { UP_MS } else { DOWN_MS } + spread;
            if now_ms >= since + takes {
                (link.is_up, link.otherwise_ms) = (passes, None);
                link.changed += 1;
            }
        }
        let running: BTreeSet<u32> = site
            .nodes
            .iter()
            .filter(|node| node.corosync_runs)
            .map(|node| node.id)
            .collect();
        self.leave(site, &running);
        self.form(site, &running, &passing, now_ms);
        for node in &mut site.nodes {
            if !node.corosync_runs || self.is_quorate(node.id) != Some(false) {
                node.without_quorum_since_ms = None;
            } else {
                node.without_quorum_since_ms.get_or_insert(now_ms);
            }
            if self.is_quorate(node.id) == Some(true) {
                node.pve_written_ms = now_ms;
            }
        }
        let fenced = |since: u64| now_ms >= since + FENCE_MS;
        for node in site
            .nodes
            .iter_mut()
            .filter(|node| node.is_armed && node.without_quorum_since_ms.is_some_and(fenced))
        {
            self.has_fenced = true;
            node.loses_power();
            node.start(now_ms);
            node.without_quorum_since_ms = None;
        }
    }

    pub(crate) fn is_quorate(&self, id: u32) -> Option<bool> {
        self.votes
            .voter(NodeId::new(id).unwrap())
            .map(|voter| voter.is_quorate())
    }

    /// Who stops corosync says goodbye, and the others go on at once.
    fn leave(&mut self, site: &Site, running: &BTreeSet<u32>) {
        let left: Vec<u32> = self
            .members
            .keys()
            .filter(|id| !running.contains(id))
            .copied()
            .collect();
        let clean: BTreeSet<u32> = left
            .into_iter()
            .filter(|id| {
                site.nodes
                    .iter()
                    .any(|node| node.id == *id && node.has_power())
            })
            .collect();
        if clean.is_empty() {
            return;
        }
        self.tell(&Event::Leave(ids(&clean)));
        self.members.retain(|id, _| !clean.contains(id));
        for members in self.members.values_mut() {
            members.retain(|id| !clean.contains(id));
        }
        self.sequence += 4;
    }

    fn form(
        &mut self,
        site: &Site,
        running: &BTreeSet<u32>,
        passing: &BTreeSet<(u32, u32)>,
        now_ms: u64,
    ) {
        let hears = |one: u32, other: u32| passing.contains(&(one, other));
        let groups = cliques(running, &hears, &self.members);
        let is_so =
            |group: &BTreeSet<u32>| group.iter().all(|id| self.members.get(id) == Some(group));
        if groups.iter().all(is_so) && self.members.len() == running.len() {
            self.forming = None;
            return;
        }
        let is_loss = self.members.iter().any(|(id, members)| {
            let group = groups.iter().find(|group| group.contains(id));
            group.is_none_or(|group| !members.is_subset(group))
        });
        let since = match &self.forming {
            Some((wanted, since)) if *wanted == groups => *since,
            _ => now_ms,
        };
        self.forming = Some((groups.clone(), since));
        let takes = if is_loss {
            site.token_ms + site.consensus_ms
        } else {
            JOIN_MS
        };
        if now_ms < since + takes {
            return;
        }
        self.forming = None;
        let dead: BTreeSet<u32> = self
            .members
            .keys()
            .filter(|id| !running.contains(id))
            .copied()
            .collect();
        let new: BTreeSet<u32> = running
            .iter()
            .filter(|id| !self.members.contains_key(id))
            .copied()
            .collect();
        if !dead.is_empty() {
            self.tell(&Event::Down(ids(&dead)));
        }
        if !new.is_empty() {
            self.tell(&Event::Up(ids(&new)));
        }
        match groups.as_slice() {
            [_] => self.tell(&Event::Join),
            groups => self.tell(&Event::Split(groups.iter().map(ids).collect())),
        }
        self.sequence += 4;
        self.members = groups
            .iter()
            .flat_map(|group| group.iter().map(|id| (*id, group.clone())))
            .collect();
    }

    pub(crate) fn qdevice_is(&mut self, is_there: bool) {
        if self.has_qdevice != is_there {
            self.has_qdevice = is_there;
            let state = if is_there {
                QdeviceState::Votes
            } else {
                QdeviceState::Away
            };
            self.tell(&Event::Qdevice(state));
        }
    }

    fn tell(&mut self, event: &Event) {
        self.votes = self.votes.step(event).unwrap();
    }
}

fn ids(group: &BTreeSet<u32>) -> BTreeSet<NodeId> {
    group.iter().map(|id| NodeId::new(*id).unwrap()).collect()
}

/// The groups that totem forms: all in one hear each other. Where that does not come out even, those that are together
/// already stay so; what corosync would do then is not known beforehand.
fn cliques(
    running: &BTreeSet<u32>,
    hears: &dyn Fn(u32, u32) -> bool,
    before: &BTreeMap<u32, BTreeSet<u32>>,
) -> Vec<BTreeSet<u32>> {
    let mut rest: BTreeSet<u32> = running.clone();
    let mut groups = Vec::new();
    while let Some(first) = rest.pop_first() {
        let mut group = BTreeSet::from([first]);
        let together = before.get(&first);
        let mut others: Vec<u32> = rest.iter().copied().collect();
        others.sort_by_key(|id| (!together.is_some_and(|members| members.contains(id)), *id));
        for id in others {
            if group
                .iter()
                .all(|member| hears(*member, id) && hears(id, *member))
            {
                group.insert(id);
                rest.remove(&id);
            }
        }
        groups.push(group);
    }
    groups
}
