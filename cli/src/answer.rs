//! How an answer goes out: on standard output, with its exit code; and what is said where there is none.

use std::error::Error;
use std::io::ErrorKind;
use std::process::ExitCode;

use serde::Serialize;

use crate::{exit, show};

#[derive(Serialize)]
struct Failure<'a> {
    error: &'a str,
}

/// Prints it and exits 0; without one says why, as JSON too if that was asked for, and exits 3.
pub(crate) fn give(answer: Result<String, impl Error>, is_json: bool) -> ExitCode {
    match answer {
        Ok(text) if printed(&text) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(exit::UNKNOWN),
        Err(error) => {
            let why = show::with_causes(&error);
            show::complain(&why);
            if is_json {
                let _ = show::print(&to_line(&Failure { error: &why }));
            }
            ExitCode::from(exit::UNKNOWN)
        }
    }
}

/// Prints it and exits with its code. A GO that nobody could read is none.
pub(crate) fn give_with(code: u8, text: &str) -> ExitCode {
    ExitCode::from(if printed(text) { code } else { exit::UNKNOWN })
}

/// Whether it went out; if not, that is said.
fn printed(text: &str) -> bool {
    let printed = show::print(text);
    if let Err(error) = &printed {
        // Whoever closed the pipe knows; everything else is worth a word.
        if error.kind() != ErrorKind::BrokenPipe {
            show::complain(&format!("the answer cannot be written: {error}"));
        }
    }
    printed.is_ok()
}

/// One object in one line.
pub(crate) fn to_line(answer: &impl Serialize) -> String {
    // Plain numbers, words and lists: there is nothing in it that JSON could not hold.
    let line = serde_json::to_string(answer);
    line.unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}")) + "\n"
}
