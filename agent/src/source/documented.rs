//! Holds docs/capture.md against the lists of commands and files.

use crate::source::{COMMANDS, FILES};

const PAGE: &str = include_str!("../../../docs/capture.md");

/// The first cells of the tables' rows, which are in backquotes.
fn rows() -> Vec<&'static str> {
    PAGE.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect()
}

#[test]
fn every_command_and_every_file_stands_in_the_page_and_no_other() {
    let mut known: Vec<String> = FILES
        .iter()
        .copied()
        .flatten()
        .map(|pattern| (*pattern).to_owned())
        .collect();
    let commands = COMMANDS.iter().copied().flatten();
    known.extend(commands.map(super::Command::capture_name));
    known.sort();
    let mut rows: Vec<String> = rows().into_iter().map(str::to_owned).collect();
    rows.sort();
    assert_eq!(rows, known);
}

#[test]
fn the_commands_are_written_as_they_are_run() {
    for command in COMMANDS.iter().copied().flatten() {
        let first_args: Vec<&str> = command
            .args
            .iter()
            .copied()
            .take_while(|arg| *arg != "-t")
            .collect();
        let said = format!("{} {}", command.program(), first_args.join(" "));
        let cell = format!("| `{}` | `{}`", command.capture_name(), said.trim());
        assert!(PAGE.contains(&cell), "{cell}");
    }
}

#[test]
fn no_name_of_an_output_is_too_long_for_a_file_system() {
    for command in COMMANDS.iter().copied().flatten() {
        assert!(command.capture_name().len() <= 255);
    }
}
