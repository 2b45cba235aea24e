//! The programs, and their manual.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell;

/// Package, profile: the agent has a profile of its own, which keeps it small.
const SHIPPED: [(&str, &str); 3] = [
    ("quorate-agent", "agent"),
    ("quorate-collector", "release"),
    ("quorate", "release"),
];

/// Where they are, and the folder with their manual pages and completions.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) dir: PathBuf,
    pub(super) manual: PathBuf,
}

/// Builds them once; they can be packed under any number.
pub(super) fn build(is_debug: bool, work: &Path) -> Result<Programs> {
    let dir = if is_debug {
        debug()?
    } else {
        shipped(&work.join("target"))?
    };
    let manual = work.join("manual");
    write_manual(&manual)?;
    Ok(Programs {
        dir: dir.canonicalize()?,
        manual: manual.canonicalize()?,
    })
}

fn debug() -> Result<PathBuf> {
    shell::build_programs()?;
    Ok(PathBuf::from("target/debug"))
}

/// Built so that nothing of this machine is in them: where the sources lay would be in every message of a panic.
fn shipped(target: &Path) -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let cargo_home = cargo_home()?;
    let remap = [
        (here.as_path(), "/usr/src/quorate"),
        (cargo_home.as_path(), "/usr/src/cargo"),
    ];
    let rust: Vec<String> = remap
        .iter()
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
        .collect();
    let c: Vec<String> = remap
        .iter()
        .map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display()))
        .collect();
    let programs = target.join("programs");
    std::fs::create_dir_all(&programs)?;
    for (package, profile) in SHIPPED {
        println!("building {package} as it is shipped");
        let mut build = Command::new("cargo");
        build
            .args([
                "build",
                "--locked",
                "--quiet",
                "-p",
                package,
                "--profile",
                profile,
            ])
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}"))
            .env("CFLAGS", c.join(" "));
        shell::run(&mut build)?;
        let built = target.join(profile).join(package);
        std::fs::copy(&built, programs.join(package))
            .with_context(|| format!("there is no {}", built.display()))?;
    }
    Ok(programs)
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(PathBuf::from(home));
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cargo"))
}

/// Pages and completions say what the programs say, by whichever profile they were built.
fn write_manual(dir: &Path) -> Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }
    std::fs::create_dir_all(dir)?;
    // Not `cargo run -p`: alone it would compile all programs once more, with fewer features of what is common.
    shell::build_programs()?;
    let mut write = Command::new("target/debug/quorate-manual");
    shell::run(write.arg(dir))
}
