//! What libquorum and libvotequorum tell, in the shape of the fact that the tools' texts make.
//!
//! Which words stand for which flag, and how the total is counted, is as in corosync's tools/corosync-quorumtool.c and
//! exec/votequorum.c.

use std::collections::{BTreeMap, BTreeSet};

use model::fact::corosync::{Corosync, Member, Qdevice};
use model::reading::Problem;
use rust_corosync::votequorum::{NodeInfo, NodeInfoFlags};

use super::connection::Membership;

/// What a tool of corosync calls the flag.
const FLAGS: &[(NodeInfoFlags, &str)] = &[
    (NodeInfoFlags::VOTEQUORUM_INFO_TWONODE, "2Node"),
    (NodeInfoFlags::VOTEQUORUM_INFO_QUORATE, "Quorate"),
    (NodeInfoFlags::VOTEQUORUM_INFO_WAIT_FOR_ALL, "WaitForAll"),
    (
        NodeInfoFlags::VOTEQUORUM_INFO_LAST_MAN_STANDING,
        "LastManStanding",
    ),
    (
        NodeInfoFlags::VOTEQUORUM_INFO_AUTO_TIE_BREAKER,
        "AutoTieBreaker",
    ),
    (
        NodeInfoFlags::VOTEQUORUM_INFO_ALLOW_DOWNSCALE,
        "AllowDownscale",
    ),
    (NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_REGISTERED, "Qdevice"),
];

const SOURCE: &str = "libvotequorum";

/// Lays what the two libraries said upon what the map says. `votes` is what votequorum said of each member that it
/// knows, and of this node.
pub(super) fn lay(
    corosync: &mut Corosync,
    membership: &Membership,
    quorate: bool,
    own_id: u32,
    votes: &BTreeMap<u32, NodeInfo>,
    problems: &mut Vec<Problem>,
) {
    corosync.node_id = Some(own_id);
    corosync.quorate = Some(quorate);
    corosync.ring_id = Some(format!(
        "{:x}.{:x}",
        membership.ring_node, membership.ring_sequence
    ));
    let is_with_device = votes
        .values()
        .any(|vote| has(vote, NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_REGISTERED));
    let members = members(corosync.members.take(), membership, own_id, problems);
    let members: Vec<Member> = members
        .into_iter()
        .map(|mut member| {
            let vote = votes.get(&member.node_id);
            member.votes = vote.map(|vote| vote.node_votes);
            member.qdevice_flags = vote.filter(|_| is_with_device).map(qdevice_flags);
            member
        })
        .collect();
    corosync.node_count = u32::try_from(members.len()).ok();
    if let Some(own) = votes.get(&own_id) {
        corosync.expected_votes = Some(own.node_expected_votes);
        corosync.highest_expected = Some(own.highest_expected);
        corosync.quorum = Some(own.quorum);
        corosync.total_votes = total(&members, own);
        words(corosync, own, quorate, problems);
        corosync.qdevice = is_with_device.then(|| qdevice(own));
    }
    corosync.members = Some(members);
}

/// Who is a member is libquorum's word alone; the map says more of each, but is asked a moment later.
fn members(
    of_map: Option<Vec<Member>>,
    membership: &Membership,
    own_id: u32,
    problems: &mut Vec<Problem>,
) -> Vec<Member> {
    let mut known: BTreeMap<u32, Member> = of_map
        .into_iter()
        .flatten()
        .map(|member| (member.node_id, member))
        .collect();
    let ids: BTreeSet<u32> = membership.members.iter().copied().collect();
    let rows = ids.iter().map(|&node_id| {
        let mut member = known.remove(&node_id).unwrap_or_else(|| {
            let why =
                format!("corosync's map says nothing of member {node_id}, or not that it is one");
            problems.push(Problem::whole("libcmap", why));
            Member::default()
        });
        member.node_id = node_id;
        member.local = Some(node_id == own_id);
        member
    });
    let rows = rows.collect();
    for node_id in known.keys() {
        let why =
            format!("corosync's map calls node {node_id} joined, but it is not among the members");
        problems.push(Problem::whole("libcmap", why));
    }
    rows
}

/// `None` if a member's votes are not known: a sum without them would be too small.
fn total(members: &[Member], own: &NodeInfo) -> Option<u32> {
    let of_device = if has(own, NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_CAST_VOTE) {
        own.qdevice_votes
    } else {
        0
    };
    members
        .iter()
        .try_fold(of_device, |sum, member| sum.checked_add(member.votes?))
}

fn words(corosync: &mut Corosync, own: &NodeInfo, quorate: bool, problems: &mut Vec<Problem>) {
    // For the library a set of flags that holds one it does not know is the empty set.
    if own.flags.is_empty() && quorate {
        let why = "the node's flags are not known: there is one among them that the library does not know";
        problems.push(Problem::whole(SOURCE, why));
        return;
    }
    let words = FLAGS
        .iter()
        .filter(|(flag, _)| own.flags.bits() & flag.bits() != 0);
    corosync.flags = Some(words.map(|(_, word)| (*word).to_owned()).collect());
    corosync.activity_blocked = Some(!has(own, NodeInfoFlags::VOTEQUORUM_INFO_QUORATE));
}

fn qdevice(own: &NodeInfo) -> Qdevice {
    let mut qdevice = Qdevice {
        flags: Some(qdevice_flags(own)),
        ..Qdevice::default()
    };
    // The device of another node says nothing of votes that are cast for this one.
    if has(own, NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_REGISTERED) {
        let casts = has(own, NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_CAST_VOTE);
        qdevice.votes = Some(if casts { own.qdevice_votes } else { 0 });
        qdevice.votes_if_cast = (!casts).then_some(own.qdevice_votes);
        qdevice.name = Some(own.qdevice_name.clone()).filter(|name| !name.is_empty());
    }
    qdevice
}

/// `A,V,NMW`, or `NR`.
fn qdevice_flags(vote: &NodeInfo) -> String {
    if !has(vote, NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_REGISTERED) {
        return "NR".to_owned();
    }
    let word = |flag, yes, no| if has(vote, flag) { yes } else { no };
    [
        word(NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_ALIVE, "A", "NA"),
        word(NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_CAST_VOTE, "V", "NV"),
        word(
            NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_MASTER_WINS,
            "MW",
            "NMW",
        ),
    ]
    .join(",")
}

fn has(vote: &NodeInfo, flag: NodeInfoFlags) -> bool {
    vote.flags.contains(flag)
}

#[cfg(test)]
mod tests {
    use rust_corosync::NodeId;
    use rust_corosync::votequorum::NodeState;

    use super::*;

    fn vote(node_id: u32, flags: NodeInfoFlags) -> (u32, NodeInfo) {
        let info = NodeInfo {
            node_id: NodeId::from(node_id),
            node_state: NodeState::Member,
            node_votes: 1,
            node_expected_votes: 3,
            highest_expected: 3,
            quorum: 2,
            flags,
            qdevice_votes: 1,
            qdevice_name: "Qdevice".to_owned(),
        };
        (node_id, info)
    }

    fn laid(
        votes: impl IntoIterator<Item = (u32, NodeInfo)>,
        quorate: bool,
    ) -> (Corosync, Vec<Problem>) {
        let membership = Membership {
            ring_node: 1,
            ring_sequence: 0x19,
            members: vec![1, 2],
        };
        let mut problems = Vec::new();
        let in_map = |node_id| Member {
            node_id,
            ..Member::default()
        };
        let mut corosync = Corosync {
            members: Some(vec![in_map(1), in_map(2)]),
            ..Corosync::default()
        };
        let votes = votes.into_iter().collect();
        lay(
            &mut corosync,
            &membership,
            quorate,
            1,
            &votes,
            &mut problems,
        );
        (corosync, problems)
    }

    const QUORATE: NodeInfoFlags = NodeInfoFlags::VOTEQUORUM_INFO_QUORATE;

    #[test]
    fn a_device_counts_while_it_casts_its_vote() {
        let device = || {
            NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_REGISTERED
                | NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_ALIVE
        };
        let casts = device() | QUORATE | NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_CAST_VOTE;
        let (corosync, problems) = laid([vote(1, casts), vote(2, QUORATE)], true);
        assert_eq!(problems, []);
        assert_eq!(corosync.total_votes, Some(3));
        assert_eq!(corosync.ring_id.as_deref(), Some("1.19"));
        assert_eq!(corosync.flags.unwrap(), ["Quorate", "Qdevice"]);
        let qdevice = corosync.qdevice.unwrap();
        assert_eq!((qdevice.votes, qdevice.votes_if_cast), (Some(1), None));
        assert_eq!(qdevice.flags.as_deref(), Some("A,V,NMW"));
        let rows = corosync.members.unwrap();
        assert_eq!(rows[1].qdevice_flags.as_deref(), Some("NR"));

        let (corosync, _) = laid([vote(1, device()), vote(2, device())], false);
        assert_eq!(corosync.total_votes, Some(2));
        let qdevice = corosync.qdevice.unwrap();
        assert_eq!((qdevice.votes, qdevice.votes_if_cast), (Some(0), Some(1)));
        assert_eq!(corosync.activity_blocked, Some(true));
    }

    #[test]
    fn without_the_votes_of_one_member_there_is_no_total() {
        let (corosync, _) = laid([vote(1, QUORATE)], true);
        assert_eq!(corosync.total_votes, None);
        assert_eq!(corosync.members.unwrap()[1].votes, None);
    }

    #[test]
    fn a_flag_of_a_newer_corosync_is_not_taken_for_none() {
        let none = NodeInfoFlags::empty;
        let (corosync, problems) = laid([vote(1, none()), vote(2, none())], true);
        assert_eq!((corosync.flags, corosync.activity_blocked), (None, None));
        assert_eq!(problems.len(), 1);
        let (corosync, problems) = laid([vote(1, none()), vote(2, none())], false);
        assert_eq!(corosync.flags, Some(Vec::new()));
        assert_eq!(
            (corosync.activity_blocked, problems),
            (Some(true), Vec::new())
        );
    }

    #[test]
    fn a_map_that_does_not_know_a_member_is_a_problem() {
        let membership = Membership {
            ring_node: 1,
            ring_sequence: 1,
            members: vec![2],
        };
        let mut corosync = Corosync {
            members: Some(vec![Member {
                node_id: 3,
                ..Member::default()
            }]),
            ..Corosync::default()
        };
        let mut problems = Vec::new();
        lay(
            &mut corosync,
            &membership,
            true,
            1,
            &BTreeMap::new(),
            &mut problems,
        );
        let ids: Vec<u32> = corosync
            .members
            .unwrap()
            .iter()
            .map(|member| member.node_id)
            .collect();
        assert_eq!(ids, [2]);
        assert_eq!(problems.len(), 2);
        assert_eq!(corosync.total_votes, None);
    }
}
