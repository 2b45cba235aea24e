//! Membership, votes and links of corosync. One thing that happened is one line: who left, which links went, and what
//! that means for quorum.

use std::collections::BTreeMap;

use crate::change::pair::{Pair, pairs};
use crate::change::sentence::{became, sentence};
use crate::change::{Change, differences};
use crate::fact::corosync::{Corosync, LinkStatus, Member};
use crate::report::Family;

/// Wavering by themselves, or told by another value here.
const LEFT_OUT: &[&str] = &["date", "not_members", "reachable"];

pub(super) fn changes(before: &Corosync, after: &Corosync) -> Vec<Change> {
    let found = differences(before, after, LEFT_OUT);
    let mut changes = Vec::new();
    let mut told: Vec<String> = Vec::new();
    let mut take = |subject: String, clauses: Vec<String>, paths: &[&str]| {
        if !clauses.is_empty() {
            told.extend(paths.iter().map(|path| (*path).to_owned()));
            let own = found
                .iter()
                .filter(|difference| paths.iter().any(|path| difference.is_below(path)));
            let own = own.cloned().collect();
            let sentence = format!("{subject}: {}", clauses.join("; "));
            changes.push(Change::new(Family::Corosync, subject, sentence).with(own));
        }
    };
    take(
        "membership".to_owned(),
        membership(before, after),
        &["members", "node_count", "ring_id"],
    );
    take("quorum".to_owned(), quorum(before, after), QUORUM);
    for (link, clauses) in links(before, after) {
        take(
            format!("link {link}"),
            clauses,
            &[&format!("links[{link}]")],
        );
    }
    // What no sentence above is about.
    let rest: Vec<_> = found
        .iter()
        .filter(|difference| !told.iter().any(|path| difference.is_below(path)))
        .cloned()
        .collect();
    if !rest.is_empty() {
        let sentence = sentence("corosync", &[], &rest);
        changes.push(Change::new(Family::Corosync, "corosync", sentence).with(rest));
    }
    changes
}

const QUORUM: &[&str] = &[
    "quorate",
    "expected_votes",
    "highest_expected",
    "total_votes",
    "quorum",
    "activity_blocked",
    "flags",
    "qdevice",
];

fn membership(before: &Corosync, after: &Corosync) -> Vec<String> {
    let (Some(was), Some(is)) = (&before.members, &after.members) else {
        return Vec::new();
    };
    let mut clauses = Vec::new();
    for pair in pairs(was, is, |member| member.node_id) {
        match pair {
            Pair::Came(member) => clauses.push(format!("{} joined", node(member))),
            Pair::Went(member) => clauses.push(format!("{} left", node(member))),
            Pair::Stayed(was, is) if was.votes != is.votes => {
                let what = format!("votes of {}", node(is));
                clauses.extend(became(&what, "", was.votes.as_ref(), is.votes.as_ref()));
            }
            Pair::Stayed(..) => {}
        }
    }
    if !clauses.is_empty() {
        clauses.push(format!(
            "{} of {} nodes are members",
            is.len(),
            known_nodes(after).max(is.len())
        ));
    } else if before.ring_id != after.ring_id {
        clauses.push("formed anew with the same members".to_owned());
    }
    clauses
}

/// All nodes that corosync has links to, and this one.
fn known_nodes(corosync: &Corosync) -> usize {
    names(corosync).len()
}

fn node(member: &Member) -> String {
    match &member.name {
        Some(name) => format!("{name} (node {})", member.node_id),
        None => format!("node {}", member.node_id),
    }
}

fn quorum(before: &Corosync, after: &Corosync) -> Vec<String> {
    let mut clauses = Vec::new();
    match (before.quorate, after.quorate) {
        (Some(true), Some(false)) => clauses.push("lost".to_owned()),
        (Some(false) | None, Some(true)) => clauses.push("this node is quorate".to_owned()),
        (None, Some(false)) => clauses.push("this node is not quorate".to_owned()),
        (Some(_), None) => clauses.push("unknown whether this node is quorate".to_owned()),
        _ => {}
    }
    let counts = |corosync: &Corosync| {
        (
            corosync.total_votes,
            corosync.quorum,
            corosync.expected_votes,
        )
    };
    if !clauses.is_empty() || counts(before) != counts(after) {
        let number = |value: Option<u32>| {
            value.map_or_else(|| "unknown".to_owned(), |votes| votes.to_string())
        };
        let (votes, expected) = (number(after.total_votes), number(after.expected_votes));
        clauses.push(format!(
            "{votes} of {expected} votes; {} are needed",
            number(after.quorum)
        ));
    }
    if before.qdevice != after.qdevice {
        let flags = |corosync: &Corosync| {
            corosync
                .qdevice
                .as_ref()
                .and_then(|qdevice| qdevice.flags.clone())
        };
        let what = became("qdevice", "", flags(before).as_ref(), flags(after).as_ref());
        clauses.push(what.unwrap_or_else(|| "the qdevice's votes changed".to_owned()));
    }
    if clauses.is_empty() && before.flags != after.flags {
        let said = |corosync: &Corosync| corosync.flags.as_ref().map(|flags| flags.join(" "));
        clauses.extend(became(
            "flags",
            "",
            said(before).as_ref(),
            said(after).as_ref(),
        ));
    }
    clauses
}

/// Per link: which peers it lost, and which it reaches again.
fn links(before: &Corosync, after: &Corosync) -> BTreeMap<String, Vec<String>> {
    let (Some(was), Some(is)) = (&before.links, &after.links) else {
        return BTreeMap::new();
    };
    let names = names(after);
    let mut told = BTreeMap::new();
    for pair in pairs(was, is, |link| link.link.to_string()) {
        let (number, clauses) = match pair {
            Pair::Came(link) => (&link.link, vec!["is new".to_owned()]),
            Pair::Went(link) => (&link.link, vec!["is gone".to_owned()]),
            Pair::Stayed(was, is) => (&is.link, link(was, is, &names)),
        };
        if !clauses.is_empty() {
            told.insert(number.to_string(), clauses);
        }
    }
    told
}

fn link(was: &LinkStatus, is: &LinkStatus, names: &BTreeMap<u32, String>) -> Vec<String> {
    let (Some(peers_then), Some(peers_now)) = (&was.peers, &is.peers) else {
        return Vec::new();
    };
    let named = |id: u32| {
        names
            .get(&id)
            .cloned()
            .unwrap_or_else(|| format!("node {id}"))
    };
    let (mut lost, mut back, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    let mut apart = Vec::new();
    let mut clauses = Vec::new();
    for pair in pairs(peers_then, peers_now, |peer| peer.node_id) {
        let (then, now) = match pair {
            Pair::Stayed(then, now) => (then, now),
            Pair::Came(now) => {
                match now.connected {
                    Some(true) => back.push(named(now.node_id)),
                    Some(false) => apart.push(named(now.node_id)),
                    None => {}
                }
                continue;
            }
            Pair::Went(_) => continue,
        };
        match (then.connected, now.connected) {
            (Some(true), Some(false)) => lost.push(named(now.node_id)),
            (None, Some(false)) => apart.push(named(now.node_id)),
            (Some(false), Some(true)) => back.push(named(now.node_id)),
            (Some(_), None) => unknown.push(named(now.node_id)),
            _ => {}
        }
        let mtu = became(
            "MTU",
            " bytes",
            then.mtu_bytes.as_ref(),
            now.mtu_bytes.as_ref(),
        );
        clauses.extend(mtu.map(|clause| format!("to {}: {clause}", named(now.node_id))));
    }
    let mut say = |nodes: Vec<String>, what: &str| {
        if !nodes.is_empty() {
            clauses.push(format!("{what} {}", nodes.join(", ")));
        }
    };
    say(lost, "no longer connected to");
    say(apart, "not connected to");
    say(back, "connected to");
    say(unknown, "unknown whether connected to");
    clauses.extend(became(
        "address",
        "",
        was.address.as_ref(),
        is.address.as_ref(),
    ));
    clauses
}

/// What the nodes are called, as far as anybody says it.
fn names(corosync: &Corosync) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for peer in corosync
        .links
        .iter()
        .flatten()
        .flat_map(|link| link.peers.iter().flatten())
    {
        names.insert(peer.node_id, format!("node {}", peer.node_id));
    }
    for member in corosync
        .not_members
        .iter()
        .chain(&corosync.members)
        .flatten()
    {
        names.insert(member.node_id, node(member));
    }
    names
}
