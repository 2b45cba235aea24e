//! A verdict of the gate at the terminal: its exit code and its words.

use std::error::Error;
use std::fmt::Write as _;

use model::gate::{Kind, Verdict, Weight};
use proto::v1;

use crate::show::{BAD, DOUBTFUL, GOOD, PLAIN};
use crate::{answer, exit, show};

/// Whatever is not one of the other three is UNKNOWN.
pub(crate) fn code(verdict: &v1::Verdict) -> u8 {
    match verdict.answer() {
        v1::Answer::Go => 0,
        v1::Answer::Warn => 1,
        v1::Answer::NoGo => 2,
        v1::Answer::Unknown | v1::Answer::Unspecified => exit::UNKNOWN,
    }
}

/// `hint`: what was answered before, if that is known.
pub(crate) fn unknown(error: &dyn Error, hint: Option<String>, is_json: bool) -> String {
    let why = show::foreign(&show::with_causes(error));
    let mut verdict = Verdict::unknown(Kind::NothingKnown, why, String::new());
    if let Some(hint) = hint {
        verdict.note(Kind::LastAnswer, show::foreign(&hint));
    }
    if is_json {
        return answer::to_line(&verdict);
    }
    // What is missing is in the sentence already.
    let notes = verdict.of_weight(Weight::Note).cloned();
    let notes = notes.map(|note| told_of(&proto::verdict::reason(note), show::width()));
    let notes: String = notes.collect();
    verdict.sentence + "\n" + &notes
}

pub(crate) fn told(verdict: &v1::Verdict, width: Option<usize>) -> String {
    let style = match verdict.answer() {
        v1::Answer::Go => GOOD,
        v1::Answer::Warn => DOUBTFUL,
        v1::Answer::NoGo | v1::Answer::Unknown | v1::Answer::Unspecified => BAD,
    };
    let sentence = show::wrap(&show::foreign(&verdict.sentence), 2, width);
    let mut text = format!("{style}{}{style:#}\n", sentence.trim_end());
    for reason in &verdict.reasons {
        text.push_str(&told_of(reason, width));
    }
    if verdict.valid_ms > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, "  valid for {} s", verdict.valid_ms / 1_000);
        let id = show::foreign(&verdict.id);
        let _ = match id.as_str() {
            "" => writeln!(text),
            id => writeln!(text, "; how it came to be: quorate replay {id}"),
        };
    }
    text
}

fn told_of(reason: &v1::Reason, width: Option<usize>) -> String {
    let (word, style) = match reason.weight() {
        v1::Weight::Blocker => ("no-go", BAD),
        v1::Weight::Missing => ("unknown", BAD),
        v1::Weight::Warning => ("warning", DOUBTFUL),
        v1::Weight::Note => ("note", PLAIN),
        // One that a newer collector knows weighs at least as much as a warning.
        v1::Weight::Unspecified => ("reason", DOUBTFUL),
    };
    let sentence = format!("  {word}: {}", show::foreign(&reason.sentence));
    let wrapped = show::wrap(&sentence, 4, width);
    let mut text = format!("{style}{}{style:#}\n", wrapped.trim_end());
    for seen in &reason.evidence {
        let age = show::age(seen.age_ms);
        let line = format!("    {}: {} ({age} ago)", seen.node, seen.words);
        text.push_str(&show::wrap(&show::foreign(&line), 6, width));
    }
    let remedies = [("", &reason.remedy), ("Way back: ", &reason.way_back)];
    for (before, words) in remedies.iter().filter(|(_, words)| !words.is_empty()) {
        let line = format!("    {before}{}", show::foreign(words));
        text.push_str(&show::wrap(&line, 6, width));
    }
    text
}
