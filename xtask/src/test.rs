//! `cargo xtask test`: everything that must hold before a change lands, in the order of what fails soonest.
//!
//! The long checks run about a tenth of their volume here; docs/testing.md names the commands of the full volume.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::{deny, docs, fuzz, generate, lab, oracle, shell, tidy};

/// Runs every check: format, lints, tests, docs, directions, oracle, fuzzers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leaves out what needs root or a long time: the oracle, the fuzzers, the lab machine and the licences
    #[arg(long)]
    quick: bool,
}

/// A tenth of the 500 that `cargo xtask oracle` plays.
const ORACLE_CASES: u64 = 50;
const FUZZ_SECONDS: u64 = 3;
/// A tenth of the 20 that `cargo xtask lab power` makes.
const POWER_CUTS: u32 = 2;
/// What the agent is linked against.
const LIBRARIES: &[(&str, &str)] = &[
    ("libcmap", "libcmap-dev"),
    ("libquorum", "libquorum-dev"),
    ("libvotequorum", "libvotequorum-dev"),
    ("libcfg", "libcfg-dev"),
    ("libcpg", "libcpg-dev"),
];
/// What the tests run: the rack, and the real counterparts of the agent's sources.
const PROGRAMS: &[(&str, &str)] = &[
    ("corosync", "corosync"),
    ("corosync-qdevice", "corosync-qdevice"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("ps", "procps"),
    ("lldpd", "lldpd"),
    ("openssl", "openssl"),
