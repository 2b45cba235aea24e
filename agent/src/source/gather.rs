//! Makes one reading of several texts: what could be read is kept, what could not is said.

use std::sync::Arc;

use jiff::Timestamp;
use model::reading::{Problem, Reading};
use model::text::{BadLine, Parsed, Unreadable};

use crate::host::{Command, Host, HostError, Text, said};

/// There is something, but it could not be read; why is among the problems. Never to be taken for nothing being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotRead;

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
                self.refuse(source, bad_line);
                None
            }
            Err(unreadable) => {
                self.remark(source, unreadable.to_string());
                None
            }
        }
    }

    /// Takes what was read without any text.
    pub(crate) fn value<T>(&mut self, at: Timestamp, value: T) -> Option<T> {
        let bad_lines = Vec::new();
        self.take_from("", at, Ok(Parsed { value, bad_lines }))
    }

    /// Takes what the host found; an error is kept as a problem.
    pub(crate) fn found<T: Default>(&mut self, source: &str, found: Result<T, HostError>) -> T {
        found.unwrap_or_else(|error| {
            self.remark(source, said(&error));
            T::default()
        })
    }

    /// As [`Self::found`], for where nothing being there says something.
    pub(crate) fn seen<T>(
        &mut self,
        source: &str,
        found: Result<T, HostError>,
    ) -> Result<T, NotRead> {
        found.map_err(|error| {
            self.remark(source, said(&error));
            NotRead
        })
    }

    /// What a parser makes of a file; `None`: there is no such file.
    pub(crate) fn file<T>(
        &mut self,
        host: &Host,
        path: &str,
        parse: fn(&str) -> Result<Parsed<T>, Unreadable>,
    ) -> Result<Option<T>, NotRead> {
        let Some(text) = self.seen(path, host.read(path))? else {
            return Ok(None);
        };
        let read = self.take(&text, parse(&text.text));
        read.map(Some).ok_or(NotRead)
    }

    /// What a command answers; an answer that could not be had is kept as a problem.
    pub(crate) fn ask(&mut self, host: &Host, command: &Command) -> Vec<Arc<Text>> {
        let answers = self.found(command.path, host.ask(command));
        let readable = answers.into_iter().filter_map(|answer| match answer {
            Ok(text) => Some(text),
            Err((source, error)) => {
                self.remark(&source, said(&error));
                None
            }
        });
        readable.collect()
    }

    /// A line that was read, but leads to nothing.
    pub(crate) fn refuse(&mut self, source: &str, bad_line: BadLine) {
        self.problems.push(Problem::line(source, bad_line));
    }

    /// Something that is wrong with a text as a whole, or with several of them together.
    pub(crate) fn remark(&mut self, source: &str, why: impl Into<String>) {
        self.problems.push(Problem::whole(source, why));
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
        let problems: Vec<String> = self.problems.iter().map(say).collect();
        Reading::Failed {
            why: problems.join("; "),
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
