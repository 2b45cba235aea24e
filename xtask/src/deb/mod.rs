//! `cargo xtask deb`: the Debian packages, for Debian 12 and 13 (Proxmox VE 8 and 9) from one build on Debian 12.
//!
//! What is in them stands in `debian/`, the units in `systemd/`, the configurations in `packaging/`. Here the programs are built, and
//! debhelper puts them together.

mod installed;
mod packed;
mod programs;
mod release;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{record, shell};
use packed::Packed;

const OUT: &str = "target/deb";
/// What a package is made of, besides the programs.
const SOURCES: [&str; 3] = ["debian", "packaging", "systemd"];
const TOOLS: &[(&str, &str)] = &[
    ("dpkg-buildpackage", "dpkg-dev"),
    ("dh", "debhelper"),
    ("lintian", "lintian"),
    ("pkg-config", "pkg-config"),
];

/// Builds the Debian packages, and has lintian look at them
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Args {
    /// Packs the programs of the debug build: soon done, and not to be shipped
    #[arg(long)]
    debug: bool,
    /// Gives the packages another version than that of the changelog
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Installs, upgrades, removes and purges them in a plain Debian 12 and 13
    #[arg(long)]
    install: bool,
    /// Builds everything twice, in two folders, and compares the bytes
    #[arg(long, conflicts_with = "debug")]
    twice: bool,
    /// Keeps sizes and results in docs/measured
    #[arg(long, conflicts_with = "debug")]
    record: bool,
}

impl Args {
    /// What every change is held against.
    pub(crate) fn short() -> Self {
        Self {
            debug: true,
            install: true,
            ..Self::default()
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let release = release::this()?;
    shell::need(TOOLS)?;
    println!("{}", release.fits());
    let out = Path::new(OUT);
    let packed = build(args, &out.join("work"), out)?;
    let mut lines = packed.iter().map(ToString::to_string).collect::<Vec<_>>();
    lines.push(lintian(&packed)?);
    if args.twice {
        let again = build(args, &out.join("again/work"), &out.join("again"))?;
        lines.push(packed::compare(&packed, &again)?);
    }
    if args.install {
        installed::check(args)?;
        lines.push("installed, upgraded, removed and purged on Debian 12 and 13".to_owned());
    }
    let result = lines.join("\n");
    println!("{result}");
    if !args.debug {
        packed.iter().try_for_each(Packed::check_size)?;
    }
    if args.record {
        let twice = if args.twice { " --twice" } else { "" };
        record::keep("deb", &format!("cargo xtask deb{twice}"), &result)?;
    }
    Ok(())
}

/// Packages of what is built below `work`, put into `out`.
fn build(args: &Args, work: &Path, out: &Path) -> Result<Vec<Packed>> {
    let built = if args.debug {
        programs::debug()?
    } else {
        programs::shipped(&work.join("target"))?
    };
    let manual = work.join("manual");
    programs::manual(&manual)?;
    let source = copy_sources(&work.join("source"))?;
    if let Some(version) = &args.version {
        rename_version(&source.join("debian/changelog"), version)?;
    }
    let mut pack = Command::new("dpkg-buildpackage");
    // Rust is not Debian's own, so that it cannot be looked up as a build dependency; the libraries are checked by the link.
    pack.args(["--build=binary", "--no-sign", "--no-check-builddeps", "-tc"])
        .current_dir(&source)
        .env("DEB_BUILD_OPTIONS", "noautodbgsym")
        .env("QUORATE_BUILT", built.canonicalize()?)
        .env("QUORATE_MANUAL", manual.canonicalize()?);
    shell::output(&mut pack)?;
    packed::take(work, out)
}

fn copy_sources(to: &Path) -> Result<PathBuf> {
    if to.exists() {
        std::fs::remove_dir_all(to).with_context(|| format!("cannot empty {}", to.display()))?;
    }
    std::fs::create_dir_all(to)?;
    let mut copy = Command::new("cp");
    shell::run(copy.arg("-a").args(SOURCES).arg(to))?;
    Ok(to.to_owned())
}

/// The first line of the changelog is what dpkg takes the version from.
fn rename_version(changelog: &Path, version: &str) -> Result<()> {
    let text = std::fs::read_to_string(changelog)?;
    let (_, after) = text
        .split_once(") ")
        .context("debian/changelog has no version")?;
    Ok(std::fs::write(
        changelog,
        format!("quorate ({version}) {after}"),
    )?)
}

fn lintian(packed: &[Packed]) -> Result<String> {
    let mut lintian = Command::new("lintian");
    lintian
        .args(["--fail-on", "error,warning", "--tag-display-limit", "0"])
        .args(packed.iter().map(|one| &one.path));
    let output = lintian.output().context("cannot run lintian")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "lintian finds:\n{said}");
    Ok("lintian: no errors, no warnings".to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn packages_have_the_version_of_the_programs() {
        let changelog = include_str!("../../../debian/changelog");
        let expected = format!("quorate ({}) ", env!("CARGO_PKG_VERSION"));
        assert!(changelog.starts_with(&expected), "{changelog}");
    }
}
