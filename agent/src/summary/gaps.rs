//! What is not known, and why.

use model::reading::{Problem, Standing};
use model::report::Family;

use super::page::{Cell, Mark, Page, plain};

/// How many problems of one family are shown; the JSON holds them all.
const MAX_PROBLEMS: usize = 20;

pub(super) fn show(page: &mut Page, standings: &[(Family, Standing<'_>)]) {
    let failed: Vec<(Family, &str)> = standings
        .iter()
        .filter_map(|(family, standing)| Some((*family, standing.failed?)))
        .collect();
    if !failed.is_empty() {
        page.heading("Failed readings");
        for (family, why) in failed {
            page.line(&[Cell::bad(format!("{}:", family.key())), plain(why)]);
        }
    }
    if standings
        .iter()
        .any(|(_, standing)| !standing.problems.is_empty())
    {
        page.heading("Problems in readings");
    }
    for (family, standing) in standings {
        let family = family.key();
        for problem in standing.problems.iter().take(MAX_PROBLEMS) {
            let family = Cell::new(format!("{family}:"), Mark::Unknown);
            page.line(&[family, plain(sentence(problem))]);
        }
        let more = standing.problems.len().saturating_sub(MAX_PROBLEMS);
        if more > 0 {
            page.say(format!("{family}: {more} more; --json shows them all"));
        }
    }
    let absent: Vec<&str> = standings
        .iter()
        .filter(|(_, standing)| standing.is_absent())
        .map(|(family, _)| family.key())
        .collect();
    if !absent.is_empty() {
        page.heading("Not here, or not captured");
        page.say(absent.join(", "));
    }
}

fn sentence(problem: &Problem) -> String {
    let Problem {
        source,
        line_number,
        line,
        why,
    } = problem;
    match (line_number, line) {
        (Some(number), Some(line)) => format!("{source}, line {number}: {why}: {line:?}"),
        (Some(number), None) => format!("{source}, line {number}: {why}"),
        _ => format!("{source}: {why}"),
    }
}
