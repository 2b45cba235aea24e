//! The cluster as it is now, as far as hypotheses start from it: who is with whom, who hears whom over which link, who
//! would fence, and how long forming anew takes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::mask::Mask;
use crate::cluster::{Cluster, FreshNode, Now};
use crate::fact::corosync::Corosync;
use crate::fact::ha::{Armed, Ha};
use crate::name::{LinkNumber, NodeId, NodeName};
use crate::quorum::cluster::{Cluster as Voters, Observed};
use crate::quorum::config::{QuorumConfig, Refusal};
use crate::reading::Reading;
use crate::report::{Fact, Facts as _, Family};
use crate::topology::newest_conf;

/// An LRM writes every 10 s or so as long as its node is quorate.
const LRM_IS_OLD_S: i64 = 60;

/// Links that corosync can have.
pub(crate) const MAX_LINKS: usize = 8;

/// Why nothing at all can be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKnown {
    #[error(
        "no node that is heard told its corosync.conf, so that the nodes and their votes are not known"
    )]
    NoConfiguration,
    #[error("corosync.conf does not say what the quorum rules are: {0}")]
    Refused(Refusal),
    #[error(
        "no node that is heard told of corosync's membership, so that the present is not known"
    )]
    NoMembership,
}

/// Nodes that are in one membership.
#[derive(Debug, Clone)]
pub(crate) struct Together {
    pub(crate) members: Mask,
    pub(crate) votes: u32,
    pub(crate) expected: u32,
    pub(crate) needed: u32,
    /// `None`: they do not agree, or did not say.
    pub(crate) quorate: Option<bool>,
    pub(crate) with_qdevice: Mask,
    /// The quorum machine in this state, or why it cannot be put there.
    pub(crate) voters: Result<Voters, String>,
    /// All members are alike for the quorum machine, so that only their number counts.
    pub(crate) is_uniform: bool,
}

/// What becomes of a message from one node to another over one link, per node the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hears {
    pub(crate) link: LinkNumber,
    pub(crate) up: Vec<Mask>,
    pub(crate) unknown: Vec<Mask>,
}

#[derive(Debug, Clone)]
pub(crate) struct Present {
    pub(crate) config: QuorumConfig,
    /// In the order of their ids.
    pub(crate) ids: Vec<NodeId>,
    pub(crate) names: Vec<NodeName>,
    pub(crate) memberships: Vec<Together>,
    pub(crate) links: Vec<Hears>,
    pub(crate) armed: Vec<Armed>,
    /// The token's time-out and the one for consensus together.
    pub(crate) reforming_ms: Option<u64>,
    /// After so long without a token a membership forms anew; the shortest that is told.
    pub(crate) token_ms: Option<u64>,
}

impl Present {
    pub(crate) fn of(cluster: &Cluster, now: Now) -> Result<Self, NotKnown> {
        let heard: Vec<FreshNode<'_>> = cluster.fresh(now).collect();
        let conf = newest_conf(&heard).ok_or(NotKnown::NoConfiguration)?;
        let config = QuorumConfig::new(conf).map_err(NotKnown::Refused)?;
        let ids: Vec<NodeId> = config.votes.keys().copied().collect();
        let named = |id: &NodeId| {
            let made_up = || NodeName::new(format!("node-{id}")).ok();
            config.names.get(id).cloned().or_else(made_up)
        };
        let names: Vec<NodeName> = ids.iter().filter_map(named).collect();
        let mut present = Self {
            memberships: Vec::new(),
            links: Vec::new(),
            armed: names.iter().map(|name| armed(&heard, name)).collect(),
            token_ms: heard
                .iter()
                .filter_map(|fresh| fresh.cmap()?.count("runtime.config.totem.token"))
                .min(),
            reforming_ms: heard.iter().filter_map(reforming).max(),
            config,
            ids,
            names,
        };
        present.join(cluster, now);
        if present.memberships.is_empty() {
            return Err(NotKnown::NoMembership);
        }
        // A link that nobody tells of is a link all the same.
        let configured = conf.nodes.iter().flat_map(|node| node.addresses.keys());
        present.hear(cluster, now, configured.copied().collect());
        Ok(present)
    }

    pub(crate) fn place(&self, name: &NodeName) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    fn place_of(&self, id: u32) -> Option<usize> {
        self.ids.iter().position(|known| known.get() == id)
    }

    fn join(&mut self, cluster: &Cluster, now: Now) {
        let mut groups: Vec<(Mask, Vec<&Corosync>, bool)> = Vec::new();
        let reports: Vec<FreshNode<'_>> = cluster.fresh(now).collect();
        for fresh in &reports {
            let Some(corosync) = fresh.corosync() else {
                continue;
            };
            let members = corosync.members.iter().flatten();
            let mut members = Mask::of(members.filter_map(|member| self.place_of(member.node_id)));
            let is_in = self
                .place(fresh.name())
                .is_some_and(|place| members.has(place));
            if !is_in {
                continue;
            }
            let mut said = vec![corosync];
            let mut agree = true;
            // Who is in two memberships at once is on the way from one to the other.
            groups.retain(|(others, theirs, agreed)| {
                let apart = others.and(&members).is_empty();
                if !apart {
                    agree &= *agreed && *others == members;
                    members = members.or(others);
                    said.extend(theirs.iter().copied());
                }
                apart
            });
            groups.push((members, said, agree));
        }
        groups.sort_by_key(|(members, _, _)| members.iter().next());
        let together = |(members, said, agree): (Mask, Vec<&Corosync>, bool)| {
            self.together(members, &said, agree)
        };
        self.memberships = groups.into_iter().map(together).collect();
    }

    fn together(&self, members: Mask, said: &[&Corosync], agree: bool) -> Together {
        let all_say = |of: fn(&Corosync) -> Option<u32>| {
            let mut values = said.iter().map(|corosync| of(corosync));
            let first = values.next().flatten()?;
            values.all(|value| value == Some(first)).then_some(first)
        };
        let quorate = all_say(|corosync| corosync.quorate.map(u32::from)).map(|is| is == 1);
        let numbers = all_say(|corosync| corosync.expected_votes).zip(all_say(|it| it.quorum));
        let mut votes = BTreeMap::new();
        let mut with_qdevice = Mask::default();
        for place in members.iter() {
            let Some(id) = self.ids.get(place) else {
                continue;
            };
            let rows = said
                .iter()
                .flat_map(|corosync| corosync.members.iter().flatten());
            let mut rows = rows.filter(|row| row.node_id == id.get());
            let row = rows.find_map(|row| row.votes);
            let filed = self.config.votes.get(id).copied();
            votes.insert(*id, row.or(filed).unwrap_or(1));
            if has_qdevice(*id, said) {
                with_qdevice.set(place);
            }
        }
        let (expected, needed) = numbers.unwrap_or_default();
        let device = self
            .config
            .qdevice
            .as_ref()
            .map_or(0, |device| device.votes);
        let device = if with_qdevice.is_empty() { 0 } else { device };
        let total = votes
            .values()
            .fold(device, |sum, votes| sum.saturating_add(*votes));
        let ids = with_qdevice
            .iter()
            .filter_map(|place| self.ids.get(place).copied());
        let with_ids: BTreeSet<NodeId> = ids.collect();
        let is_uniform = votes.values().collect::<BTreeSet<_>>().len() <= 1
            && (with_qdevice.is_empty() || with_qdevice == members)
            && self.config.auto_tie_breaker.is_none();
        let is_seen = agree && numbers.is_some();
        let voters = match quorate.filter(|_| is_seen) {
            None => {
                Err("its nodes do not say the same of their membership and its votes".to_owned())
            }
            Some(quorate) => self.resume(&Observed {
                votes,
                expected,
                needed,
                quorate,
                with_qdevice: with_ids,
            }),
        };
        Together {
            members,
            votes: total,
            expected,
            needed,
            quorate: quorate.filter(|_| is_seen),
            with_qdevice,
            voters,
            is_uniform,
        }
    }

    fn resume(&self, seen: &Observed) -> Result<Voters, String> {
        let voters = Voters::resume(self.config.clone(), seen);
        if voters.is_understood() {
            return Ok(voters);
        }
        Err(format!(
            "corosync expects {} votes and needs {}, and that does not follow from corosync.conf; `corosync-quorumtool -s` \
             and the file say what differs",
            seen.expected, seen.needed
        ))
    }

    /// The kernel tells at once of ports that went dark, corosync seconds later of a link over them. What it still calls connected
    /// meanwhile carries nothing: nothing may rest on it, and that it is gone is not said by both yet.
    pub(crate) fn doubt(&mut self, node: usize, link: usize) {
        let Some(hears) = self.links.get_mut(link) else {
            return;
        };
        let mut doubt = |of: usize, whom: Mask| {
            if let (Some(up), Some(unknown)) = (hears.up.get_mut(of), hears.unknown.get_mut(of)) {
                *unknown = unknown.or(&up.and(&whom));
                *up = up.minus(&whom);
            }
        };
        let all = Mask::of(0..self.names.len());
        for other in all.iter() {
            doubt(other, if other == node { all } else { Mask::of([node]) });
        }
    }

    /// A link carries if one end says so and the other does not deny it.
    fn hear(&mut self, cluster: &Cluster, now: Now, configured: BTreeSet<LinkNumber>) {
        let many = self.names.len();
        let none = |link| (link, Vec::<(usize, usize, bool)>::new());
        let mut said: BTreeMap<LinkNumber, _> = configured.into_iter().map(none).collect();
        for fresh in cluster.fresh(now) {
            let Some(from) = self.place(fresh.name()) else {
                continue;
            };
            let links = fresh.corosync().and_then(|it| it.links.as_ref());
            for status in links.into_iter().flatten() {
                let rows = said.entry(status.link).or_default();
                for peer in status.peers.iter().flatten() {
                    let to = self.place_of(peer.node_id);
                    if let (Some(to), Some(connected)) = (to, peer.connected) {
                        rows.push((from, to, connected));
                    }
                }
            }
        }
        for (link, rows) in said.into_iter().take(MAX_LINKS) {
            let mut yes = vec![Mask::default(); many];
            let mut no = vec![Mask::default(); many];
            for (from, to, connected) in rows {
                let masks = if connected { &mut yes } else { &mut no };
                for (one, other) in [(from, to), (to, from)] {
                    if let Some(mask) = masks.get_mut(one) {
                        mask.set(other);
                    }
                }
            }
            let all = Mask::of(0..many);
            let places = || yes.iter().zip(&no).enumerate();
            let unknown = |(place, (yes, no)): (usize, (&Mask, &Mask))| {
                all.minus(yes).minus(no).minus(&Mask::of([place]))
            };
            self.links.push(Hears {
                link,
                up: places().map(|(_, (yes, no))| yes.minus(no)).collect(),
                unknown: places().map(unknown).collect(),
            });
        }
    }
}

/// The node's own word, else that of a peer.
fn has_qdevice(id: NodeId, said: &[&Corosync]) -> bool {
    let own = said.iter().find(|it| it.node_id == Some(id.get()));
    if let Some(votes) = own.and_then(|it| it.qdevice.as_ref()?.votes) {
        return votes > 0;
    }
    let rows = said
        .iter()
        .flat_map(|corosync| corosync.members.iter().flatten());
    let mut flags = rows
        .filter(|row| row.node_id == id.get())
        .filter_map(|row| row.qdevice_flags.as_deref());
    flags
        .next()
        .is_some_and(|flags| flags.split(',').any(|flag| flag == "V"))
}

fn reforming(fresh: &FreshNode<'_>) -> Option<u64> {
    let cmap = fresh.cmap()?;
    let token = cmap.count("runtime.config.totem.token")?;
    let consensus = cmap.count("runtime.config.totem.consensus")?;
    Some(token.saturating_add(consensus))
}

/// By what a node that is quorate now reads in `/etc/pve`, the node itself first, and only if it was written lately.
fn armed(heard: &[FreshNode<'_>], node: &NodeName) -> Armed {
    let own = heard.iter().filter(|fresh| fresh.name() == node);
    let others = heard.iter().filter(|fresh| fresh.name() != node);
    let is_quorate = |fresh: &&FreshNode<'_>| {
        let quorate = fresh.corosync().and_then(|it| it.quorate);
        quorate == Some(true)
    };
    for fresh in own.chain(others).filter(is_quorate) {
        match fresh.fact(Family::Ha) {
            Some(Fact::Ha(Reading::Known { value, at, .. })) if is_recent(value, node, *at) => {
                return value.armed(node);
            }
            // No HA manager on the node itself.
            Some(Fact::Ha(Reading::Absent)) if fresh.name() == node => return Armed::No,
            _ => {}
        }
    }
    Armed::Unknown
}

fn is_recent(ha: &Ha, node: &NodeName, read_at: Timestamp) -> bool {
    let written = ha.lrm.get(node).and_then(|lrm| lrm.timestamp);
    written.is_some_and(|written| read_at.as_second() - written.as_second() <= LRM_IS_OLD_S)
}
