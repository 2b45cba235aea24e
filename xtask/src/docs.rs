//! Prose that no test reads goes stale: every link and every file named in the docs must be there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::shell;

pub(crate) fn check() -> Result<()> {
    let listed = shell::output(Command::new("git").args(["ls-files", "*.md"]))?;
    for path in listed
        .lines()
        .map(PathBuf::from)
        .filter(|path| path.exists())
    {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let dir = path.parent().unwrap_or(Path::new(""));
        for target in links(&text) {
            ensure!(
                dir.join(target).exists(),
                "{} links to {target}, which is not there",
                path.display()
            );
        }
        for named in named_files(&text) {
            ensure!(
                Path::new(named).exists() || dir.join(named).exists(),
                "{} names {named}, which is not there",
                path.display()
            );
        }
    }
    let readme = std::fs::read_to_string("README.md").context("cannot read README.md")?;
    ensure!(
        readme.contains("cargo xtask test"),
        "README.md does not name the test command"
    );
    Ok(())
}

/// The targets of `[text](target)` that are files here.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
}

/// Words in backquotes that name a source file or a page: `model/src/quorum/voter.rs`, `docs/capture.md`.
fn named_files(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|word| {
        let is_ours = [
            "model/",
            "settings/",
            "agent/",
            "cli/",
            "xtask/",
            "docs/",
            "fuzz/",
            "tests/",
        ]
        .iter()
        .any(|dir| word.starts_with(dir));
        is_ours && !word.contains(['*', '<', ' ', '{', '…']) && !word.contains("NAME")
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use quorate_tests::documents::{hold_against, mentions};

    #[test]
    fn every_task_that_a_document_names_is_one_that_there_is() {
        let xtask = crate::Cli::command();
        let workspace = super::Path::new(env!("CARGO_MANIFEST_DIR"));
        let named = mentions(workspace.parent().unwrap(), "cargo").unwrap();
        let tasks = named
            .iter()
            .filter_map(|(place, words)| Some((place, words.strip_prefix("xtask ")?)));
        let mut count = 0;
        for (place, words) in tasks {
            count += 1;
            hold_against(&xtask, words).unwrap_or_else(|lack| panic!("{place}: {lack}"));
        }
        assert!(count > 20, "only {count} tasks were found");
    }
}
