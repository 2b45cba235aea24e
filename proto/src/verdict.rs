//! A verdict as a message.

use model::gate::{Answer, Reason, Seen, Verdict, Weight};

use crate::v1;

pub fn message(verdict: Verdict) -> Result<v1::Verdict, serde_json::Error> {
    let json = serde_json::to_string(&verdict)?;
    let answer = match verdict.answer {
        Answer::Go => v1::Answer::Go,
        Answer::Warn => v1::Answer::Warn,
        Answer::NoGo => v1::Answer::NoGo,
        Answer::Unknown => v1::Answer::Unknown,
    };
    Ok(v1::Verdict {
        answer: answer.into(),
        sentence: verdict.sentence,
        reasons: verdict.reasons.into_iter().map(reason).collect(),
        valid_ms: verdict.valid_ms,
        json,
        id: verdict.id,
    })
}

pub fn reason(reason: Reason) -> v1::Reason {
    let weight = match reason.weight {
        Weight::Note => v1::Weight::Note,
        Weight::Warning => v1::Weight::Warning,
        Weight::Missing => v1::Weight::Missing,
        Weight::Blocker => v1::Weight::Blocker,
    };
    v1::Reason {
        kind: reason.kind.name().to_owned(),
        subject: reason.subject.to_string(),
        sentence: reason.sentence,
        remedy: reason.remedy,
        way_back: reason.way_back,
        weight: weight.into(),
        evidence: reason.evidence.into_iter().map(seen).collect(),
    }
}

fn seen(seen: Seen) -> v1::Seen {
    v1::Seen {
        node: seen.node.to_string(),
        family: seen.family.to_owned(),
        words: seen.words,
        age_ms: seen.age_ms,
    }
}
