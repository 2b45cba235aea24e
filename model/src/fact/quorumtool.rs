//! What corosync's own tool prints, kept as it was printed: the slow cross-check of what its libraries say, and
//! evidence in the format that every operator knows (`pvecm status` is four lines of corosync.conf and then this).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fact::corosync::{Corosync, Member};

/// How many disagreements are told; two states of a large cluster differ in everything.
const MAX_DISAGREEMENTS: usize = 20;

/// One answer of `corosync-quorumtool -siH`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorumtool {
    /// As printed, cut at the bound of the source that took it.
    pub text: String,
    /// Not all of it is kept.
    pub is_cut: bool,
    /// What the text says.
    pub said: Corosync,
    /// Where the tool and the libraries differ, as finished sentences. `None` as long as nobody compared them.
    pub disagreements: Option<Vec<String>>,
}

/// Where the two differ in what both of them state, as finished sentences. Names and addresses are not compared: the
/// tool prints whichever it was asked for.
pub fn disagreements(libraries: &Corosync, tool: &Corosync) -> Vec<String> {
    let mut said = Said::default();
    let (a, b) = (libraries, tool);
    said.differ("quorate", a.quorate.map(yes), b.quorate.map(yes));
    said.differ("the ring id", a.ring_id.as_ref(), b.ring_id.as_ref());
    said.differ("this node's id", a.node_id, b.node_id);
    said.differ(
        "the number of expected votes",
        a.expected_votes,
        b.expected_votes,
    );
    said.differ(
        "the highest number of expected votes",
        a.highest_expected,
        b.highest_expected,
    );
    said.differ("the total of votes", a.total_votes, b.total_votes);
    said.differ("the number of votes needed", a.quorum, b.quorum);
    said.differ(
        "activity blocked",
        a.activity_blocked.map(yes),
        b.activity_blocked.map(yes),
    );
    said.differ(
        "the list of flags",
        a.flags.as_deref().map(listed),
        b.flags.as_deref().map(listed),
    );
    said.differ(
        "the quorum provider",
        a.quorum_provider.as_ref(),
        b.quorum_provider.as_ref(),
    );
    let votes = |of: &Corosync| of.qdevice.as_ref().and_then(|device| device.votes);
    said.differ("the number of the qdevice's votes", votes(a), votes(b));
    said.members(a.members.as_deref(), b.members.as_deref());
    said.finish()
}

#[derive(Default)]
struct Said {
    sentences: Vec<String>,
    more: usize,
}

impl Said {
    fn differ<T: PartialEq + std::fmt::Display>(
        &mut self,
        what: &str,
        libraries: Option<T>,
        tool: Option<T>,
    ) {
        if let (Some(libraries), Some(tool)) = (libraries, tool)
            && libraries != tool
        {
            self.say(format!(
                "{what} is {libraries} for corosync's libraries, but {tool} for corosync-quorumtool"
            ));
        }
    }

    fn say(&mut self, sentence: String) {
        if self.sentences.len() < MAX_DISAGREEMENTS {
            self.sentences.push(sentence);
        } else {
            self.more += 1;
        }
    }

    fn members(&mut self, libraries: Option<&[Member]>, tool: Option<&[Member]>) {
        let (Some(libraries), Some(tool)) = (libraries, tool) else {
            return;
        };
        let by_id = |rows: &[Member]| -> BTreeMap<u32, Option<u32>> {
            rows.iter().map(|row| (row.node_id, row.votes)).collect()
        };
        let (libraries, mut tool) = (by_id(libraries), by_id(tool));
        for (node_id, votes) in libraries {
            match tool.remove(&node_id) {
                Some(other) => self.differ(&format!("the number of node {node_id}'s votes"), votes, other),
                None => self.say(format!(
                    "node {node_id} is a member for corosync's libraries, but not for corosync-quorumtool"
                )),
            }
        }
        for node_id in tool.keys() {
            self.say(format!(
                "node {node_id} is a member for corosync-quorumtool, but not for corosync's libraries"
            ));
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            let more = self.more;
            self.sentences
                .push(format!("they differ in {more} more points"));
        }
        self.sentences
    }
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

fn listed(words: &[String]) -> String {
    if words.is_empty() {
        return "empty".to_owned();
    }
    // The order is the tool's own.
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_unstable();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(node_id: u32, votes: u32) -> Member {
        Member {
            node_id,
            votes: Some(votes),
            ..Member::default()
        }
    }

    #[test]
    fn what_both_state_is_compared_and_nothing_else() {
        let libraries = Corosync {
            quorate: Some(true),
            total_votes: Some(3),
            flags: Some(vec!["Quorate".into(), "2Node".into()]),
            members: Some(vec![member(1, 1), member(2, 1), member(3, 1)]),
            cluster_name: Some("rack".into()),
            ..Corosync::default()
        };
        assert_eq!(disagreements(&libraries, &libraries), Vec::<String>::new());
        assert_eq!(
            disagreements(&libraries, &Corosync::default()),
            Vec::<String>::new()
        );
        let tool = Corosync {
            quorate: Some(false),
            total_votes: Some(2),
            flags: Some(vec!["2Node".into(), "Quorate".into()]),
            members: Some(vec![member(1, 2), member(2, 1), member(4, 1)]),
            ..Corosync::default()
        };
        assert_eq!(
            disagreements(&libraries, &tool),
            [
                "quorate is yes for corosync's libraries, but no for corosync-quorumtool",
                "the total of votes is 3 for corosync's libraries, but 2 for corosync-quorumtool",
                "the number of node 1's votes is 1 for corosync's libraries, but 2 for corosync-quorumtool",
                "node 3 is a member for corosync's libraries, but not for corosync-quorumtool",
                "node 4 is a member for corosync-quorumtool, but not for corosync's libraries",
            ]
        );
    }

    #[test]
    fn a_large_cluster_does_not_grow_the_list() {
        let of = |ids: std::ops::Range<u32>| Corosync {
            members: Some(ids.map(|id| member(id, 1)).collect()),
            ..Corosync::default()
        };
        let said = disagreements(&of(1..100), &of(100..200));
        assert_eq!(said.len(), MAX_DISAGREEMENTS + 1);
        assert_eq!(said.last().unwrap(), "they differ in 179 more points");
    }
}
