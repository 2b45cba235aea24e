//! `quorate-collector`: holds the reports of all nodes of its clusters against each other.

pub mod addresses;
mod answer;
pub mod enrol;
mod failures;
pub mod gate;
pub mod identity;
pub mod keeper;
pub mod ledger;
pub mod peer;
pub mod refusal;
pub mod renew;
pub mod role;
mod screen;
pub mod serve;
pub mod tls;
mod watch;

use std::process::ExitCode;

/// The program.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
