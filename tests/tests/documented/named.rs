//! What README.md and docs/ name must be there: each command of ours, with each of its options.

use quorate_tests::documents::{hold_against, mentions};

use super::workspace;

/// Fewer, and the documents are not read as they are written.
const AT_LEAST: usize = 60;

#[test]
fn every_command_that_a_document_names_is_one_that_there_is() {
    let programs = [
        quorate::command(),
        quorate_agent::command(),
        quorate_collector::command(),
    ];
    let (mut count, mut wrong) = (0, Vec::new());
    for program in programs {
        for (place, words) in mentions(workspace(), program.get_name()).unwrap() {
            count += 1;
            if let Err(lack) = hold_against(&program, &words) {
                wrong.push(format!("{place}: {lack}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= AT_LEAST, "only {count} commands were found");
}
