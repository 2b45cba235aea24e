//! Takes a reading away, lets it grow old, or makes it say what the others deny.

use fastrand::Rng;

use super::draw;
use super::fault::known_mut;
use super::situation::guest_of;
use crate::cluster::limit_ms;
use crate::cluster::testing::{World, node_name};
use crate::fact::corosync::Corosync;
use crate::fleet::Hearing;
use crate::reading::{Problem, Reading};
use crate::report::{Fact, Facts as _, Family, NodeReport};

#[derive(Debug, Clone, Copy)]
pub(super) enum Spoiling {
    Forget(Family),
    Fail(Family),
    /// A part of it could not be read.
    Flaw(Family),
    Age(Family),
    Silence(Hearing),
    /// It is connected and has not said anything for a while.
    SayNothing,
    Contradict(Word),
}

/// What a node says otherwise than the others.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    Members,
    VotesOfMember,
    TotalVotes,
    Needed,
    Expected,
    Quorate,
    LinkState,
    Power,
    BootId,
    GuestToo,
    QnetdToo,
    Nodelist,
}

const WORDS: &[Word] = &[
    Word::Members,
    Word::VotesOfMember,
    Word::TotalVotes,
    Word::Needed,
    Word::Expected,
    Word::Quorate,
    Word::LinkState,
    Word::Power,
    Word::BootId,
    Word::GuestToo,
    Word::QnetdToo,
    Word::Nodelist,
];

impl Spoiling {
    pub(super) fn drawn(random: &mut Rng) -> Self {
        let family = draw::family(random);
        match random.u32(0..8) {
            0 | 1 => Self::of(random, family),
            2 => {
                let all = [Hearing::Silent, Hearing::NeverHeard, Hearing::Revoked];
                Self::Silence(all[random.usize(..all.len())])
            }
            3 => Self::SayNothing,
            _ => Self::Contradict(WORDS[random.usize(..WORDS.len())]),
        }
    }

    pub(super) fn of(random: &mut Rng, family: Family) -> Self {
        match random.u32(0..4) {
            0 => Self::Forget(family),
            1 => Self::Fail(family),
            2 => Self::Flaw(family),
            _ => Self::Age(family),
        }
    }

    /// What this node tells, whose agent is heard. It contradicts in what it says of the other one.
    pub(super) fn spoil(self, random: &mut Rng, world: &mut World, id: u32, other: u32) {
        let name = node_name(id);
        match self {
            Self::Forget(family) => {
                replace(world, id, |_| family.never_heard());
            }
            Self::Fail(family) => {
                replace(world, id, |_| {
                    family.failed("it could not be read".to_owned())
                });
            }
            Self::Flaw(family) => replace(world, id, |report| flawed(&report.fact(family))),
            Self::Age(family) => {
                let limit = limit_ms(family).cast_signed();
                let read_at_ms = world.now.mono_ms.cast_signed() - limit - 1;
                let node = world.cluster.nodes.get_mut(&name).unwrap();
                node.seen.facts.get_mut(&family).unwrap().read_at_ms = read_at_ms;
            }
            Self::Silence(hearing) => {
                world.hearing(name.as_str(), hearing);
            }
            Self::SayNothing => {
                let node = world.cluster.nodes.get_mut(&name).unwrap();
                node.seen.heard_at_ms = Some(world.now.mono_ms - 9_000);
            }
            Self::Contradict(Word::BootId) => {
                world.reboot(name.as_str());
                world.edit(name.as_str(), |report| {
                    if let Some(power) = known_mut(&mut report.power) {
                        power.boot_id = Some(format!("boot-{other}"));
                    }
                });
            }
            Self::Contradict(Word::LinkState) => deny_a_link(world, id, other),
            Self::Contradict(word) => {
                world.edit(name.as_str(), |report| {
                    contradict(word, random, other, report);
                });
            }
        }
    }
}

fn replace(world: &mut World, id: u32, by: impl FnOnce(&NodeReport) -> Fact) {
    world.edit(node_name(id).as_str(), |report| {
        let fact = by(report);
        report.replace(fact);
    });
}

fn flawed(fact: &Fact) -> Fact {
    match fact.to_json() {
        Reading::Known {
            value,
            at,
            mut problems,
        } => {
            problems.push(Problem::whole("etc/pve", "it could not be read"));
            let family = fact.family();
            family.known(&value.to_string(), at, problems).unwrap()
        }
        Reading::Failed { .. } | Reading::Absent | Reading::NeverHeard => fact.clone(),
    }
}

fn contradict(word: Word, random: &mut Rng, other: u32, report: &mut NodeReport) {
    match word {
        Word::Power => {
            if let Some(power) = known_mut(&mut report.power) {
                power.state = draw::going(random);
            }
        }
        Word::GuestToo => {
            if let Some(guests) = known_mut(&mut report.guests) {
                guests.here.push(super::super::guest(guest_of(other)));
            }
        }
        Word::QnetdToo => {
            if let Some(guests) = known_mut(&mut report.guests) {
                guests.with_qnetd = Some(guest_of(other));
            }
        }
        Word::Nodelist => {
            let files = known_mut(&mut report.corosync_conf);
            if let Some(conf) = files.and_then(|files| files.local.as_mut()) {
                conf.nodes.retain(|node| node.node_id != Some(other));
                conf.totem.config_version = conf.totem.config_version.map(|version| version + 1);
            }
        }
        _ => {
            if let Some(corosync) = known_mut(&mut report.corosync) {
                miscount(word, random, other, corosync);
            }
        }
    }
}

fn miscount(word: Word, random: &mut Rng, other: u32, corosync: &mut Corosync) {
    let more = random.bool();
    let wrong = |number: &mut Option<u32>| {
        *number = number.map(|is| if more { is + 1 } else { is.saturating_sub(1) });
    };
    match word {
        Word::TotalVotes => wrong(&mut corosync.total_votes),
        Word::Needed => wrong(&mut corosync.quorum),
        Word::Expected => wrong(&mut corosync.expected_votes),
        Word::Quorate => corosync.quorate = corosync.quorate.map(|is| !is),
        Word::VotesOfMember => {
            let rows = corosync.members.iter_mut().flatten();
            for row in rows.filter(|row| row.node_id == other) {
                row.votes = Some(if more { 2 } else { 0 });
            }
        }
        _ => {
            let Some(members) = &mut corosync.members else {
                return;
            };
            let had = members.len();
            members.retain(|row| row.node_id != other);
            if members.len() == had {
                let row = members[0].clone();
                members.push(crate::fact::corosync::Member {
                    node_id: other,
                    local: Some(false),
                    ..row
                });
            }
        }
    }
}

/// Only where the other end is heard to say otherwise: who is alone with his word contradicts nobody.
fn deny_a_link(world: &mut World, id: u32, other: u32) {
    let scene = world.scene();
    let is_told = scene
        .node(&node_name(other))
        .is_some_and(|node| node.corosync().is_some());
    if other == id || !is_told {
        return;
    }
    world.edit(node_name(id).as_str(), |report| {
        let links = known_mut(&mut report.corosync).and_then(|it| it.links.as_mut());
        let first = links.and_then(|links| links.first_mut());
        let peers = first.and_then(|link| link.peers.as_mut());
        for peer in peers.into_iter().flatten() {
            if peer.node_id == other {
                peer.connected = peer.connected.map(|is| !is);
            }
        }
    });
}
