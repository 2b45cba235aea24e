//! The cluster: what corosync, its files and pmxcfs say.

use std::collections::BTreeMap;

use model::fact::corosync::{Corosync, LinkStatus, Member};
use model::fact::members::Members;
use model::quorum::verdict::Reason;
use model::report::NodeReport;

use super::page::{Cell, Mark, Page, known, plain};

/// This node's name, as corosync knows it.
pub(super) fn local_name(report: &NodeReport) -> Option<String> {
    let members = report.corosync.known()?.members.as_ref()?;
    let local = members.iter().find(|member| member.local == Some(true))?;
    local.name.clone()
}

pub(super) fn show(page: &mut Page, report: &NodeReport) {
    if let Some(corosync) = report.corosync.known() {
        page.heading("Corosync");
        running(page, corosync);
    }
    if let Some(tool) = report.quorumtool.known() {
        for sentence in tool.disagreements.iter().flatten() {
            page.line(&[Cell::bad(sentence.as_str())]);
        }
    }
    if let Some(cmap) = report.cmap.known() {
        let time = |key| cmap.count(key).map(|ms| format!("{ms} ms"));
        let token = Cell::labelled("token", time("runtime.config.totem.token"));
        let consensus = Cell::labelled("consensus", time("runtime.config.totem.consensus"));
        page.line(&[plain("timing:"), token, consensus]);
    }
    if let Some(files) = report.corosync_conf.known() {
        page.heading("corosync.conf");
        let copies = [
            ("cluster's copy", &files.cluster),
            ("corosync's own", &files.local),
        ];
        for (whose, conf) in copies {
            match conf {
                Some(conf) => page.line(&[
                    plain(format!("{whose}:")),
                    Cell::labelled("version", conf.totem.config_version),
                    plain(format!("with {} nodes", conf.nodes.len())),
                ]),
                None => page.line(&[plain(format!("{whose}:")), Cell::unknown()]),
            }
        }
        if let (Some(cluster), Some(local)) = (&files.cluster, &files.local)
            && cluster != local
        {
            page.line(&[Cell::bad("the two copies differ")]);
        }
    }
    if let Some(members) = report.members.known() {
        page.heading("Cluster as pmxcfs sees it");
        pmxcfs(page, members);
    }
}

fn running(page: &mut Page, corosync: &Corosync) {
    page.line(&[
        Cell::labelled("cluster", corosync.cluster_name.as_ref()),
        Cell::labelled("· configuration version", corosync.config_version),
        Cell::labelled("· node id", corosync.node_id),
        Cell::labelled("· ring", corosync.ring_id.as_ref()),
    ]);
    let mut quorate = vec![
        plain("quorate:"),
        Cell::verdict(corosync.quorate, true),
        votes(corosync),
    ];
    if corosync.activity_blocked == Some(true) {
        quorate.push(Cell::bad("activity blocked"));
    }
    page.line(&quorate);
    match &corosync.flags {
        Some(flags) if flags.is_empty() => page.say("flags: none"),
        Some(flags) => page.say(format!("flags: {}", flags.join(" "))),
        None => page.line(&[plain("flags:"), Cell::unknown()]),
    }
    if let Some(qdevice) = &corosync.qdevice {
        page.line(&[
            Cell::labelled("qdevice: votes", qdevice.votes),
            Cell::labelled("· flags", qdevice.flags.as_ref()),
        ]);
    }
    match &corosync.members {
        None => page.line(&[plain("members:"), Cell::unknown()]),
        Some(members) => {
            page.say(format!("{} in the membership:", members.len()));
            let rows: Vec<Vec<Cell>> = members.iter().map(member).collect();
            page.table(&rows);
        }
    }
    let names = names(corosync);
    for gone in corosync.not_members.iter().flatten() {
        let node = node(gone.node_id, &names);
        page.line(&[Cell::bad(format!("not in the membership: {node}"))]);
    }
    match &corosync.links {
        None => page.line(&[plain("links:"), Cell::unknown()]),
        Some(links) => {
            for status in links {
                let cells = link(status, &names);
                page.line(&cells);
            }
        }
    }
}

fn votes(corosync: &Corosync) -> Cell {
    let (Some(votes), Some(needed), Some(of)) = (
        corosync.total_votes,
        corosync.quorum,
        corosync.expected_votes,
    ) else {
        let cells = [
            ("votes", corosync.total_votes),
            ("needed", corosync.quorum),
            ("expected", corosync.expected_votes),
        ];
        let said = cells.map(|(what, value)| match value {
            Some(value) => format!("{what} {value}"),
            None => format!("{what} unknown"),
        });
        return Cell::new(format!("({})", said.join(", ")), Mark::Unknown);
    };
    let reason = if votes < needed {
        Reason::TooFew { votes, of, needed }
    } else {
        let qdevice = corosync.qdevice.as_ref();
        Reason::Enough {
            votes,
            of,
            needed,
            with_qdevice: qdevice.and_then(|qdevice| qdevice.votes).unwrap_or(0),
        }
    };
    plain(format!("({reason})"))
}

fn member(member: &Member) -> Vec<Cell> {
    let votes = match member.votes {
        Some(1) => plain("1 vote"),
        Some(votes) => plain(format!("{votes} votes")),
        None => Cell::new("votes unknown", Mark::Unknown),
    };
    let local = if member.local == Some(true) {
        "this node"
    } else {
        ""
    };
    vec![
        plain(member.node_id),
        member
            .name
            .as_ref()
            .map_or_else(|| plain("no name said"), plain),
        votes,
        plain(member.qdevice_flags.as_deref().unwrap_or_default()),
        plain(local),
    ]
}

fn names(corosync: &Corosync) -> BTreeMap<u32, &str> {
    let members = corosync
        .members
        .iter()
        .chain(&corosync.not_members)
        .flatten();
    members
        .filter_map(|member| Some((member.node_id, member.name.as_deref()?)))
        .collect()
}

fn node(id: u32, names: &BTreeMap<u32, &str>) -> String {
    match names.get(&id) {
        Some(name) => format!("{id} ({name})"),
        None => id.to_string(),
    }
}

fn link(status: &LinkStatus, names: &BTreeMap<u32, &str>) -> Vec<Cell> {
    let address = status.address.as_deref().unwrap_or("address unknown");
    let mut cells = vec![plain(format!("link {} ({address}):", status.link))];
    match (status.faulty, &status.status) {
        (Some(true), Some(words)) => cells.push(Cell::bad(words)),
        (Some(true), None) => cells.push(Cell::bad("faulty")),
        (_, Some(words)) => cells.push(plain(words)),
        (_, None) => {}
    }
    let peers: Vec<_> = status
        .peers
        .iter()
        .flatten()
        .filter(|peer| peer.local != Some(true))
        .collect();
    let with = |wanted: Option<bool>| peers.iter().filter(move |peer| peer.connected == wanted);
    if !peers.is_empty() {
        let connected = with(Some(true)).count();
        cells.push(plain(format!(
            "{connected} of {} peers connected",
            peers.len()
        )));
    } else if status.status.is_none() && status.positions.is_none() {
        cells.push(Cell::new("peers unknown", Mark::Unknown));
    }
    let listed = |wanted| {
        with(wanted)
            .map(|peer| node(peer.node_id, names))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if with(Some(false)).count() > 0 {
        cells.push(Cell::bad(format!(
            "· not connected: {}",
            listed(Some(false))
        )));
    }
    if with(None).count() > 0 {
        let text = format!("· unknown: {}", listed(None));
        cells.push(Cell::new(text, Mark::Unknown));
    }
    for position in status.positions.iter().flatten() {
        if position.connected == Some(false) {
            let text = format!("· not connected: the node at place {}", position.position);
            cells.push(Cell::bad(text));
        }
    }
    cells
}

fn pmxcfs(page: &mut Page, members: &Members) {
    match &members.cluster {
        None => page.say("in no cluster, or corosync was not heard yet"),
        Some(cluster) => page.line(&[
            known(cluster.name.as_ref()),
            plain("· quorate:"),
            Cell::verdict(cluster.quorate, true),
            Cell::labelled("· configuration version", cluster.config_version),
            Cell::labelled("· nodes", cluster.nodes),
        ]),
    }
    let rows: Vec<Vec<Cell>> = members
        .nodes
        .iter()
        .map(|node| {
            let online = match node.online {
                Some(true) => Cell::good("online"),
                Some(false) => Cell::bad("offline"),
                None => Cell::unknown(),
            };
            let id = node.id.map(|id| id.to_string());
            let ip = node.ip.map(|ip| ip.to_string());
            vec![
                known(id),
                plain(&node.name),
                online,
                plain(ip.unwrap_or_else(|| "no address".to_owned())),
            ]
        })
        .collect();
    page.table(&rows);
}
