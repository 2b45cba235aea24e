//! Installs, upgrades, removes and purges the packages in a plain Debian of each release that they are for: the steps are in
//! `xtask/deb/installed.sh`.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::release::Release;
use crate::shell;

const RECIPE: &str = "xtask/deb/build-base.sh";
const STEPS: &str = "xtask/deb/installed.sh";

/// Tries the packages in `this`, with those in `next` as the version after them; says where.
pub(super) fn check(this: &Path, next: &Path) -> Result<String> {
    ensure!(
        shell::is_root(),
        "only root can make the root of a Debian to install the packages in: run this with sudo"
    );
    shell::need(&[("mmdebstrap", "mmdebstrap"), ("unshare", "util-linux")])?;
    let runners = Release::of_this_machine().runners();
    let newest =
        "these packages are for a Debian that is newer than all that there is a plain one of here";
    ensure!(!runners.is_empty(), newest);
    for (_, suite) in &runners {
        println!("installing them on {suite}");
        let base = base(suite)?;
        let dir = tempfile::tempdir().context("a directory for a Debian")?;
        let root = dir.path();
        let mut unpack = Command::new("tar");
        shell::run(unpack.arg("-xf").arg(&base).arg("-C").arg(root))?;
        put(this, &root.join("packages/one"))?;
        put(next, &root.join("packages/two"))?;
        fs::copy(STEPS, root.join("packages/installed.sh"))?;
        shell::run(&mut inside(root))?;
    }
    let numbers: Vec<String> = runners
        .iter()
        .map(|(number, _)| number.to_string())
        .collect();
    let numbers = numbers.join(" and ");
    Ok(format!(
        "installed, upgraded, removed and purged on Debian {numbers}"
    ))
}

/// Runs the steps in the root, with a /proc of its own; whatever they start or mount ends with them.
fn inside(root: &Path) -> Command {
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--pid", "--ipc", "--uts", "--net", "--fork"]);
    inside.arg("--mount-proc").arg("--kill-child");
    inside.arg("--root").arg(root);
    inside.args(["/bin/sh", "/packages/installed.sh"]);
    inside.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    inside
}

fn put(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for path in super::packed::packages(from)? {
        let name = path.file_name().context("a package has no name")?;
        fs::copy(&path, to.join(name))?;
    }
    Ok(())
}

/// Built once for each recipe.
fn base(suite: &str) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(RECIPE).with_context(|| format!("cannot read {RECIPE}"))?);
    let dir = shell::cache_dir()?.join("bases");
    let tar = dir.join(format!("{suite}-{:016x}.tar", hasher.finish()));
    if !tar.is_file() {
        println!("building a plain {suite} (once)");
        fs::create_dir_all(&dir)?;
        shell::run(Command::new(RECIPE).arg(suite).arg(&tar))?;
    }
    Ok(tar)
}
