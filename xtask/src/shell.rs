//! Running other programs, and installing what is missing.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::release::Release;

/// Runs a command with its output shown; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let words = describe(command);
    let status = command
        .status()
        .with_context(|| format!("cannot run {words}"))?;
    ensure!(status.success(), "{words} failed: {status}");
    Ok(())
}

/// Runs a command and gives what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let words = describe(command);
    let output = command
        .output()
        .with_context(|| format!("cannot run {words}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{words} failed: {}: {said}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Every program of the workspace in the debug build, into target/debug. All at once, as the tests are built too: a part of the workspace
/// has other features of what is common, and would compile it again.
pub(crate) fn build_programs() -> Result<()> {
    let mut build = Command::new("cargo");
    run(build.args(["build", "--locked", "--workspace", "--bins"]))
        .context("the programs cannot be built")
}

pub(crate) fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|arg| arg.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

/// Is this program on the PATH?
pub(crate) fn have(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", "command -v \"$0\" >/dev/null", program])
        .status()
        .is_ok_and(|status| status.success())
}

pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Does pkg-config know this C library?
fn have_library(name: &str) -> bool {
    Command::new("pkg-config")
        .args(["--exists", name])
        .status()
        .is_ok_and(|status| status.success())
}

/// Can Python load this module?
fn have_python_module(name: &str) -> bool {
    let mut python = Command::new("python3");
    let loaded = python.args(["-c", &format!("import {name}")]).output();
    loaded.is_ok_and(|output| output.status.success())
}

/// Sees to it that each (program or its path, Debian package) is there: installs it where it may, says what is needed
/// where not.
pub(crate) fn need(programs: &[(&str, &str)]) -> Result<()> {
    install_missing(programs, have)
}

/// The same for (C library as pkg-config calls it, Debian package).
pub(crate) fn need_libraries(libraries: &[(&str, &str)]) -> Result<()> {
    need(&[("pkg-config", "pkg-config")])?;
    install_missing(libraries, have_library)
}

/// The same for (module of Python, Debian package).
pub(crate) fn need_python_modules(modules: &[(&str, &str)]) -> Result<()> {
    install_missing(modules, have_python_module)
}

fn install_missing(wanted: &[(&str, &str)], have_it: impl Fn(&str) -> bool) -> Result<()> {
    let mut missing: Vec<&str> = wanted
        .iter()
        .filter(|(name, _)| !have_it(name))
        .map(|(_, package)| *package)
        .collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)?;
    match wanted.iter().find(|(name, _)| !have_it(name)) {
        None => Ok(()),
        Some((name, package)) => bail!("{package} is installed, but there is no {name}"),
    }
}

fn install(missing: &[&str]) -> Result<()> {
    let packages = missing.join(" ");
    let hint = Release::of_this_machine().hint();
    ensure!(
        have("apt-get"),
        "these Debian packages are missing, and there is no apt-get to install them with: {packages}.{hint}"
    );
    ensure!(
        is_root(),
        "these Debian packages are missing: {packages}. Root can install them: sudo apt-get install {packages}.{hint}"
    );
    println!("installing {packages}");
    // One source of several that cannot be reached may not be needed: what counts is whether they can be installed.
    let _ = run(Command::new("apt-get").args(["-qq", "update"]));
    let mut install = Command::new("apt-get");
    install.args(["-qq", "-y", "--no-install-recommends", "install"]);
    install.args(missing);
    if let Err(error) = run(install.env("DEBIAN_FRONTEND", "noninteractive")) {
        bail!(
            "these Debian packages cannot be installed: {packages} ({error}). apt-get says why, above. Where there is no network, \
             install them in another way and run this again.{hint}"
        );
    }
    Ok(())
}

/// The cache of what is slow to build, outside the tree.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("QUORATE_CACHE") {
        return Ok(PathBuf::from(dir));
    }
    let home = std::env::var_os("HOME").context("neither QUORATE_CACHE nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cache/quorate"))
}

/// A tool from the Rust registry at exactly this version, built once.
pub(crate) fn cargo_tool(name: &str, version: &str) -> Result<PathBuf> {
    let dir = cache_dir()?.join("tools").join(format!("{name}-{version}"));
    let binary = dir.join("bin").join(name);
    if !binary.is_file() {
        println!("building {name} {version} (once)");
        let mut install = Command::new("cargo");
        install.args([
            "install",
            "--quiet",
            "--locked",
            "--version",
            version,
            "--root",
        ]);
        run(install.arg(&dir).arg(name)).with_context(|| format!("cannot install {name}"))?;
    }
    Ok(binary)
}
