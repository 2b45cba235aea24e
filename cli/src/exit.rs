//! Exit codes, in the manner of monitoring plugins: there is no way to get 0 without an answer.

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// No answer could be given.
pub(crate) const UNKNOWN: u8 = 3;
/// The command line is wrong (EX_USAGE). clap's own 2 would read as NO-GO.
pub(crate) const USAGE: u8 = 64;

/// Help and versions are no answer: a script that asks `quorate check --help pve-03` must not go on. Only the two
/// words `quorate --help` (or `--version`) can mean nothing else, and exit 0.
pub(crate) fn of_parsing(error: &clap::Error, words: usize) -> ExitCode {
    // If it cannot be printed, the code still tells.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if words == 2 => ExitCode::SUCCESS,
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::from(UNKNOWN),
        _ => ExitCode::from(USAGE),
    }
}

/// A panic is no answer.
pub(crate) fn say_panics_in_a_line() {
    // One line that can be reported; the backtrace of the default hook would say nothing to an operator.
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(
            anstream::stderr(),
            "error: a bug, please report it: {panic}"
        );
    }));
}

pub(crate) fn after_panic() -> ExitCode {
    ExitCode::from(UNKNOWN)
}
