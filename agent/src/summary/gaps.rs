//! What is not known, and why.

use model::reading::Problem;

use super::Standing;
use super::page::{Cell, Mark, Page, plain};

/// How many problems of one family are shown; the JSON holds them all.
const MAX_PROBLEMS: usize = 20;

pub(super) fn show(page: &mut Page, standings: &[Standing<'_>]) {
    let failed: Vec<&Standing<'_>> = standings
        .iter()
        .filter(|standing| standing.failed.is_some())
        .collect();
    if !failed.is_empty() {
        page.heading("Failed readings");
        for standing in failed {
            let why = standing.failed.unwrap_or_default();
            page.line(&[Cell::bad(format!("{}:", standing.family)), plain(why)]);
        }
    }
    if standings
        .iter()
        .any(|standing| !standing.problems.is_empty())
    {
        page.heading("Problems in readings");
    }
    for standing in standings {
        for problem in standing.problems.iter().take(MAX_PROBLEMS) {
            let family = Cell::new(format!("{}:", standing.family), Mark::Unknown);
            page.line(&[family, plain(sentence(problem))]);
        }
        let more = standing.problems.len().saturating_sub(MAX_PROBLEMS);
        if more > 0 {
            let family = standing.family;
            page.say(format!("{family}: {more} more; --json shows them all"));
        }
    }
    let absent: Vec<&str> = standings
        .iter()
        .filter(|standing| standing.is_absent())
        .map(|standing| standing.family)
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
