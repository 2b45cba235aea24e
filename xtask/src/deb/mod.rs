//! `cargo xtask deb`: the Debian packages, for Debian 12 and 13 (Proxmox VE 8 and 9) from one build on Debian 12.
//!
//! What is in them stands in `debian/`, the units in `systemd/`, the configurations in `packaging/`. Here the programs are built, and
//! debhelper puts them together.

mod installed;
mod packed;
mod programs;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::release::Release;
use crate::{record, shell};
use packed::Packed;
use programs::Programs;

const OUT: &str = "target/deb";
/// What comes after this version.
pub(crate) const NEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "+next");
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
    /// Installs, upgrades, removes and purges them in a plain Debian 12 and 13; of those built on 13 in that alone
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

    /// What a kept result was made by. `--record` changes nothing of it, and does not go with `--debug`.
    fn command(&self) -> String {
        let mut words = vec!["cargo xtask deb".to_owned()];
        words.extend(self.version.iter().map(|to| format!("--version {to}")));
        let flags = [("--install", self.install), ("--twice", self.twice)];
        let given = flags.iter().filter(|(_, is_given)| *is_given);
        words.extend(given.map(|(flag, _)| (*flag).to_owned()));
        words.join(" ")
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let fits = Release::of_this_machine().fits()?;
    shell::need(TOOLS)?;
    println!("{fits}");
    let out = Path::new(OUT);
    let built = programs::build(args.debug, &out.join("work"))?;
    let version = args.version.as_deref();
    let packed = pack(&built, version, out)?;
    let mut lines = packed.iter().map(ToString::to_string).collect::<Vec<_>>();
    lines.push(lintian(&packed)?);
    if args.twice {
        let again = out.join("again");
        let built = programs::build(args.debug, &again.join("work"))?;
        let again = pack(&built, version, &again)?;
        lines.push(packed::compare(&packed, &again)?);
    }
    if args.install {
        let next = out.join("next");
        pack(&built, Some(NEXT), &next)?;
        lines.push(installed::check(out, &next)?);
    }
    let result = lines.join("\n");
    println!("{result}");
    if !args.debug {
        packed.iter().try_for_each(Packed::check_size)?;
    }
    if args.record {
        record::keep("deb", &args.command(), &result)?;
    }
    Ok(())
}

/// The packages of the debug build, of this version and of the next one: the same programs under two numbers.
pub(crate) fn debug_and_next(out: &Path) -> Result<[Vec<PathBuf>; 2]> {
    Release::of_this_machine().fits()?;
    shell::need(TOOLS)?;
    let built = programs::build(true, &out.join("work"))?;
    let paths = |packed: Vec<Packed>| packed.into_iter().map(|one| one.path).collect();
    Ok([
        paths(pack(&built, None, out)?),
        paths(pack(&built, Some(NEXT), &out.join("next"))?),
    ])
}

/// Packages of these programs, put into `out`; `version` is another one than that of the changelog.
fn pack(built: &Programs, version: Option<&str>, out: &Path) -> Result<Vec<Packed>> {
    let work = out.join("work");
    let source = copy_sources(&work.join("source"))?;
    if let Some(version) = version {
        rename_version(&source.join("debian/changelog"), version)?;
    }
    let mut pack = Command::new("dpkg-buildpackage");
    // Rust is not Debian's own, so that it cannot be looked up as a build dependency; the libraries are checked by the link.
    pack.args(["--build=binary", "--no-sign", "--no-check-builddeps", "-tc"])
        .current_dir(&source)
        .env("DEB_BUILD_OPTIONS", "noautodbgsym")
        .env("QUORATE_BUILT", &built.dir)
        .env("QUORATE_MANUAL", &built.manual);
    shell::output(&mut pack)?;
    packed::take(&work, out)
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
    use super::*;

    #[test]
    fn what_is_kept_names_all_that_was_asked_for() {
        let plain = Args::default();
        assert_eq!(plain.command(), "cargo xtask deb");
        let all = Args {
            install: true,
            twice: true,
            record: true,
            version: Some("0.2.0".to_owned()),
            ..plain
        };
        assert_eq!(
            all.command(),
            "cargo xtask deb --version 0.2.0 --install --twice"
        );
    }

    #[test]
    fn packages_have_the_version_of_the_programs() {
        let changelog = include_str!("../../../debian/changelog");
        let expected = format!("quorate ({}) ", env!("CARGO_PKG_VERSION"));
        assert!(changelog.starts_with(&expected), "{changelog}");
    }
}
