//! How the program ends: exit codes, and errors in words.

use std::io::{self, Write as _};

use settings::systemd::{Level, for_journal};

/// The exit code where there is no answer: as monitoring plugins say UNKNOWN.
pub(crate) const NO_ANSWER: u8 = 3;
/// The exit code of wrong flags (sysexits.h: EX_USAGE).
pub(crate) const USAGE: u8 = 64;

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
   0  there is an answer: a report in which something is known, a capture
      that holds something; join, leave, guard-reboot: it is now so
   3  there is none: nothing could be read, DIR is missing or not fit, the
      output could not be written; join, leave, guard-reboot: it is not so
  64  wrong usage";

/// Says an error on standard error.
pub(crate) fn complain(why: &str) {
    let line = format!("error: {why}");
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "{}", for_journal(Level::Error, line));
}

/// Says why the output could not be written; a reader that has gone (`| head -1`) knows.
pub(crate) fn complain_of_output(error: &io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe {
        complain(&format!("the output cannot be written: {error}"));
    }
}
