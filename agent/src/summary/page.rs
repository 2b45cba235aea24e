//! The page that the summary is written on: headings, lines, tables; colours for what is good or bad.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// Between two columns of a table.
const GAP: &str = "  ";

/// How a piece of text is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Plain,
    Good,
    Bad,
    /// Not known: neither good nor bad.
    Unknown,
}

impl Mark {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Unknown => AnsiColor::Yellow.on_default(),
        }
    }
}

/// A piece of text on the page. What tools and switches said of themselves may hold anything: control characters,
/// which could make a terminal do things, are shown as a question mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    mark: Mark,
}

impl Cell {
    pub(super) fn new(text: impl Display, mark: Mark) -> Self {
        let clean = |sign: char| if sign.is_control() { '?' } else { sign };
        Self {
            text: text.to_string().chars().map(clean).collect(),
            mark,
        }
    }

    pub(super) fn bad(text: impl Display) -> Self {
        Self::new(text, Mark::Bad)
    }

    pub(super) fn good(text: impl Display) -> Self {
        Self::new(text, Mark::Good)
    }

    pub(super) fn unknown() -> Self {
        Self::new("unknown", Mark::Unknown)
    }

    /// `label value`, where an unknown value is called so.
    pub(super) fn labelled(label: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => plain(format!("{label} {value}")),
            None => Self::new(format!("{label} unknown"), Mark::Unknown),
        }
    }

    /// A yes or no of which one is good.
    pub(super) fn verdict(value: Option<bool>, good: bool) -> Self {
        let word = |value: bool| if value { "yes" } else { "no" };
        match value {
            Some(value) if value == good => Self::good(word(value)),
            Some(value) => Self::bad(word(value)),
            None => Self::unknown(),
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn write(&self, text: &mut String) {
        let style = self.mark.style();
        text.push_str(&format!("{style}{}{style:#}", self.text));
    }
}

pub(super) fn plain(text: impl Display) -> Cell {
    Cell::new(text, Mark::Plain)
}

/// The value, or the word for not knowing it.
pub(super) fn known<T: Display>(value: Option<T>) -> Cell {
    value.map_or_else(Cell::unknown, plain)
}

#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    pub(super) fn heading(&mut self, heading: impl Display) {
        let bold = Style::new().bold();
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&format!("{bold}{heading}{bold:#}\n"));
    }

    /// One line below a heading, its pieces with a blank between them.
    pub(super) fn line(&mut self, cells: &[Cell]) {
        self.text.push_str(GAP);
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                self.text.push(' ');
            }
            cell.write(&mut self.text);
        }
        self.text.push('\n');
    }

    pub(super) fn say(&mut self, text: impl Display) {
        self.line(&[plain(text)]);
    }

    /// Rows with aligned columns, indented below the line before them.
    pub(super) fn table(&mut self, rows: &[Vec<Cell>]) {
        let mut widths: Vec<usize> = Vec::new();
        for row in rows {
            for (column, cell) in row.iter().enumerate() {
                match widths.get_mut(column) {
                    Some(width) => *width = cell.width().max(*width),
                    None => widths.push(cell.width()),
                }
            }
        }
        for row in rows {
            self.text.push_str(GAP);
            let mut blanks = GAP.len();
            for (cell, width) in row.iter().zip(&widths) {
                if cell.width() > 0 {
                    self.text.extend(std::iter::repeat_n(' ', blanks));
                    cell.write(&mut self.text);
                    blanks = 0;
                }
                blanks += width - cell.width() + GAP.len();
            }
            self.text.push('\n');
        }
    }

    /// The text with its colours.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_no_line_ends_in_blanks() {
        let mut page = Page::default();
        page.table(&[
            vec![plain("eno1"), plain(""), plain("x")],
            vec![plain("bond0.30"), plain("up"), plain("")],
        ]);
        assert_eq!(page.finish(), "    eno1          x\n    bond0.30  up\n");
    }

    #[test]
    fn what_a_switch_calls_itself_cannot_speak_to_the_terminal() {
        let mut page = Page::default();
        page.say("sw\u{1b}[2J\nx");
        assert_eq!(page.finish(), "  sw?[2J?x\n");
    }

    #[test]
    fn what_is_not_known_is_called_so() {
        let mut page = Page::default();
        page.line(&[
            Cell::labelled("votes", None::<u32>),
            known(None::<u32>),
            Cell::verdict(None, true),
        ]);
        let text = anstream::adapter::strip_str(&page.finish()).to_string();
        assert_eq!(text, "  votes unknown unknown unknown\n");
    }
}
