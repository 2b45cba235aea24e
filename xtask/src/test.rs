//! `cargo xtask test`: everything that must hold before a change lands, in the order of what fails soonest.
//!
//! The long checks run about a tenth of their volume here; docs/testing.md names the commands of the full volume.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::{deb, demo, deny, docs, fuzz, generate, lab, oracle, shell, tidy};

/// Runs every check: format, lints, tests, docs, directions, oracle, fuzzers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leaves out what needs root or a long time: the demo, the oracle, the fuzzers, the lab machine, the licences and the packages
    #[arg(long)]
    quick: bool,
}

/// A tenth of the 500 that `cargo xtask oracle` plays.
const ORACLE_CASES: u64 = 50;
const FUZZ_SECONDS: u64 = 3;
/// A tenth of the 20 that `cargo xtask lab power` makes.
const POWER_CUTS: u32 = 2;
/// What the agent is linked against.
pub(crate) const LIBRARIES: &[(&str, &str)] = &[
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
    ("mkfs.ext4", "e2fsprogs"),
    ("ps", "procps"),
    ("lldpd", "lldpd"),
    ("python3", "python3"),
    ("curl", "curl"),
    ("dbus-daemon", "dbus-daemon"),
    ("openssl", "openssl"),
    ("systemd-analyze", "systemd"),
    ("ovs-vswitchd", "openvswitch-switch"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    (
        "/lib/systemd/systemd-journal-remote",
        "systemd-journal-remote",
    ),
];

/// What the programs in Python (a client, Ansible, a mail server, a homeserver) are installed with.
const PYTHON_MODULES: &[(&str, &str)] = &[("venv", "python3-venv"), ("ensurepip", "python3-venv")];

pub(crate) fn run(args: &Args) -> Result<()> {
    let begun = Instant::now();
    section("packages", || {
        shell::need_libraries(LIBRARIES)?;
        shell::need(PROGRAMS)?;
        shell::need_python_modules(PYTHON_MODULES)
    })?;
    section("format", || cargo(&["fmt", "--all", "--check"]))?;
    section("tidy", tidy::check)?;
    section("links in the docs", docs::check)?;
    section("generated code of the wire", generate::check)?;
    let lints = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    section("lints", || cargo(&lints))?;
    section("documentation of the code", || {
        let mut doc = Command::new("cargo");
        doc.args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--locked",
        ]);
        // Private items are documented too, so a link to one leads somewhere.
        let flags = "-D warnings -A rustdoc::private-intra-doc-links";
        shell::run(doc.env("RUSTDOCFLAGS", flags))
    })?;
    // The rack runs the agent's binary, which `cargo test` alone would not build anew.
    section("binaries", || cargo(&["build", "--workspace", "--locked"]))?;
    section("tests", || cargo(&["test", "--workspace", "--locked"]))?;
    if args.quick {
        println!(
            "\nleft out: the demo, licences, Debian packages, oracle, fuzzers, lab machine (run without --quick)"
        );
    } else {
        section("demo", || demo::run(&demo::Args::short(false)))?;
        section("demo without root", || demo::run(&demo::Args::short(true)))?;
        section("licences and doubles", deny::check)?;
        section("Debian packages", || deb::run(&deb::Args::short()))?;
        section("oracle", || oracle::run(&oracle::Args::short(ORACLE_CASES)))?;
        section("fuzzers", || fuzz::run(&fuzz::Args::short(FUZZ_SECONDS)))?;
        section("lab machine", || lab::agent(&lab::Agent::default()))?;
        section("power cuts", || lab::power(&lab::Power::short(POWER_CUTS)))?;
    }
    println!(
        "\nall checks passed in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

fn section(name: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n== {name}");
    let begun = Instant::now();
    check().with_context(|| format!("the check {name:?} failed"))?;
    println!(
        "== {name}: passed in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

fn cargo(args: &[&str]) -> Result<()> {
    shell::run(Command::new("cargo").args(args))
}
