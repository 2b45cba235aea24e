//! The agent's own log is standard error. Where that is the journal, the line begins with its level (sd-daemon(3)) and
//! the unit names who speaks; everywhere else the line says both itself.

use std::sync::LazyLock;

use settings::systemd::{Level, is_journal, with_level};

/// It does not change while the program runs.
static IS_JOURNAL: LazyLock<bool> = LazyLock::new(is_journal);

/// What is as it should be.
pub(crate) fn say(line: &str) {
    log(Level::Info, line);
}

/// What somebody should look at; the agent goes on.
pub(crate) fn warn(line: &str) {
    log(Level::Warning, line);
}

#[allow(clippy::print_stderr)]
fn log(level: Level, line: &str) {
    if *IS_JOURNAL {
        eprintln!("{}", with_level(level, line));
    } else {
        eprintln!("quorate-agent: {line}");
    }
}
