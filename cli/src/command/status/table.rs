//! The answer for a person: per cluster its votes, a table of its nodes, and what is wrong with the fleet.
//!
//! What a node said of corosync counts while its stream speaks and the reading is young; else it is unknown, however
//! good it was. A table that is wider than the terminal is set as a line for each node instead.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;
use proto::v1;

use crate::client::Answered;
use crate::show::{self, BAD, DOUBTFUL, GOOD, HEAD, PLAIN};

/// An older reading of corosync is no news. The agent reads it anew every second, and tells how old it is every ten.
const FRESH_MS: u64 = 30_000;
/// A clock that is off by less is nobody's trouble.
const SKEW_SHOWN_MS: u64 = 100;
/// What is shown of a cluster's id beside its name.
const ID_LETTERS: usize = 8;
const SHA256: &str = "sha256-";
const BETWEEN: &str = "  ";
const INDENT: usize = 2;

pub(super) fn of_status(answered: &Answered, width: Option<usize>) -> String {
    let mut text = String::new();
    let clusters = &answered.status.clusters;
    if clusters.is_empty() {
        let line = format!(
            "no cluster has joined the collector at {}; `quorate-collector token create` there shows how",
            answered.address
        );
        return show::wrap(&line, INDENT, width);
    }
    for (number, cluster) in clusters.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        of_cluster(cluster, width, &mut text);
    }
    text
}

fn of_cluster(status: &v1::ClusterStatus, width: Option<usize>, text: &mut String) {
    let head = format!("{}: {}", title(status), votes(&status.nodes));
    let head = show::wrap(&head, INDENT, width);
    let (name, rest) = head.split_once(':').unwrap_or((&head, ""));
    let _ = write!(text, "{HEAD}{name}{HEAD:#}:{rest}");
    if !status.is_authority {
        let of = match &status.authority {
            Some(authority) => show::foreign(&authority.collector),
            None => "unknown".to_owned(),
        };
        let what = if status.is_observer {
            "this collector is an observer, and only looks on"
        } else {
            "this collector does not decide until it is settled which one does"
        };
        let line = format!("  {what}; the one that decides: {of}");
        text.push_str(&show::wrap(&line, INDENT * 2, width));
    }
    text.push_str(&of_nodes(&status.nodes, width));
    for finding in &status.findings {
        let finding = format!("  ! {}", show::foreign(finding));
        let wrapped = show::wrap(&finding, INDENT * 2, width);
        let _ = write!(
            text,
            "{DOUBTFUL}{}{DOUBTFUL:#}",
            wrapped.trim_end_matches('\n')
        );
        text.push('\n');
    }
}

/// `pve (0b9d3a52)`: many clusters have the same name.
fn title(status: &v1::ClusterStatus) -> String {
    let Some(cluster) = &status.cluster else {
        return "unknown cluster".to_owned();
    };
    let id = cluster.id.strip_prefix(SHA256).unwrap_or(&cluster.id);
    let id: String = show::foreign(id).chars().take(ID_LETTERS).collect();
    match cluster.name.as_str() {
        "" => format!("cluster without a name ({id})"),
        // A colon ends the title.
        name => format!("{} ({id})", show::foreign(name).replace(':', "_")),
    }
}

/// What nodes say of the votes in their partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    quorate: bool,
    votes: Option<u32>,
    needed: Option<u32>,
}

impl Word {
    fn of(node: &v1::NodeStatus) -> Option<Self> {
        is_fresh(node).then_some(())?;
        Some(Self {
            quorate: node.quorate?,
            votes: node.total_votes,
            needed: node.quorum,
        })
    }

    fn sentence(self) -> String {
        let votes = match self.votes {
            Some(1) => "1 vote".to_owned(),
            Some(votes) => format!("{votes} votes"),
            None => "unknown votes".to_owned(),
        };
        let needed = match self.needed {
            Some(1) => "1 is needed".to_owned(),
            Some(needed) => format!("{needed} are needed"),
            None => "how many are needed is unknown".to_owned(),
        };
        let quorate = if self.quorate {
            "quorate"
        } else {
            "not quorate"
        };
        format!("{votes}, {needed}, {quorate}")
    }
}

/// Nodes that say different things are in different partitions, or do not know yet: each word is shown.
fn votes(nodes: &[v1::NodeStatus]) -> String {
    let mut words: BTreeMap<Word, usize> = BTreeMap::new();
    for word in nodes.iter().filter_map(Word::of) {
        *words.entry(word).or_default() += 1;
    }
    let all = nodes.len();
    if words.is_empty() {
        return format!("votes unknown, no node of {all} tells");
    }
    // The partition that works stands first.
    let each: Vec<String> = words
        .iter()
        .rev()
        .map(|(word, say)| format!("{} (say {say} of {all} nodes)", word.sentence()))
        .collect();
    each.join("; ")
}

fn is_fresh(node: &v1::NodeStatus) -> bool {
    node.standing() == v1::Standing::Connected
        && node.corosync_age_ms.is_some_and(|age| age <= FRESH_MS)
}

struct Cell {
    text: String,
    style: Style,
}

struct Column {
    head: &'static str,
    cells: Vec<Cell>,
}

fn of_nodes(nodes: &[v1::NodeStatus], width: Option<usize>) -> String {
    if nodes.is_empty() {
        return "  no node has joined\n".to_owned();
    }
    let columns = columns(nodes);
    let widths: Vec<usize> = columns.iter().map(widest).collect();
    let all = INDENT + widths.iter().sum::<usize>() + BETWEEN.len() * (widths.len() - 1);
    if width.is_some_and(|width| all > width) {
        lines(&columns, nodes.len(), width)
    } else {
        table(&columns, &widths, nodes.len())
    }
}

fn columns(nodes: &[v1::NodeStatus]) -> Vec<Column> {
    let column = |head, cell: fn(&v1::NodeStatus) -> Cell| Column {
        head,
        cells: nodes.iter().map(cell).collect(),
    };
    let mut columns = vec![
        column("NODE", |node| plain(show::foreign(&node.node))),
        column("STANDING", standing),
        column("HEARD", heard),
        column("QUORATE", quorate),
        column("VOTES", |node| number(node, node.total_votes)),
        column("NEEDED", |node| number(node, node.quorum)),
        column("LINKS", links),
    ];
    let is_off = |node: &v1::NodeStatus| node.skew_ms.is_some_and(is_shown);
    if nodes.iter().any(is_off) {
        columns.push(column("CLOCK", clock));
    }
    if nodes.iter().any(has_dropped) {
        columns.push(column("DROPPED", dropped));
    }
    columns.push(column("AGENT", |node| match node.agent_version.as_str() {
        "" => unknown(),
        version => plain(show::foreign(version)),
    }));
    columns
}

fn widest(column: &Column) -> usize {
    let cells = column.cells.iter().map(|cell| cell.text.chars().count());
    cells.max().unwrap_or(0).max(column.head.len())
}

fn table(columns: &[Column], widths: &[usize], rows: usize) -> String {
    let mut text = String::new();
    let mut line = |cells: Vec<(&str, Style)>| {
        let mut used = String::from(BETWEEN);
        for (place, ((cell, style), width)) in cells.iter().zip(widths).enumerate() {
            let is_last = place + 1 == widths.len();
            let _ = write!(used, "{style}{cell}{style:#}");
            if !is_last {
                let gap = width.saturating_sub(cell.chars().count()) + BETWEEN.len();
                used.push_str(&" ".repeat(gap));
            }
        }
        text.push_str(&used);
        text.push('\n');
    };
    line(columns.iter().map(|column| (column.head, PLAIN)).collect());
    for row in 0..rows {
        let cells = columns.iter().filter_map(|column| column.cells.get(row));
        line(cells.map(|cell| (cell.text.as_str(), cell.style)).collect());
    }
    text
}

/// `pve-01: standing connected; heard 1 s ago; …`
fn lines(columns: &[Column], rows: usize, width: Option<usize>) -> String {
    let mut text = String::new();
    for row in 0..rows {
        let mut facts = columns
            .iter()
            .filter_map(|column| Some((column.head, column.cells.get(row)?)));
        let node = facts.next().map(|(_, cell)| cell.text.as_str());
        let facts: Vec<String> = facts
            .map(|(head, cell)| format!("{} {}", head.to_lowercase(), cell.text))
            .collect();
        let line = format!("  {}: {}", node.unwrap_or_default(), facts.join("; "));
        text.push_str(&show::wrap(&line, INDENT * 2, width));
    }
    text
}

fn plain(text: String) -> Cell {
    Cell { text, style: PLAIN }
}

fn unknown() -> Cell {
    Cell {
        text: "unknown".to_owned(),
        style: DOUBTFUL,
    }
}

fn styled(text: &str, style: Style) -> Cell {
    Cell {
        text: text.to_owned(),
        style,
    }
}

fn standing(node: &v1::NodeStatus) -> Cell {
    match node.standing() {
        // Also a word of a newer collector.
        v1::Standing::Unspecified => unknown(),
        v1::Standing::Connected => styled("connected", GOOD),
        v1::Standing::Silent => styled("silent", BAD),
        v1::Standing::NeverHeard => styled("never heard", DOUBTFUL),
        v1::Standing::Revoked => styled("revoked", DOUBTFUL),
    }
}

fn heard(node: &v1::NodeStatus) -> Cell {
    match node.heard_ago_ms {
        Some(ms) => plain(format!("{} ago", show::age(ms))),
        None => unknown(),
    }
}

fn quorate(node: &v1::NodeStatus) -> Cell {
    match node.quorate.filter(|_| is_fresh(node)) {
        Some(true) => styled("yes", GOOD),
        Some(false) => styled("no", BAD),
        None => unknown(),
    }
}

fn number(node: &v1::NodeStatus, number: Option<u32>) -> Cell {
    match number.filter(|_| is_fresh(node)) {
        Some(number) => plain(number.to_string()),
        None => unknown(),
    }
}

/// `2 of 2 links, 7 of 7 peers`; where links differ, each that does not reach all peers is named.
fn links(node: &v1::NodeStatus) -> Cell {
    let links = &node.links;
    if links.is_empty() || !is_fresh(node) {
        return unknown();
    }
    let is_whole = |link: &v1::LinkStatus| link.peers_connected >= link.peers;
    let whole = links.iter().filter(|link| is_whole(link)).count();
    let count = format!("{whole} of {}", counted(links.len(), "link"));
    let peers = |link: &v1::LinkStatus| {
        format!(
            "{} of {}",
            link.peers_connected,
            counted_u32(link.peers, "peer")
        )
    };
    let Some(first) = links.first() else {
        return unknown();
    };
    if whole == links.len() && first.peers == 0 {
        return plain(format!("{count}, no peers"));
    }
    if whole == links.len() {
        return styled(&format!("{count}, {}", peers(first)), GOOD);
    }
    let broken: Vec<String> = links
        .iter()
        .filter(|link| !is_whole(link))
        .map(|link| format!("link {}: {}", link.link, peers(link)))
        .collect();
    styled(&format!("{count}, {}", broken.join(", ")), BAD)
}

fn counted(count: usize, of: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {of}{plural}")
}

fn counted_u32(count: u32, of: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), of)
}

fn is_shown(skew_ms: i64) -> bool {
    skew_ms.unsigned_abs() > SKEW_SHOWN_MS
}

fn clock(node: &v1::NodeStatus) -> Cell {
    match node.skew_ms {
        None => unknown(),
        Some(skew) if !is_shown(skew) => plain(format!("within {SKEW_SHOWN_MS} ms")),
        Some(skew) => {
            let off = match skew.unsigned_abs() {
                ms @ 0..10_000 => format!("{ms} ms"),
                ms => show::age(ms),
            };
            let way = if skew > 0 { "ahead" } else { "behind" };
            styled(&format!("{off} {way}"), DOUBTFUL)
        }
    }
}

fn has_dropped(node: &v1::NodeStatus) -> bool {
    let dropped = node.dropped.as_ref();
    dropped.is_some_and(|dropped| dropped.events > 0 || dropped.announcements > 0)
}

fn dropped(node: &v1::NodeStatus) -> Cell {
    match &node.dropped {
        None => unknown(),
        Some(_) if !has_dropped(node) => plain("nothing".to_owned()),
        Some(dropped) => {
            let mut words = Vec::new();
            if dropped.events > 0 {
                words.push(format!("{} events", dropped.events));
            }
            if dropped.announcements > 0 {
                words.push(format!("{} announcements", dropped.announcements));
            }
            styled(&words.join(", "), DOUBTFUL)
        }
    }
}

#[cfg(test)]
mod tests;
