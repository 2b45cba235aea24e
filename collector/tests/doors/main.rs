//! The collector's doors, over real TLS: who gets in, and who does not. Each refusal is held against its line in the
//! log, and against a good client that is not disturbed by it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod alerts;
mod ca;
mod enrolment;
mod fleetlock;
mod flood;
mod house;
mod program;
mod refusal;
mod roles;
mod speaking;
