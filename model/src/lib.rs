//! The brain of Quorate: what a node can tell us, how to read it from text, and what corosync would do.
//!
//! The promise of this crate: no I/O, no clock, no async, no randomness, no globals. Text comes in as `&str`,
//! facts go out; unknown is a value and never good news. `docs/architecture.md` lists the invariants, and
//! `cargo xtask test` refuses code here that breaks them.

pub mod identity;
pub mod name;
pub mod pattern;
pub mod reading;
pub mod text;
pub mod word;

pub mod fact;
pub mod parse;
pub mod report;

pub mod change;
pub mod fleet;
pub mod measure;

pub mod quorum;

pub mod alert;
pub mod cluster;
pub mod finding;
pub mod incident;
pub mod rule;

pub mod glance;
pub mod history;

pub mod risks;
pub mod topology;
pub mod whatif;

pub mod gate;
pub mod lease;
