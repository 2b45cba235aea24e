//! `quorate-collector`: holds the reports of all nodes of its clusters against each other.

pub mod fleet;
pub mod keeper;
pub mod keepers;
pub mod ledger;
pub mod peer;
pub mod query;
pub mod routes;

use std::process::ExitCode;

/// The program.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
