//! The nodes of a cluster: who is heard, who says what of quorum, bonds, clocks. On a terminal that takes it, in one
//! table with the links; else the links for themselves, and then only the nodes of which there is something to say.

use anstyle::Style;
use proto::v1;

use super::grid::{self, Cell, Column, INDENT};
use super::links::Matrix;
use crate::show::{self, BAD, DOUBTFUL, GOOD, PLAIN};

/// An older reading of corosync is no news. The agent reads it anew every second, and tells how old it is every ten.
pub(super) const FRESH_MS: u64 = 30_000;
/// A clock that is off by less is nobody's trouble.
const SKEW_SHOWN_MS: u64 = 100;

/// A row: a node that is enrolled, or one of the nodelist that is not.
struct Row<'a> {
    name: String,
    node: Option<&'a v1::NodeStatus>,
}

pub(super) fn of_nodes(status: &v1::ClusterStatus, width: usize) -> String {
    let nothing = v1::LinkMatrix::default();
    let matrix = Matrix::new(status.link_matrix.as_ref().unwrap_or(&nothing));
    let rows = rows(status, &matrix);
    if rows.is_empty() {
        return "  no node has joined\n".to_owned();
    }
    for is_wide in [true, false] {
        let mut columns = columns(&rows);
        let links = matrix.columns(is_wide);
        let place = columns.len().min(BEFORE_LINKS);
        drop(columns.splice(place..place, links));
        if grid::fits(&columns, width) {
            return grid::set(&columns, width) + &legend(&matrix, width);
        }
    }
    apart(&rows, &matrix, width)
}

/// Columns that stand before the links: node, heard, quorate.
const BEFORE_LINKS: usize = 3;

fn rows<'a>(status: &'a v1::ClusterStatus, matrix: &Matrix<'_>) -> Vec<Row<'a>> {
    let named = |name: &str| status.nodes.iter().find(|node| node.node == name);
    let in_matrix = matrix.nodes().iter().enumerate().map(|(row, name)| Row {
        name: matrix.row_name(row),
        node: named(name),
    });
    let is_out = |node: &&v1::NodeStatus| !matrix.nodes().contains(&node.node);
    let others = status.nodes.iter().filter(is_out).map(|node| Row {
        name: show::foreign(&node.node),
        node: Some(node),
    });
    in_matrix.chain(others).collect()
}

fn legend(matrix: &Matrix<'_>, width: usize) -> String {
    let legend = matrix.legend();
    if legend.is_empty() {
        return String::new();
    }
    show::wrap(&format!("  {legend}"), INDENT, Some(width))
}

/// The links for themselves, and what there is to say of nodes.
fn apart(rows: &[Row<'_>], matrix: &Matrix<'_>, width: usize) -> String {
    let names = || {
        let names = (0..matrix.nodes().len()).map(|row| Cell::plain(matrix.row_name(row)));
        Column::new("NODE", names)
    };
    let mut text = String::new();
    let together: Vec<Column> = std::iter::once(names())
        .chain(matrix.columns(false))
        .collect();
    if grid::fits(&together, width) {
        text.push_str(&grid::set(&together, width));
        text.push_str(&legend(matrix, width));
    } else {
        let each: Vec<Vec<Column>> = matrix
            .columns(false)
            .into_iter()
            .map(|link| vec![names(), link])
            .collect();
        if each.iter().all(|table| grid::fits(table, width)) {
            for table in &each {
                text.push_str(&grid::set(table, width));
            }
            text.push_str(&legend(matrix, width));
        } else {
            for line in matrix.in_words() {
                text.push_str(&show::wrap(&line, INDENT * 2, Some(width)));
            }
        }
    }
    text + &remarkable(rows, width)
}

fn remarkable(rows: &[Row<'_>], width: usize) -> String {
    let (plain, told): (Vec<&Row<'_>>, Vec<&Row<'_>>) = rows.iter().partition(|row| is_well(row));
    let mut text = String::new();
    for row in &told {
        let line = format!("  {}: {}", row.name, facts(row).join("; "));
        text.push_str(&show::wrap(&line, INDENT * 2, Some(width)));
    }
    if !plain.is_empty() {
        let which = match (plain.len(), told.is_empty()) {
            (1, false) => "the other node is".to_owned(),
            (many, false) => format!("the other {many} nodes are"),
            (1, true) => "the node is".to_owned(),
            (many, true) => format!("all {many} nodes are"),
        };
        let ports = plain.iter().filter_map(|row| row.node?.bonds.as_ref());
        let ports: u32 = ports
            .flat_map(|bonds| &bonds.bonds)
            .map(|bond| bond.ports)
            .sum();
        let bonds = match ports {
            0 => String::new(),
            1 => ", the one port of their bonds is up".to_owned(),
            ports => format!(", all {ports} ports of their bonds are up"),
        };
        let line = format!("  {which} heard and quorate{bonds}");
        text.push_str(&show::wrap(&line, INDENT * 2, Some(width)));
    }
    text
}

/// Nothing has to be said of it.
fn is_well(row: &Row<'_>) -> bool {
    row.node.is_some_and(|node| {
        node.standing() == v1::Standing::Connected
            && node.quorate.filter(|_| is_fresh(node)) == Some(true)
            && node.bonds.as_ref().is_some_and(are_whole)
            && !node.skew_ms.is_some_and(is_off)
            && !has_dropped(node)
    })
}

/// What is not as it should be: `not quorate; bond0 1/2 802.3ad: eno2 down`
fn facts(row: &Row<'_>) -> Vec<String> {
    let Some(node) = row.node else {
        return vec![NO_AGENT.to_owned()];
    };
    let mut facts = Vec::new();
    match node.standing() {
        v1::Standing::Connected => {}
        v1::Standing::NeverHeard => facts.push("never heard".to_owned()),
        _ => facts.push(heard(node).0),
    }
    match node.quorate.filter(|_| is_fresh(node)) {
        Some(true) => {}
        Some(false) => facts.push("not quorate".to_owned()),
        None => facts.push("unknown whether it is quorate".to_owned()),
    }
    match &node.bonds {
        Some(known) if are_whole(known) => {}
        Some(known) if known.unknown.is_empty() => facts.push(bonds(node).0),
        _ => facts.push(format!("bonds {}", bonds(node).0)),
    }
    if node.skew_ms.is_some_and(is_off) {
        facts.push(format!("its clock is {}", clock(node).0));
    }
    if has_dropped(node) {
        facts.push(format!("lost {}", dropped(node).0));
    }
    facts
}

const NO_AGENT: &str = "no agent";
const NONE: &str = "none";
const UNKNOWN: &str = "unknown";

type Said = (String, Style);

fn columns(rows: &[Row<'_>]) -> Vec<Column> {
    let column = |head: &str, said: fn(&v1::NodeStatus) -> Said| {
        let cell = |row: &Row<'_>| {
            let (text, style) = row.node.map_or((UNKNOWN.to_owned(), DOUBTFUL), said);
            Cell::styled(text, style)
        };
        Column::new(head, rows.iter().map(cell))
    };
    let any = |is: fn(&v1::NodeStatus) -> bool| rows.iter().filter_map(|row| row.node).any(is);
    let heard = |row: &Row<'_>| {
        let (text, style) = row.node.map_or((NO_AGENT.to_owned(), DOUBTFUL), heard);
        Cell::styled(text, style)
    };
    let mut columns = vec![
        Column::new("NODE", rows.iter().map(|row| Cell::plain(row.name.clone()))),
        Column::new("HEARD", rows.iter().map(heard)),
        column("QUORATE", quorate),
    ];
    if any(|node| node.skew_ms.is_some_and(is_off)) {
        columns.push(column("CLOCK", clock));
    }
    if any(has_dropped) {
        columns.push(column("DROPPED", dropped));
    }
    let versions = || rows.iter().filter_map(|row| Some(&row.node?.agent_version));
    let first = versions().find(|version| !version.is_empty());
    if versions().any(|version| !version.is_empty() && Some(version) != first) {
        columns.push(column("AGENT", agent));
    }
    if any(|node| !node.bonds.as_ref().is_some_and(has_none)) {
        columns.push(column("BONDS", bonds));
    }
    columns
}

fn has_none(bonds: &v1::BondsStatus) -> bool {
    bonds.unknown.is_empty() && bonds.bonds.is_empty()
}

fn is_fresh(node: &v1::NodeStatus) -> bool {
    node.standing() == v1::Standing::Connected
        && node.corosync_age_ms.is_some_and(|age| age <= FRESH_MS)
}

fn unknown() -> Said {
    (UNKNOWN.to_owned(), DOUBTFUL)
}

fn heard(node: &v1::NodeStatus) -> Said {
    let ago = node.heard_ago_ms.map(show::age);
    match (node.standing(), ago) {
        (v1::Standing::Connected, Some(ago)) => (format!("{ago} ago"), PLAIN),
        (v1::Standing::Connected, None) => ("just now".to_owned(), PLAIN),
        (v1::Standing::Silent, Some(ago)) => (format!("silent, {ago} ago"), BAD),
        (v1::Standing::Silent, None) => ("silent".to_owned(), BAD),
        (v1::Standing::NeverHeard, _) => ("never".to_owned(), DOUBTFUL),
        (v1::Standing::Revoked, _) => ("revoked".to_owned(), DOUBTFUL),
        // Also a word of a newer collector.
        (v1::Standing::Unspecified, _) => unknown(),
    }
}

fn quorate(node: &v1::NodeStatus) -> Said {
    match node.quorate.filter(|_| is_fresh(node)) {
        Some(true) => ("yes".to_owned(), GOOD),
        Some(false) => ("no".to_owned(), BAD),
        None => unknown(),
    }
}

fn agent(node: &v1::NodeStatus) -> Said {
    match node.agent_version.as_str() {
        "" => unknown(),
        version => (show::foreign(version), PLAIN),
    }
}

fn bonds(node: &v1::NodeStatus) -> Said {
    let Some(bonds) = &node.bonds else {
        return unknown();
    };
    if !bonds.unknown.is_empty() {
        return (
            format!("{UNKNOWN}: {}", show::foreign(&bonds.unknown)),
            DOUBTFUL,
        );
    }
    let sentences = bonds.bonds.iter().map(|bond| show::foreign(&bond.sentence));
    let sentences: Vec<String> = sentences.collect();
    match sentences.is_empty() {
        true => (NONE.to_owned(), PLAIN),
        false if are_whole(bonds) => (sentences.join("; "), PLAIN),
        false => (sentences.join("; "), BAD),
    }
}

fn are_whole(bonds: &v1::BondsStatus) -> bool {
    let is_whole = |bond: &v1::BondStatus| bond.ports_up == bond.ports && bond.wrong.is_empty();
    bonds.unknown.is_empty() && bonds.bonds.iter().all(is_whole)
}

fn is_off(skew_ms: i64) -> bool {
    skew_ms.unsigned_abs() > SKEW_SHOWN_MS
}

fn clock(node: &v1::NodeStatus) -> Said {
    match node.skew_ms {
        None => unknown(),
        Some(skew) if !is_off(skew) => (format!("within {SKEW_SHOWN_MS} ms"), PLAIN),
        Some(skew) => {
            let off = match skew.unsigned_abs() {
                ms @ 0..10_000 => format!("{ms} ms"),
                ms => show::age(ms),
            };
            let way = if skew > 0 { "ahead" } else { "behind" };
            (format!("{off} {way}"), DOUBTFUL)
        }
    }
}

fn has_dropped(node: &v1::NodeStatus) -> bool {
    let dropped = node.dropped.as_ref();
    dropped.is_some_and(|dropped| dropped.events > 0 || dropped.announcements > 0)
}

fn dropped(node: &v1::NodeStatus) -> Said {
    let Some(dropped) = &node.dropped else {
        return unknown();
    };
    let mut words = Vec::new();
    if dropped.events > 0 {
        words.push(format!("{} events", dropped.events));
    }
    if dropped.announcements > 0 {
        words.push(format!("{} announcements", dropped.announcements));
    }
    match words.is_empty() {
        true => ("nothing".to_owned(), PLAIN),
        false => (words.join(", "), DOUBTFUL),
    }
}
