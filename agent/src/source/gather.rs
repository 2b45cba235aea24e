//! Makes one reading of several texts: what could be read is kept, what could not is said.

use jiff::Timestamp;
use model::reading::{Problem, Reading};
use model::text::{Parsed, Unreadable};

use crate::host::{HostError, Text};

/// What was learnt on the way to one reading.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    /// The oldest of the texts: a fact is as old as the oldest thing it stands on.
    at: Option<Timestamp>,
    problems: Vec<Problem>,
}

impl Gathering {
    /// Takes what a parser made of a text; what it could not read is kept as a problem.
    pub(crate) fn take<T>(
        &mut self,
        text: &Text,
        parsed: Result<Parsed<T>, Unreadable>,
    ) -> Option<T> {
        self.take_from(&text.source, text.at, parsed)
    }

    /// As [`Self::take`], for a text that was read in pieces.
    pub(crate) fn take_from<T>(
        &mut self,
        source: &str,
        at: Timestamp,
        parsed: Result<Parsed<T>, Unreadable>,
    ) -> Option<T> {
        match parsed {
            Ok(Parsed { value, bad_lines }) => {
                self.at = Some(self.at.map_or(at, |oldest| oldest.min(at)));
                self.problems
                    .extend(bad_lines.into_iter().map(|bad| Problem::line(source, bad)));
                Some(value)
            }
            Err(Unreadable::BadLine(bad_line)) => {
                self.problems.push(Problem::line(source, bad_line));
                None
            }
            Err(unreadable) => {
                self.problems
                    .push(Problem::whole(source, unreadable.to_string()));
                None
            }
        }
    }

    /// Takes what the host found; an error is kept as a problem.
    pub(crate) fn found<T: Default>(&mut self, source: &str, found: Result<T, HostError>) -> T {
        found.unwrap_or_else(|error| {
            self.problems.push(Problem::whole(source, chain(&error)));
            T::default()
        })
    }

    /// Known if anything could be read; failed if there was something but nothing of it could be read; else absent.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Reading<T> {
        match (value, self.at) {
            (Some(value), Some(at)) => Reading::Known {
                value,
                at,
                problems: self.problems,
            },
            _ if self.problems.is_empty() => Reading::Absent,
            _ => self.fail(),
        }
    }

    /// Failed, whatever else could be read.
    pub(crate) fn fail<T>(self) -> Reading<T> {
        let said: Vec<String> = self.problems.iter().map(say).collect();
        Reading::Failed {
            why: said.join("; "),
        }
    }
}

/// One problem in one sentence.
fn say(problem: &Problem) -> String {
    match (&problem.line_number, &problem.line) {
        (Some(number), Some(line)) => {
            format!(
                "{}: line {number}: cannot read {line:?}: {}",
                problem.source, problem.why
            )
        }
        _ => format!("{}: {}", problem.source, problem.why),
    }
}

/// An error with its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push_str(": ");
        said.push_str(&error.to_string());
        cause = error.source();
    }
    said
}
