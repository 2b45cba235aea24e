//! The last answer to the same question, for the moment in which no collector answers: a hint for a person, and nothing to go
//! by. Kept in the cache of whoever asks; where that cannot be read or written, there is no hint.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::show;

const FILE: &str = "quorate/last-answers.json";
/// The oldest give way.
const MOST: usize = 200;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept(BTreeMap<String, Answer>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Answer {
    at: Timestamp,
    sentence: String,
}

pub(crate) fn keep(question: &str, sentence: &str) {
    if let Some(path) = path() {
        // Nobody waits for a hint, and nobody is told that there will be none.
        let _ = keep_in(&path, question, sentence, Timestamp::now());
    }
}

/// In one finished sentence.
pub(crate) fn hint(question: &str) -> Option<String> {
    hint_of(&path()?, question, Timestamp::now())
}

fn path() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let named = named.filter(|dir| dir.is_absolute());
    let dir = named.or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
    Some(dir.join(FILE))
}

fn read(path: &Path) -> Option<Kept> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn keep_in(path: &Path, question: &str, sentence: &str, at: Timestamp) -> io::Result<()> {
    let mut kept = read(path).unwrap_or_default();
    let sentence = sentence.to_owned();
    let answer = Answer { at, sentence };
    kept.0.insert(question.to_owned(), answer);
    while kept.0.len() > MOST
        && let Some(oldest) = kept.0.iter().min_by_key(|(_, answer)| answer.at)
    {
        let oldest = oldest.0.clone();
        kept.0.remove(&oldest);
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    // Two who ask at once: one of them is kept, whole.
    let part = path.with_extension(format!("part-{}", std::process::id()));
    fs::write(&part, serde_json::to_vec(&kept)?)?;
    fs::rename(&part, path)
}

fn hint_of(path: &Path, question: &str, now: Timestamp) -> Option<String> {
    let answer = read(path)?.0.remove(question)?;
    let age_ms = u64::try_from(now.duration_since(answer.at).as_millis()).ok()?;
    Some(format!(
        "the last answer to this was given {} ago, and says nothing of now: {}",
        show::age(age_ms),
        answer.sentence
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_last_answer_to_the_same_question_is_a_hint_with_its_age() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(hint_of(&path, "check pve-03", at(100)), None);
        keep_in(&path, "check pve-03", "GO - it may", at(100)).unwrap();
        keep_in(&path, "check pve-03", "NO-GO - it must not", at(160)).unwrap();
        let hint = hint_of(&path, "check pve-03", at(220)).unwrap();
        assert_eq!(
            hint,
            "the last answer to this was given 60 s ago, and says nothing of now: NO-GO - it must not"
        );
        assert_eq!(hint_of(&path, "check pve-04", at(220)), None);
        // A clock that went back tells no age.
        assert_eq!(hint_of(&path, "check pve-03", at(50)), None);
    }

    #[test]
    fn the_file_does_not_grow_without_end_and_a_damaged_one_is_no_hint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for number in 0..i64::try_from(MOST).unwrap() + 5 {
            keep_in(&path, &format!("check {number}"), "GO", at(number)).unwrap();
        }
        assert_eq!(read(&path).unwrap().0.len(), MOST);
        assert_eq!(hint_of(&path, "check 0", at(9_000)), None);
        fs::write(&path, "{").unwrap();
        assert_eq!(hint_of(&path, "check 100", at(9_000)), None);
        keep_in(&path, "check 100", "GO", at(9_000)).unwrap();
        assert!(hint_of(&path, "check 100", at(9_000)).is_some());
    }
}
