//! Stories of whole clusters, and what is told of them: `model/testdata/scenarios/NAME/story.txt` is played in a small
//! physical world in virtual time, and `expect.txt` is every step of every incident, as a person would have got it.
//!
//! The world (switches, cables, cards, bonds, knet, totem, agents) knows nothing of rules or hypotheses; membership and
//! votes come of the quorum machine. So a story also holds `what-if` against what then happens. docs/testing.md has
//! the words of the language.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a world that is built for tests: what does not fit ends the test"
)]

mod collector;
mod facts;
mod network;
mod play;
mod ring;
mod site;
mod story;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The stories of this folder, or the one that `QUORATE_STORY` names.
fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/scenarios");
    let only = std::env::var("QUORATE_STORY").ok();
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .filter(|path| only.as_ref().is_none_or(|only| path.ends_with(only)))
        .collect();
    folders.sort();
    folders
}

fn told(folder: &Path) -> String {
    let path = folder.join("story.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let name = path
        .strip_prefix(env!("CARGO_MANIFEST_DIR"))
        .unwrap_or(&path);
    let story =
        story::read(&name.display().to_string(), &text).unwrap_or_else(|bad| panic!("{bad}"));
    play::play(&story).unwrap_or_else(|bad| panic!("{bad}"))
}

#[test]
fn every_story_is_told_as_expected() {
    let folders = folders();
    assert!(!folders.is_empty(), "there is no story of this name");
    let wrong = |folder: &&PathBuf| {
        let check =
            || expect_test::expect_file![folder.join("expect.txt")].assert_eq(&told(folder));
        catch_unwind(AssertUnwindSafe(check)).is_err()
    };
    let half = |odd: usize| -> Vec<&PathBuf> {
        folders
            .iter()
            .enumerate()
            .filter(|(place, _)| place % 2 == odd)
            .map(|(_, folder)| folder)
            .collect()
    };
    let (one, other) = (half(0), half(1));
    let wrong: BTreeSet<String> = std::thread::scope(|scope| {
        let other = scope.spawn(|| other.iter().copied().filter(wrong).collect::<Vec<_>>());
        let mut all: Vec<&PathBuf> = one.iter().copied().filter(wrong).collect();
        all.extend(other.join().unwrap());
        all.iter()
            .map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    });
    assert!(
        wrong.is_empty(),
        "{wrong:?} are not told as expected; UPDATE_EXPECT=1 writes what is told now into their expect.txt"
    );
}

#[test]
fn a_line_that_is_not_understood_is_named_with_its_file() {
    let bad = |text: &str| story::read("a/story.txt", text).err().unwrap().to_string();
    assert_eq!(
        bad("nodes 3\nswitch sw-a explodes\n"),
        "a/story.txt:2: \"switch sw-a explodes\" is no line of a story; with `switch` there are: switch SWITCH loses power, \
         switch SWITCH gets power, switch SWITCH goes mute, switch SWITCH speaks again, switch SWITCH reboots for DURATION"
    );
    assert_eq!(
        bad("advance soon\n"),
        "a/story.txt:1: \"soon\" is no duration: 90s, 5m, 2h"
    );
    assert_eq!(
        bad("frobnicate\n"),
        "a/story.txt:1: \"frobnicate\" begins no line of a story"
    );
}
