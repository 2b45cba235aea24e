//! What became of a silence or an acknowledgement at the terminal: its exit code and its words.

use std::process::ExitCode;

use proto::v1;
use serde::Serialize;

use crate::client::NoAnswer;
use crate::show::{BAD, GOOD};
use crate::{answer, exit, show};

/// It is not done, and would not be if it were asked for again.
const REFUSED: u8 = 2;

/// As the collector writes it.
#[derive(Serialize)]
struct Unknown<'a> {
    outcome: &'static str,
    sentence: &'a str,
    silence: Option<()>,
    acknowledgement: Option<()>,
}

pub(crate) fn give(asked: Result<v1::AlertAnswer, NoAnswer>, is_json: bool) -> ExitCode {
    let (code, text) = match asked {
        Ok(answer) if is_json => (code(&answer), answer.json + "\n"),
        Ok(answer) => (code(&answer), told(&answer, show::width())),
        Err(error) => (exit::UNKNOWN, unknown(&error, is_json)),
    };
    answer::give_with(code, &text)
}

/// Whatever is not one of the other two is UNKNOWN.
fn code(answer: &v1::AlertAnswer) -> u8 {
    match answer.outcome() {
        v1::Outcome::Done => 0,
        v1::Outcome::Refused => REFUSED,
        v1::Outcome::Unknown | v1::Outcome::Unspecified => exit::UNKNOWN,
    }
}

fn told(answer: &v1::AlertAnswer, width: Option<usize>) -> String {
    let (word, style) = match answer.outcome() {
        v1::Outcome::Done => ("DONE", GOOD),
        v1::Outcome::Refused => ("REFUSED", BAD),
        v1::Outcome::Unknown | v1::Outcome::Unspecified => ("UNKNOWN", BAD),
    };
    let line = format!("{word} - {}", show::foreign(&answer.sentence));
    let wrapped = show::wrap(&line, 2, width);
    format!("{style}{}{style:#}\n", wrapped.trim_end())
}

fn unknown(error: &NoAnswer, is_json: bool) -> String {
    let why = show::foreign(&show::with_causes(error));
    if is_json {
        return answer::to_line(&Unknown {
            outcome: "unknown",
            sentence: &why,
            silence: None,
            acknowledgement: None,
        });
    }
    format!("UNKNOWN - {why}\n")
}
