//! A table of coloured cells that knows how wide it is. The text of its last column is broken under itself if it must be.

use std::fmt::Write as _;

use anstyle::Style;

use crate::show::{self, PLAIN};

const BETWEEN: usize = 2;
pub(super) const INDENT: usize = 2;
/// The last column is never made narrower than this.
const LAST_AT_LEAST: usize = 16;

/// Text in pieces, each with its colour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell(Vec<(String, Style)>);

impl Cell {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::styled(text, PLAIN)
    }

    pub(super) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self(vec![(text.into(), style)])
    }

    /// Adds to it; what has the same colour stays one piece.
    pub(super) fn push(&mut self, text: &str, style: Style) {
        match self.0.last_mut() {
            Some((last, of)) if *of == style => last.push_str(text),
            _ => self.0.push((text.to_owned(), style)),
        }
    }

    pub(super) fn width(&self) -> usize {
        let widths = self.0.iter().map(|(text, _)| text.chars().count());
        widths.sum()
    }

    fn text(&self) -> String {
        self.0.iter().map(|(text, _)| text.as_str()).collect()
    }

    fn coloured(&self) -> String {
        let mut coloured = String::new();
        for (text, style) in &self.0 {
            let _ = write!(coloured, "{style}{text}{style:#}");
        }
        coloured
    }

    fn style(&self) -> Style {
        self.0.first().map_or(PLAIN, |(_, style)| *style)
    }
}

pub(super) struct Column {
    /// One line or several; the last stands right above the cells.
    pub(super) head: Vec<String>,
    pub(super) cells: Vec<Cell>,
}

impl Column {
    pub(super) fn new(head: &str, cells: impl IntoIterator<Item = Cell>) -> Self {
        Self {
            head: vec![head.to_owned()],
            cells: cells.into_iter().collect(),
        }
    }

    fn width(&self) -> usize {
        let heads = self.head.iter().map(|head| head.chars().count());
        heads
            .chain(self.cells.iter().map(Cell::width))
            .max()
            .unwrap_or_default()
    }
}

/// Whether it can be set so that no line is wider.
pub(super) fn fits(columns: &[Column], width: usize) -> bool {
    let Some((last, before)) = columns.split_last() else {
        return true;
    };
    let before: usize = before.iter().map(|column| column.width() + BETWEEN).sum();
    let can_break = |cell: &Cell| cell.text().contains(' ');
    // A matrix has nowhere to be broken.
    let last = if last.cells.iter().any(can_break) {
        last.width().min(LAST_AT_LEAST)
    } else {
        last.width()
    };
    INDENT + before + last <= width
}

pub(super) fn set(columns: &[Column], width: usize) -> String {
    let Some((last, before)) = columns.split_last() else {
        return String::new();
    };
    let widths: Vec<usize> = before.iter().map(Column::width).collect();
    let start = INDENT + widths.iter().map(|width| width + BETWEEN).sum::<usize>();
    let mut text = String::new();
    let heads = columns.iter().map(|column| column.head.len()).max();
    for line in (0..heads.unwrap_or_default()).rev() {
        let head = |column: &Column| {
            let place = column.head.len().checked_sub(line + 1);
            let head = place.and_then(|place| column.head.get(place));
            Cell::plain(head.cloned().unwrap_or_default())
        };
        let row: Vec<Cell> = before.iter().map(head).collect();
        text.push_str(&beginning(&row, &widths));
        text.push_str(&head(last).text());
        end(&mut text);
    }
    let rows = columns.iter().map(|column| column.cells.len()).max();
    for row in 0..rows.unwrap_or_default() {
        let cell = |column: &Column| column.cells.get(row).cloned().unwrap_or_default();
        let cells: Vec<Cell> = before.iter().map(cell).collect();
        text.push_str(&beginning(&cells, &widths));
        let last = cell(last);
        if start + last.width() <= width {
            text.push_str(&last.coloured());
        } else {
            let blank = " ".repeat(start);
            let wrapped = show::wrap(&(blank + &last.text()), start, Some(width));
            let style = last.style();
            let _ = write!(text, "{style}{}{style:#}", wrapped.trim());
        }
        end(&mut text);
    }
    text
}

fn beginning(cells: &[Cell], widths: &[usize]) -> String {
    let mut text = " ".repeat(INDENT);
    for (cell, width) in cells.iter().zip(widths) {
        text.push_str(&cell.coloured());
        text.push_str(&" ".repeat(width.saturating_sub(cell.width()) + BETWEEN));
    }
    text
}

/// Nobody sees blanks at the end of a line, but copies them.
fn end(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}
