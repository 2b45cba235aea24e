//! `quorate explain RULE`: the page of a rule, as it stands in docs/rules.

use std::process::ExitCode;

use model::rule::{self, Rule};

use crate::{answer, show};

/// Explains a rule: what it means, what it rests on, what to do, and the way back
///
/// Without a rule, the names of all.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
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
        let words: Vec<&str> = name.split('-').collect();
        let alike = |rule: &&Rule| {
            words
                .iter()
                .any(|word| rule.name.split('-').any(|own| own == *word))
        };
        return Err(NoPage::Unknown {
            name: name.to_owned(),
            near: rule::ALL
                .iter()
                .filter(alike)
                .map(|rule| rule.name)
                .collect(),
        });
    };
    let lines = rule.page.lines();
    Ok(lines
        .map(|line| show::wrap(line, indent(line), show::width()))
        .collect())
}

/// What follows in a list stands below its text.
fn indent(line: &str) -> usize {
    let text =
        line.trim_start_matches(|letter: char| letter.is_ascii_digit() || ".- ".contains(letter));
    line.len() - text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_is_not_there_names_those_near_it() {
        let error = page("bond-dead").unwrap_err().to_string();
        assert!(
            error.contains("there is no rule \"bond-dead\"; near it: "),
            "{error}"
        );
        assert!(error.contains("bond-no-active-port"), "{error}");
        let error = page("xyz").unwrap_err().to_string();
        assert!(error.ends_with("`quorate explain` names all"), "{error}");
    }

    #[test]
    fn every_rule_has_a_line_and_a_page() {
        for rule in rule::ALL {
            assert!(names().contains(rule.name));
            assert!(page(rule.name).unwrap().contains("## What to do"));
        }
    }
}
