//! What the person who looks on sees: a word on what happens, the command that anybody would type, and its real answer.

use std::io::IsTerminal as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Scene;

#[derive(Debug)]
pub(super) struct Screen {
    pause: Duration,
    is_terminal: bool,
}

impl Screen {
    pub(super) fn new(pause: Duration) -> Self {
        Self {
            pause,
            is_terminal: std::io::stdout().is_terminal(),
        }
    }

    pub(super) fn say(&self, words: &str) {
        println!("\n{}", self.bold(&format!("== {words}")));
    }

    /// Runs the command, and shows it with what it answers; whatever it answers is an answer.
    pub(super) fn show(&self, scene: &dyn Scene, words: &[&str]) -> Result<()> {
        println!("\n{}", self.bold(&format!("$ quorate {}", words.join(" "))));
        let status = scene.ask(words)?.status().context("cannot run quorate")?;
        println!("(exit code {})", status.code().unwrap_or_default());
        thread::sleep(self.pause);
        Ok(())
    }

    /// The message as a chat shows it.
    pub(super) fn chat(&self, message: &Value) {
        let text = |path: &str| message.pointer(path).and_then(Value::as_str);
        println!("\n  | {}", self.bold(text("/headline").unwrap_or_default()));
        for (label, path) in [
            ("quorum", "/quorum"),
            ("seen", "/evidence/0"),
            ("seen", "/evidence/1"),
            ("do", "/remedy"),
        ] {
            if let Some(words) = text(path).filter(|words| !words.is_empty()) {
                println!("  | {label}: {words}");
            }
        }
        thread::sleep(self.pause);
    }

    fn bold(&self, words: &str) -> String {
        if self.is_terminal {
            format!("\u{1b}[1m{words}\u{1b}[0m")
        } else {
            words.to_owned()
        }
    }
}
