//! The picture in README.md: what a terminal shows in the middle of the story, in colour, as an SVG.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anstyle_svg::Term;
use anyhow::{Context as _, Result, ensure};

use super::Scene;

const COLUMNS: u16 = 104;

/// What is taken, if anybody wants it drawn.
pub(super) struct Picture {
    file: Option<PathBuf>,
    shown: String,
}

impl Picture {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            shown: String::new(),
        }
    }

    /// What happens beside the terminal.
    pub(super) fn remark(&mut self, words: &str) {
        self.shown
            .push_str(&format!("\u{1b}[36m# {words}\u{1b}[0m\n\n"));
    }

    /// `quorate` with these words, as a terminal shows it: it has colours there, and a width.
    pub(super) fn take(&mut self, scene: &dyn Scene, words: &[&str]) -> Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        let output = at_a_terminal(&scene.ask(words)?).output();
        let output = output.context("cannot run script, of Debian's package bsdutils")?;
        let answer = String::from_utf8(output.stdout)?.replace('\r', "");
        ensure!(
            !answer.is_empty(),
            "quorate {} showed nothing",
            words.join(" ")
        );
        self.shown.push_str(&format!(
            "$ \u{1b}[1mquorate {}\u{1b}[0m\n{answer}\n",
            words.join(" ")
        ));
        Ok(())
    }

    pub(super) fn draw(&self) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let svg = Term::new().render_svg(self.shown.trim_end());
        fs::write(file, svg).with_context(|| format!("cannot write {}", file.display()))?;
        println!("drawn: {}", file.display());
        Ok(())
    }
}

fn at_a_terminal(asking: &Command) -> Command {
    let words = std::iter::once(asking.get_program()).chain(asking.get_args());
    let quoted = words.map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")));
    let line = quoted.collect::<Vec<_>>().join(" ");
    let mut script = Command::new("script");
    script.args(["--quiet", "--command"]);
    script.arg(format!("stty cols {COLUMNS} rows 60; exec {line}"));
    script.arg("/dev/null").env("TERM", "xterm-256color");
    for (name, value) in asking.get_envs() {
        if let Some(value) = value {
            script.env(name, value);
        }
    }
    script
}
