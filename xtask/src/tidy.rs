//! What no lint can see: the direction of dependencies, what the brain may touch, and how long a file may be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::shell;

/// Crate -> the workspace's crates that it may depend on.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("quorate-model", &[]),
    ("quorate-settings", &[]),
    ("quorate-proto", &["quorate-model"]),
    (
        "quorate-agent",
        &["quorate-model", "quorate-proto", "quorate-settings"],
    ),
    (
        "quorate-collector",
        &["quorate-model", "quorate-proto", "quorate-settings"],
    ),
    ("quorate", &["quorate-model", "quorate-proto"]),
    (
        "quorate-manual",
        &["quorate", "quorate-agent", "quorate-collector"],
    ),
    (
        "quorate-tests",
        &[
            "quorate-model",
            "quorate-proto",
            "quorate-agent",
            "quorate-collector",
            "quorate",
        ],
    ),
    ("xtask", &["quorate-model", "quorate-tests"]),
];
/// All that the model may depend on: nothing that can touch the world.
const MODEL_DEPENDENCIES: &[&str] = &[
    "jiff",
    "serde",
    "serde_json",
    "serde_path_to_error",
    "thiserror",
];
const FORBIDDEN_IN_MODEL: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "tokio",
];
const MOST_LINES: usize = 500;

pub(crate) fn check() -> Result<()> {
    check_directions()?;
    for path in rust_files()? {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        check_model(&path, &text)?;
        check_length(&path, &text)?;
    }
    Ok(())
}

fn check_directions() -> Result<()> {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .context("cannot read the workspace")?;
    let ours: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let allowed = DIRECTIONS
            .iter()
            .find(|(of, _)| *of == name)
            .map(|(_, allowed)| *allowed);
        let allowed = allowed
            .with_context(|| format!("{name} is new: say in xtask/src/tidy.rs what it may use"))?;
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            ensure!(
                !ours.contains(used) || allowed.contains(&used),
                "{name} depends on {used}: dependencies flow model, settings <- proto <- agent, collector, cli <- tests"
            );
            ensure!(
                name != "quorate-model"
                    || dependency.kind != DependencyKind::Normal
                    || MODEL_DEPENDENCIES.contains(&used),
                "the model depends on {used}: it may use {}",
                MODEL_DEPENDENCIES.join(", ")
            );
        }
    }
    Ok(())
}

fn check_model(path: &Path, text: &str) -> Result<()> {
    if !path.starts_with("model/src") {
        return Ok(());
    }
    for (index, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let found = FORBIDDEN_IN_MODEL.iter().find(|word| code.contains(*word));
        ensure!(
            found.is_none(),
            "{}:{}: {} has no place in the model, which does no I/O",
            path.display(),
            index + 1,
            found.copied().unwrap_or_default()
        );
    }
    Ok(())
}

/// Tests below the code do not count, nor do files of tests alone, nor what no person writes.
fn check_length(path: &Path, text: &str) -> Result<()> {
    let is_free = path
        .iter()
        .any(|part| part == "tests" || part == "tests.rs" || part == "generated");
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .count();
    ensure!(
        is_free || lines <= MOST_LINES,
        "{} has {lines} lines without its tests; split it by what it speaks of ({MOST_LINES} are the most)",
        path.display()
    );
    Ok(())
}

fn rust_files() -> Result<Vec<PathBuf>> {
    let mut git = std::process::Command::new("git");
    let listed = shell::output(git.args(["ls-files", "*.rs"]))?;
    Ok(listed
        .lines()
        .map(PathBuf::from)
        .filter(|path| path.exists())
        .collect())
}
