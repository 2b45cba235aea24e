//! What the ranking of risks asks for: ranks without words.

use super::part::{Manner, Part};
use super::{Rank, WhatIf};
use crate::risks::Risk;
use crate::topology::SwitchOf;
use crate::whatif::Failure;

/// A failure by the place of its part in [`WhatIf::parts`].
pub(crate) type Known = (usize, Manner);

impl WhatIf {
    pub(crate) fn id_of(&self, part: &Part) -> Option<usize> {
        self.graph.find(part)
    }

    /// How bad it may be, and how bad it is for certain.
    pub(crate) fn rank_of(&mut self, failed: &[Known]) -> (Rank, Rank) {
        let played = self.played(failed);
        (played.worst, played.rank)
    }

    pub(crate) fn risk(&mut self, failed: &[Known]) -> Risk {
        let played = self.played(failed);
        let failure = |(id, manner): &Known| {
            let part = self.graph.items.get(*id)?.part.clone();
            Some(Failure {
                part,
                manner: *manner,
            })
        };
        Risk {
            failures: failed.iter().filter_map(failure).collect(),
            rank: played.rank,
            worst: played.worst,
            sentence: self.sentence(&played),
        }
    }

    /// Ports that corosync's addresses stand on, and of which no switch is known.
    pub(crate) fn unknown_ports(&self) -> usize {
        let stacks = self.topology.stacks.iter();
        let known = stacks.filter_map(|((node, _), stack)| Some((node, stack.as_ref().ok()?)));
        let ports =
            known.flat_map(|(node, stack)| stack.ports.iter().map(move |port| (node, port)));
        let unknown = ports.filter(|(node, port)| {
            !matches!(self.topology.switch_of(node, port), SwitchOf::Known(_))
        });
        unknown.collect::<std::collections::BTreeSet<_>>().len()
    }

    /// The members of the largest quorate membership, those with the most votes first; where the qdevice runs before
    /// its equals.
    pub(crate) fn nodes_by_votes(&self) -> Vec<Part> {
        let quorate = self.present.memberships.iter();
        let quorate = quorate.filter(|it| it.quorate == Some(true));
        let members = quorate.max_by_key(|it| it.votes).map(|it| it.members);
        let votes = |place: &usize| {
            let id = self.present.ids.get(*place);
            id.and_then(|id| self.present.config.votes.get(id)).copied()
        };
        let is_host = |place: &usize| match &self.qdevice {
            Some(crate::topology::Place::Node(node)) => self.name(*place) == Some(node),
            _ => false,
        };
        let mut places: Vec<usize> = members.into_iter().flat_map(|it| it.iter()).collect();
        places.sort_by_key(|place| std::cmp::Reverse((votes(place), is_host(place))));
        let part = |place: usize| Some(Part::Node(self.name(place)?.clone()));
        places.into_iter().filter_map(part).collect()
    }
}
