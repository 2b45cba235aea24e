//! How the program ends: exit codes, and errors in words.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write as _};

use serde::Serialize;
use settings::systemd::{Level, for_journal};

/// The exit code where there is no answer, or nothing was done: as monitoring plugins say UNKNOWN.
pub(crate) const NO_ANSWER: u8 = 3;
/// The exit code of wrong flags (sysexits.h: EX_USAGE).
pub(crate) const USAGE: u8 = 64;

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
   0  it was done; `run` was told to end
   3  it was not done, or there is no answer
  64  wrong usage";

/// An error with all that it comes from.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(deeper) = source {
        text.push_str(": ");
        text.push_str(&deeper.to_string());
        source = deeper.source();
    }
    text
}

/// Says an error on standard error.
pub(crate) fn complain(why: impl Display) {
    let line = format!("error: {why}");
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "{}", for_journal(Level::Error, line));
}

/// Says on standard error how far it is.
pub(crate) fn note(what: impl Display) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "{what}");
}

/// Prints a text as it is.
pub(crate) fn print(text: impl Display) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // A reader that has gone (`| head -1`) knows.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("the output cannot be written"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(serde_json::to_string_pretty(value)?)
}
