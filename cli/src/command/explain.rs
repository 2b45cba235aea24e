//! `quorate explain RULE`: the page of a rule, as it stands in docs/rules.

use std::fmt::Write as _;
use std::process::ExitCode;

use model::rule::{self, Rule};

use crate::show::HEAD;
use crate::{answer, show};

/// Explains a rule: what it means, what it rests on, what to do, and the way back
///
/// Without a rule, the names of all.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quorate explain
  quorate explain bond-degraded

Exit codes:
   0  here it is
   3  there is no rule of this name
  64  wrong usage")]
pub(crate) struct Args {
    /// As `quorate incidents` names it: bond-degraded
    #[arg(value_name = "RULE")]
    rule: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum NoPage {
    #[error("there is no rule {name:?}{}", similar(near))]
    Unknown {
        name: String,
        near: Vec<&'static str>,
    },
}

fn similar(near: &[&str]) -> String {
    match near {
        [] => "; `quorate explain` names all".to_owned(),
        near => format!("; near it: {}", near.join(", ")),
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let answer = match &args.rule {
        None => Ok(names()),
        Some(name) => page(name),
    };
    answer::give(answer, false)
}

fn names() -> String {
    let widest = rule::ALL.iter().map(|rule| rule.name.len()).max();
    let line = |rule: &Rule| {
        let width = widest.unwrap_or_default();
        let line = format!("{:width$}  {}", rule.name, rule.title());
        show::wrap(&line, width + 2, show::width())
    };
    rule::ALL.iter().map(line).collect()
}

fn page(name: &str) -> Result<String, NoPage> {
    let Some(rule) = rule::named(name) else {
        return Err(NoPage::Unknown {
            name: name.to_owned(),
            near: near(name),
        });
    };
    // What goes elsewhere is the page as it stands in docs/rules.
    let Some(width) = show::width() else {
        return Ok(rule.page.to_owned());
    };
    Ok(set(rule.page, width))
}

fn set(page: &str, width: usize) -> String {
    let width = Some(width);
    let mut text = String::new();
    for block in blocks(page) {
        match block.trim_start_matches('#') {
            head if head.len() < block.len() => {
                let _ = writeln!(
                    text,
                    "{HEAD}{}{HEAD:#}",
                    show::wrap(head.trim_start(), 0, width).trim_end()
                );
            }
            "" => text.push('\n'),
            _ => text.push_str(&show::wrap(&block, marker(&block), width)),
        }
    }
    text
}

/// The lines of the page as they are to be broken anew: what is one paragraph is one line.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in page.lines() {
        let goes_on = blocks.last().is_some_and(|last| {
            !last.is_empty() && !last.starts_with('#') && !line.is_empty() && !begins_anew(line)
        });
        match blocks.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.push(' ');
                last.push_str(line.trim_start());
            }
            None => blocks.push(line.to_owned()),
        }
    }
    blocks
}

fn begins_anew(line: &str) -> bool {
    line.starts_with('#') || marker(line) > 0
}

/// The rules of which one could have been meant.
fn near(name: &str) -> Vec<&'static str> {
    let likeness = |rule: &Rule| strsim::jaro_winkler(rule.name, name);
    let mut near: Vec<(f64, &str)> = rule::ALL
        .iter()
        .map(|rule| (likeness(rule), rule.name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    near.into_iter()
        .take(MOST_NEAR)
        .map(|(_, name)| name)
        .collect()
}

/// What is less alike (0 to 1) was not meant.
const ALIKE: f64 = 0.75;
const MOST_NEAR: usize = 3;

/// How long the mark of a list's item is: `1. `, `- `. Zero: it is none.
fn marker(line: &str) -> usize {
    let number = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let is_numbered = number.len() < line.len() && number.starts_with(". ");
    match line.starts_with("- ") {
        true => 2,
        false if is_numbered => line.len() - number.len() + 2,
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_is_not_there_names_those_near_it() {
        let error = page("bond-degradd").unwrap_err().to_string();
        assert!(
            error.starts_with("there is no rule \"bond-degradd\"; near it: bond-degraded, "),
            "{error}"
        );
        let error = page("xyz").unwrap_err().to_string();
        assert!(error.ends_with("`quorate explain` names all"), "{error}");
    }

    #[test]
    fn every_rule_has_a_line_and_a_page() {
        for rule in rule::ALL {
            assert!(names().contains(rule.name));
            assert!(page(rule.name).unwrap().contains("## What to do"));
            for width in [20, 80] {
                let text = anstream::adapter::strip_str(&set(rule.page, width)).to_string();
                assert!(
                    text.lines().all(|line| line.chars().count() <= width),
                    "{text}"
                );
                assert!(text.contains("\n\nWhat to do\n"), "{text}");
            }
        }
    }
}
