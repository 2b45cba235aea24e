//! A program of the operator's on this machine: the webhook's JSON on standard input, and what a script wants to know at once in
//! its environment. Exit code 0 says that it was delivered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::alert::Kind;
use settings::value::{absolute_or_none, refused, texts};
use settings::{Taken, Value};

use super::parts::{PLAIN_BYTES, fitted};
use super::row::{missing, name, yes_or_no};
use super::told::told;
use super::{Answer, Chat, Command, Outcome, Receiver, Request, SecretError, Sending, later};

const MAX_ARGUMENTS: usize = 64;
/// A variable of the environment has no more than 128 KiB; a headline is shorter.
const VARIABLE_BYTES: usize = 4_000;

settings::keys! {
    struct CommandRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "program" => program: Option<PathBuf> = None, absolute_or_none;
    "arguments" => arguments: Vec<String> = Vec::new(), arguments;
    /// Whether it is told that another sentence is true of an open incident.
    "changes" => changes: bool = false, yes_or_no;
}

fn is_whole(row: &CommandRow) -> Vec<settings::Contradiction> {
    missing(&[
        ("name", !row.name.is_empty()),
        ("program", row.program.is_some()),
    ])
}

fn arguments(value: &Value<'_>) -> Taken<Vec<String>> {
    const ALLOWED: &str =
        "a list of at most 64 arguments in quotes; no secrets: others on this machine see them";
    let arguments = texts(value, ALLOWED)?;
    if arguments.len() > MAX_ARGUMENTS || arguments.iter().any(|text| text.contains('\0')) {
        return Err(refused(ALLOWED, "another one"));
    }
    Ok(arguments.into_iter().map(str::to_owned).collect())
}

#[derive(Debug)]
struct Program {
    program: PathBuf,
    arguments: Vec<String>,
    changes: bool,
}

impl Receiver for CommandRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        let wrong = |why| SecretError::Wrong {
            receiver: self.name.clone(),
            key: "program",
            why,
        };
        let program = self.program.clone().ok_or_else(|| wrong("is missing"))?;
        if !program.is_file() {
            return Err(wrong("is not there"));
        }
        Ok(Box::new(Program {
            program,
            arguments: self.arguments.clone(),
            changes: self.changes,
        }))
    }
}

impl Chat for Program {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let message = sending.message;
        if message.kind == Kind::Changed && !self.changes {
            return None;
        }
        let variable =
            |text: &str| fitted(text, VARIABLE_BYTES, PLAIN_BYTES).replace(['\n', '\0'], " ");
        let environment = BTreeMap::from([
            ("QUORATE_KIND", message.kind.name().to_owned()),
            ("QUORATE_SEVERITY", message.severity.to_string()),
            ("QUORATE_CLUSTER", variable(&message.cluster)),
            ("QUORATE_INCIDENT", message.incident.to_string()),
            ("QUORATE_HEADLINE", variable(&message.headline())),
            ("QUORATE_KEY", variable(sending.key)),
        ]);
        Some(Request::Command(Command {
            program: self.program.clone(),
            arguments: self.arguments.clone(),
            environment,
            input: told(sending).to_string() + "\n",
        }))
    }

    fn read(&self, _sending: &Sending<'_>, answer: &Answer) -> Outcome {
        match answer.status {
            0 => Outcome::Delivered { receipt: None },
            _ => later(answer),
        }
    }

    fn secrets(&self) -> Vec<&str> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::notify::testing::{Try, is_later};

    use super::*;

    #[test]
    fn only_0_says_that_it_was_delivered() {
        let ask = Try::<CommandRow>::new("program = '/bin/sh'");
        assert_eq!(
            ask.read(Kind::Opened, 0, ""),
            Outcome::Delivered { receipt: None }
        );
        assert!(is_later(&ask.read(Kind::Opened, 1, "no")));
    }

    #[test]
    fn a_program_that_is_not_there_is_found_before_it_is_needed() {
        let row = CommandRow {
            name: "page".to_owned(),
            program: Some(PathBuf::from("/no/such")),
            ..CommandRow::default()
        };
        let error = row.open().unwrap_err().to_string();
        assert_eq!(error, "`program` of receiver \"page\" is not there");
    }
}
