//! The matrix of corosync's links: a row says whom its node has connected, a letter for each other node.

use anstyle::Style;
use proto::v1::{LinkMatrix, LinkWays, Way};

use super::grid::{Cell, Column};
use crate::show::{self, BAD, DOUBTFUL, PLAIN};

/// Longer ends of names do not stand above a column of one letter; nodes are counted then.
const MAX_LABEL: usize = 3;

/// One letter: what the row's node says of the column's, held against what that says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Connected,
    Disconnected,
    OnlyThere,
    OnlyBack,
    Unknown,
    NotConfigured,
    Same,
}

impl Mark {
    fn of(there: Way, back: Way) -> Self {
        match (there, back) {
            (Way::Self_, _) => Self::Same,
            (Way::NotConfigured, _) => Self::NotConfigured,
            (Way::Connected, Way::Disconnected) => Self::OnlyThere,
            (Way::Disconnected, Way::Connected) => Self::OnlyBack,
            (Way::Connected, _) => Self::Connected,
            (Way::Disconnected, _) => Self::Disconnected,
            (Way::Unspecified, _) => Self::Unknown,
        }
    }

    fn letter(self) -> &'static str {
        match self {
            Self::Connected => "+",
            Self::Disconnected => "-",
            Self::OnlyThere => ">",
            Self::OnlyBack => "<",
            Self::Unknown => "?",
            Self::NotConfigured => " ",
            Self::Same => ".",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Connected | Self::NotConfigured | Self::Same => PLAIN,
            Self::Disconnected | Self::OnlyThere | Self::OnlyBack => BAD,
            Self::Unknown => DOUBTFUL,
        }
    }

    fn legend(self) -> Option<&'static str> {
        Some(match self {
            Self::Connected => "+ the row's node has the column's connected",
            Self::Disconnected => "- it has not",
            Self::OnlyThere => "> it has, but not the other way round",
            Self::OnlyBack => "< only the other way round",
            Self::Unknown => "? unknown",
            Self::NotConfigured => "blank: one of them has no such link",
            Self::Same => return None,
        })
    }
}

pub(super) struct Matrix<'a> {
    matrix: &'a LinkMatrix,
    labels: Labels,
}

/// What stands above the columns.
struct Labels {
    /// The end of each name, or its number.
    ends: Vec<String>,
    /// The nodes are numbered, and the rows have to say so.
    are_numbers: bool,
}

impl<'a> Matrix<'a> {
    pub(super) fn new(matrix: &'a LinkMatrix) -> Self {
        Self {
            matrix,
            labels: Labels::of(&matrix.nodes),
        }
    }

    pub(super) fn nodes(&self) -> &'a [String] {
        &self.matrix.nodes
    }

    /// `pve-01`; `1 alpha` where the columns are numbered.
    pub(super) fn row_name(&self, row: usize) -> String {
        let name = self.matrix.nodes.get(row).map(|name| show::foreign(name));
        let name = name.unwrap_or_default();
        match self
            .labels
            .ends
            .get(row)
            .filter(|_| self.labels.are_numbers)
        {
            Some(number) => format!("{number:>2} {name}"),
            None => name,
        }
    }

    /// A column for each link, with a blank between the letters or without.
    pub(super) fn columns(&self, is_wide: bool) -> Vec<Column> {
        // One node has no links.
        if self.matrix.nodes.len() < 2 {
            return Vec::new();
        }
        let gap = if is_wide { " " } else { "" };
        let column = |ways: &LinkWays| Column {
            head: self.head(ways.link, gap),
            cells: (0..self.matrix.nodes.len())
                .map(|row| self.cell(ways, row, gap))
                .collect(),
        };
        self.matrix.links.iter().map(column).collect()
    }

    /// What its letters mean, as far as they occur.
    pub(super) fn legend(&self) -> String {
        let count = self.matrix.nodes.len();
        let mut marks: Vec<Mark> = Vec::new();
        for ways in &self.matrix.links {
            for from in 0..count {
                marks.extend((0..count).map(|to| self.mark(ways, from, to)));
            }
        }
        marks.sort_unstable();
        marks.dedup();
        let legend: Vec<&str> = marks.into_iter().filter_map(Mark::legend).collect();
        legend.join("; ")
    }

    /// Each row in words, for a terminal that is too narrow for the matrix.
    pub(super) fn in_words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for ways in &self.matrix.links {
            for from in 0..self.matrix.nodes.len() {
                lines.push(self.row_in_words(ways, from));
            }
        }
        lines
    }

    fn row_in_words(&self, ways: &LinkWays, from: usize) -> String {
        let count = self.matrix.nodes.len();
        let of = |wanted: Mark| -> Vec<&str> {
            let to = (0..count).filter(|to| self.mark(ways, from, *to) == wanted);
            let names = to.filter_map(|to| self.matrix.nodes.get(to));
            names.map(String::as_str).collect()
        };
        let (both, there) = (of(Mark::Connected), of(Mark::OnlyThere));
        let mut line = format!(
            "  link {}: {} has {} of {} nodes connected",
            ways.link,
            self.matrix.nodes.get(from).map_or("", String::as_str),
            both.len() + there.len(),
            count - 1 - of(Mark::NotConfigured).len(),
        );
        for (words, nodes) in [
            ("not", of(Mark::Disconnected)),
            ("not, but the other way round,", of(Mark::OnlyBack)),
            ("but not the other way round", there),
            ("unknown", of(Mark::Unknown)),
        ] {
            if !nodes.is_empty() {
                line = format!("{line}; {words} {}", nodes.join(", "));
            }
        }
        show::foreign(&line)
    }

    fn head(&self, link: u32, gap: &str) -> Vec<String> {
        let height = self.labels.ends.iter().map(|end| end.chars().count()).max();
        let height = height.unwrap_or_default();
        let mut head = vec![format!("LINK {link}")];
        for line in 0..height {
            let letter = |end: &String| {
                let above = height - end.chars().count();
                let letter = line.checked_sub(above).and_then(|at| end.chars().nth(at));
                letter.unwrap_or(' ').to_string()
            };
            let letters: Vec<String> = self.labels.ends.iter().map(letter).collect();
            head.push(letters.join(gap));
        }
        head
    }

    fn cell(&self, ways: &LinkWays, row: usize, gap: &str) -> Cell {
        let mut cell = Cell::default();
        for to in 0..self.matrix.nodes.len() {
            if to > 0 {
                cell.push(gap, PLAIN);
            }
            let mark = self.mark(ways, row, to);
            cell.push(mark.letter(), mark.style());
        }
        cell
    }

    fn mark(&self, ways: &LinkWays, from: usize, to: usize) -> Mark {
        let count = self.matrix.nodes.len();
        let way = |from: usize, to: usize| {
            let way = ways.ways.get(from * count + to).copied();
            // Also a word of a newer collector.
            way.and_then(|way| Way::try_from(way).ok())
                .unwrap_or_default()
        };
        Mark::of(way(from, to), way(to, from))
    }
}

impl Labels {
    fn of(nodes: &[String]) -> Self {
        let first = nodes.first().map_or("", String::as_str);
        let alike = |name: &String| {
            let pairs = first.bytes().zip(name.bytes());
            pairs.take_while(|(one, other)| one == other).count()
        };
        let common = nodes.iter().map(alike).min().unwrap_or_default();
        let ends: Vec<String> = nodes
            .iter()
            .map(|name| name.get(common..).unwrap_or_default().to_owned())
            .collect();
        let is_label = |end: &String| (1..=MAX_LABEL).contains(&end.len()) && end.is_ascii();
        if nodes.len() > 1 && ends.iter().all(is_label) {
            return Self {
                ends,
                are_numbers: false,
            };
        }
        Self {
            ends: (1..=nodes.len()).map(|number| number.to_string()).collect(),
            are_numbers: nodes.len() > 1,
        }
    }
}
