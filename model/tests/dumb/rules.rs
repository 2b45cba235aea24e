//! The rules themselves: what one node concludes from its life so far and who is there now.

use std::collections::BTreeSet;

use model::name::NodeId;
use model::quorum::config::AutoTieBreaker;
use model::quorum::qnetd::{Algorithm, TieBreaker};

use super::{Chapter, Dumb, Life, Nodes};

/// What a node has to judge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) members: &'a Nodes,
    /// Everybody in the membership, heard or not.
    pub(super) there: &'a Nodes,
    /// The membership before.
    pub(super) before: &'a Nodes,
    /// What it expected until now.
    pub(super) expected: u32,
    /// What others expect whom it believes.
    pub(super) others_expect: u32,
    /// The needed votes until now, if they must not fall.
    pub(super) floor: u32,
    /// It must see everybody at once.
    pub(super) waits: bool,
    pub(super) device_votes: bool,
}

fn majority(votes: u32) -> u32 {
    votes / 2 + 1
}

impl Dumb {
    pub(super) fn judge(&self, life: &Life, question: Question<'_>, formed: bool) -> Chapter {
        let Question {
            members, before, ..
        } = question;
        let device = self
            .config
            .qdevice
            .as_ref()
            .map_or(0, |device| device.votes);
        let of_members: u32 = members.iter().map(|node| self.config.votes[node]).sum();
        let expected = question.expected.max(of_members + device);
        let votes = if question.device_votes {
            of_members + device
        } else {
            of_members
        };
        let two = self.config.two_node && members.len() <= 2;
        let expecting = majority(expected.max(question.others_expect));
        let quorum = if two {
            1
        } else {
            expecting.max(question.floor)
        };
        let waits = question.waits && votes != expected;
        let by_votes = !waits && votes >= quorum;
        let half = votes == expected / 2;
        // The others might have quorum among themselves.
        let others_too_few = before.len() < question.there.len() + quorum as usize;
        let by_tie = !waits && half && others_too_few && self.wins_tie(life, question);
        Chapter {
            members: members.clone(),
            formed,
            votes,
            expected,
            quorum,
            by_votes,
            quorate: by_votes || by_tie,
            released: false,
        }
    }

    /// The half with the lowest (highest) of those who last held quorum; or the half with the first node of the
    /// list, unless that one "was not in the cluster before the split": then the second, and so on.
    fn wins_tie(&self, life: &Life, question: Question<'_>) -> bool {
        let Question {
            members,
            there,
            before,
            ..
        } = question;
        let held = life.last_held_by_votes();
        let preferred = match &self.config.auto_tie_breaker {
            None => None,
            Some(AutoTieBreaker::Lowest) => held.and_then(|held| held.first()).copied(),
            Some(AutoTieBreaker::Highest) => held.and_then(|held| held.last()).copied(),
            Some(AutoTieBreaker::List(list)) => {
                let ids = list.iter().map(|id| NodeId::new(*id).unwrap());
                ids.into_iter()
                    .find(|id| there.contains(id) || before.contains(id))
            }
        };
        // The list looks at who is there, the others at who is heard.
        let listed = matches!(self.config.auto_tie_breaker, Some(AutoTieBreaker::List(_)));
        let here = if listed { there } else { members };
        preferred.is_some_and(|node| here.contains(&node))
    }

    /// last_man_standing: the window starts when somebody is gone and the rest, counted in nodes, are still as many
    /// as the needed votes. With a tie-breaker it also starts where they are not more than that, if the lowest of
    /// those who last held quorum stayed; the lowest, whatever auto_tie_breaker_node says.
    pub(super) fn window_starts(&self, life: &Life, members: &Nodes, stayed: &Nodes) -> bool {
        // "LMS does not work with asymmetric voting schemes, each node must vote 1": one who has met another knows.
        let met: Nodes = life
            .chapters
            .iter()
            .flat_map(|chapter| &chapter.members)
            .copied()
            .collect();
        if !self.config.last_man_standing || met.iter().any(|node| self.config.votes[node] > 1) {
            return false;
        }
        let somebody_left = stayed.len() < life.now().members.len();
        let (count, needed) = (members.len(), life.now().quorum as usize);
        let lowest = life
            .last_held_by_votes()
            .and_then(|members| members.first());
        let lowest_stayed = lowest.is_some_and(|lowest| stayed.contains(lowest));
        let breaks_ties = self.config.auto_tie_breaker.is_some();
        (somebody_left && count >= needed) || (breaks_ties && lowest_stayed && count <= needed)
    }

    /// ffsplit: more than half of the nodes, or the only half there is, or of two halves the one with "members of
    /// the previously active partition", or if that does not tell, the one that the tie-breaker prefers.
    /// lms: the most nodes of all partitions, or of those with the most the one that the tie-breaker prefers.
    pub(super) fn device_votes(&self, members: &Nodes, active: &Nodes) -> bool {
        let Some(device) = &self.config.qdevice else {
            return false;
        };
        let all: Nodes = self.config.votes.keys().copied().collect();
        let running: Nodes = self.lives.keys().copied().collect();
        let largest = self.partitions.iter().map(BTreeSet::len).max().unwrap();
        let as_large = self
            .partitions
            .iter()
            .filter(|other| other.len() == members.len())
            .count();
        let preferred = |among: &Nodes| match device.tie_breaker {
            TieBreaker::Lowest => *among.first().unwrap(),
            TieBreaker::Highest => *among.last().unwrap(),
            TieBreaker::Node(id) => NodeId::new(id).unwrap(),
        };
        match device.algorithm {
            Algorithm::Test => true,
            Algorithm::Unknown => false,
            Algorithm::Ffsplit if members.len() * 2 == all.len() && as_large == 2 => {
                let rest = &running - members;
                match (members.is_disjoint(active), rest.is_disjoint(active)) {
                    (had, rest_had) if had != rest_had => rest_had,
                    _ => members.contains(&preferred(&all)),
                }
            }
            Algorithm::Ffsplit if members.len() * 2 == all.len() => true,
            Algorithm::Ffsplit => members.len() * 2 > all.len(),
            Algorithm::Lms if members.len() < largest => false,
            Algorithm::Lms => as_large == 1 || members.contains(&preferred(&running)),
        }
    }
}
