//! A manual page for a program and for each of its commands.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Program;

const MANUAL: &str = "Quorate";
/// How the help of every program begins to tell of its exit codes.
const EXIT_CODES: &str = "Exit codes: ";

pub(crate) fn write_all(program: &Program, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut command = program.command.clone().disable_help_subcommand(true);
    command.build();
    write(program, &command, dir)
}

fn write(program: &Program, command: &Command, dir: &Path) -> Result<()> {
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        write(program, below, dir)?;
    }
    let man = Man::new(command.clone())
        .section(program.section)
        .source(format!("Quorate {}", env!("CARGO_PKG_VERSION")))
        .manual(MANUAL);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command
        .get_arguments()
        .any(|argument| !argument.is_hide_set())
    {
        man.render_options_section(&mut page)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    ending(program, command).to_writer(&mut page)?;
    let path = dir.join(man.get_filename());
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

/// What the help says last, and, for the program itself, its files.
fn ending(program: &Program, command: &Command) -> Roff {
    let mut roff = Roff::new();
    let help = command.get_after_long_help().or(command.get_after_help());
    if let Some(help) = help.map(ToString::to_string) {
        match help.strip_prefix(EXIT_CODES) {
            Some(codes) => roff.control("SH", ["EXIT STATUS"]).text([roman(codes)]),
            None => roff.control("SH", ["NOTES"]).text([roman(&help)]),
        };
    }
    let is_program = command.get_name() == program.command.get_name();
    if is_program && !program.files.is_empty() {
        roff.control("SH", ["FILES"]);
        for (path, what) in program.files {
            roff.control("TP", []);
            roff.text([bold(*path)]);
            roff.text([roman(*what)]);
        }
    }
    let above = format!("{}({})", program.command.get_name(), program.section);
    let see_also = if is_program { program.see_also } else { &above };
    roff.control("SH", ["SEE ALSO"]).text([roman(see_also)]);
    roff
}
