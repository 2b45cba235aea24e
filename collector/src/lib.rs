//! `quorate-collector`: holds the reports of all nodes of its clusters against each other.

pub mod peer;

use std::process::ExitCode;

pub mod keeper;
pub mod ledger;

/// The program.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
