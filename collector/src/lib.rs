//! `quorate-collector`: holds the reports of all nodes of its clusters against each other.

use std::process::ExitCode;

/// The program.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
