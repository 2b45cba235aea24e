//! Silences and acknowledgements as messages: what is asked for, what became of it, and which there are.

use model::alert::{Acknowledged, Ask, Refused, SILENCE_SHOWN_MS, Silence, Step};
use model::pattern::Pattern;
use proto::v1;
use serde::Serialize;
use tonic::Status;

use crate::keeper::core::AlertAnswer;
use crate::lease::{Leases, line, reason};

#[derive(Serialize)]
struct AnswerJson<'a> {
    outcome: &'static str,
    sentence: &'a str,
    silence: Option<SilenceJson<'a>>,
    acknowledgement: Option<AcknowledgementJson<'a>>,
}

#[derive(Serialize)]
struct ListJson<'a> {
    silences: Vec<SilenceJson<'a>>,
    acknowledgements: Vec<AcknowledgementJson<'a>>,
}

#[derive(Serialize)]
struct SilenceJson<'a> {
    id: u64,
    rule: Option<&'a str>,
    subject: Option<&'a str>,
    incident: Option<u64>,
    from_unix_ms: i64,
    until_unix_ms: i64,
    by: &'a str,
    reason: &'a str,
    ended_by: Option<&'a str>,
    holds: bool,
    sentence: &'a str,
}

#[derive(Serialize)]
struct AcknowledgementJson<'a> {
    incident: u64,
    at_unix_ms: i64,
    by: &'a str,
    reason: &'a str,
    sentence: &'a str,
}

/// What is to be quiet, as far as it is well formed.
pub(crate) fn asked(request: &v1::SilenceRequest, by: String) -> Result<Ask, Status> {
    Ok(Ask::Silence(Silence {
        // Both are given when it is taken.
        id: 0,
        from_unix_ms: 0,
        rule: pattern("rule", &request.rule)?,
        subject: pattern("subject", &request.subject)?,
        incident: request.incident,
        until_unix_ms: request.until_unix_ms,
        by,
        reason: reason(&request.reason)?,
        ended_by: None,
    }))
}

pub(crate) fn known(request: &v1::AcknowledgeRequest, by: String) -> Result<Ask, Status> {
    Ok(Ask::Acknowledge {
        incident: request.incident,
        by,
        reason: reason(&request.reason)?,
    })
}

/// Nothing where nothing is written: then it is not what the silence is about.
fn pattern(field: &str, text: &str) -> Result<Option<Pattern>, Status> {
    let text = line(field, text)?;
    if text.is_empty() {
        return Ok(None);
    }
    let pattern = Pattern::new(&text);
    let pattern = pattern.map_err(|error| Status::invalid_argument(format!("{field}: {error}")))?;
    Ok(Some(pattern))
}

/// How an ask is named in the log.
pub(crate) fn named(ask: &Ask) -> Vec<String> {
    match ask {
        Ask::Silence(asked) => {
            let incident = asked.incident.map(|number| format!("incident #{number}"));
            let rule = asked.rule.as_ref().map(|rule| format!("rule {rule}"));
            let subject = asked.subject.as_ref().map(|of| format!("subject {of}"));
            [incident, rule, subject].into_iter().flatten().collect()
        }
        Ask::Expire { id, .. } => vec![format!("silence {id}")],
        Ask::Acknowledge { incident, .. } => vec![format!("incident #{incident}")],
    }
}

/// What became of it; `None` where nobody knows.
pub(crate) fn answer(
    known: &Leases<'_>,
    told: Option<AlertAnswer>,
) -> Result<v1::AlertAnswer, Status> {
    match told {
        Some(AlertAnswer::Done(step)) => done(known, *step),
        Some(AlertAnswer::Refused(refused)) => refusal(&refused),
        Some(AlertAnswer::NotNow(why)) => unknown(why),
        None => {
            let why =
                "whether it was written down is not known: `quorate silence list` has it if it was";
            unknown(why.to_owned())
        }
    }
}

fn done(known: &Leases<'_>, step: Step) -> Result<v1::AlertAnswer, Status> {
    let now = known.now.unix_ms;
    match step {
        Step::Silenced(new) => of_silence(silence(&new, now)),
        Step::SilenceEnded { id, by } => match known.view.alerts.silence(id) {
            // What is published may still be what was there before.
            Some(before) => {
                let ended = Silence {
                    until_unix_ms: before.until_unix_ms.min(now),
                    ended_by: Some(by),
                    ..before.clone()
                };
                of_silence(silence(&ended, now))
            }
            None => said(v1::Outcome::Done, format!("silence {id} is ended")),
        },
        Step::Acknowledged(new) => {
            let new = acknowledgement(&new);
            with_json(v1::AlertAnswer {
                sentence: new.sentence.clone(),
                acknowledgement: Some(new),
                outcome: v1::Outcome::Done.into(),
                ..v1::AlertAnswer::default()
            })
        }
        // None of these is what a person asks for.
        Step::Overtaken { .. }
        | Step::Owed(_)
        | Step::Delivered { .. }
        | Step::GivenUp { .. }
        | Step::AcknowledgementOver { .. } => said(v1::Outcome::Done, "it is done".to_owned()),
    }
}

fn of_silence(silence: v1::Silence) -> Result<v1::AlertAnswer, Status> {
    with_json(v1::AlertAnswer {
        sentence: silence.sentence.clone(),
        silence: Some(silence),
        outcome: v1::Outcome::Done.into(),
        ..v1::AlertAnswer::default()
    })
}

fn refusal(refused: &Refused) -> Result<v1::AlertAnswer, Status> {
    said(v1::Outcome::Refused, refused.to_string())
}

/// It cannot be done now, or nobody knows whether it is.
pub(crate) fn unknown(why: String) -> Result<v1::AlertAnswer, Status> {
    said(v1::Outcome::Unknown, why)
}

fn said(outcome: v1::Outcome, sentence: String) -> Result<v1::AlertAnswer, Status> {
    with_json(v1::AlertAnswer {
        sentence,
        outcome: outcome.into(),
        ..v1::AlertAnswer::default()
    })
}

fn with_json(answer: v1::AlertAnswer) -> Result<v1::AlertAnswer, Status> {
    let json = json(&AnswerJson {
        outcome: word(&answer),
        sentence: &answer.sentence,
        silence: answer.silence.as_ref().map(silence_json),
        acknowledgement: answer.acknowledgement.as_ref().map(acknowledgement_json),
    })?;
    Ok(v1::AlertAnswer { json, ..answer })
}

/// As the log and the JSON have it.
pub(crate) fn word(answer: &v1::AlertAnswer) -> &'static str {
    match answer.outcome() {
        v1::Outcome::Done => "done",
        v1::Outcome::Refused => "refused",
        v1::Outcome::Unknown | v1::Outcome::Unspecified => "unknown",
    }
}

/// Those that hold, then those that were over lately, the newest first.
pub(crate) fn list(known: &Leases<'_>) -> Result<v1::ListSilencesResponse, Status> {
    // Both are read together: where leases are not known, silences are not either.
    if known.view.leases.is_none() {
        return Err(Status::failed_precondition(
            "which silences hold cannot be read; the collector's log says why",
        ));
    }
    let (alerts, now) = (&known.view.alerts, known.now.unix_ms);
    let is_shown = |one: &&Silence| now < one.until_unix_ms.saturating_add(SILENCE_SHOWN_MS);
    let all = alerts.silences().filter(is_shown);
    let (hold, mut over): (Vec<&Silence>, Vec<&Silence>) = all.partition(|one| one.holds_at(now));
    over.sort_by_key(|one| std::cmp::Reverse((one.until_unix_ms, one.id)));
    let silences = hold.into_iter().chain(over).map(|one| silence(one, now));
    let silences: Vec<v1::Silence> = silences.collect();
    let acknowledgements: Vec<v1::Acknowledgement> =
        alerts.acknowledgements().map(acknowledgement).collect();
    let json = json(&ListJson {
        silences: silences.iter().map(silence_json).collect(),
        acknowledgements: acknowledgements.iter().map(acknowledgement_json).collect(),
    })?;
    Ok(v1::ListSilencesResponse {
        silences,
        acknowledgements,
        json,
    })
}

pub(crate) fn silence(one: &Silence, now_unix_ms: i64) -> v1::Silence {
    let text = |pattern: &Option<Pattern>| pattern.as_ref().map(Pattern::to_string);
    v1::Silence {
        id: one.id,
        rule: text(&one.rule).unwrap_or_default(),
        subject: text(&one.subject).unwrap_or_default(),
        incident: one.incident,
        from_unix_ms: one.from_unix_ms,
        until_unix_ms: one.until_unix_ms,
        by: one.by.clone(),
        reason: one.reason.clone(),
        ended_by: one.ended_by.clone().unwrap_or_default(),
        holds: one.holds_at(now_unix_ms),
        sentence: format!("silence {}: {}", one.id, one.sentence()),
    }
}

pub(crate) fn acknowledgement(one: &Acknowledged) -> v1::Acknowledgement {
    v1::Acknowledgement {
        incident: one.incident,
        at_unix_ms: one.at_unix_ms,
        by: one.by.clone(),
        reason: one.reason.clone(),
        sentence: one.sentence(),
    }
}

fn silence_json(one: &v1::Silence) -> SilenceJson<'_> {
    SilenceJson {
        id: one.id,
        rule: stated(&one.rule),
        subject: stated(&one.subject),
        incident: one.incident,
        from_unix_ms: one.from_unix_ms,
        until_unix_ms: one.until_unix_ms,
        by: &one.by,
        reason: &one.reason,
        ended_by: stated(&one.ended_by),
        holds: one.holds,
        sentence: &one.sentence,
    }
}

fn acknowledgement_json(one: &v1::Acknowledgement) -> AcknowledgementJson<'_> {
    AcknowledgementJson {
        incident: one.incident,
        at_unix_ms: one.at_unix_ms,
        by: &one.by,
        reason: &one.reason,
        sentence: &one.sentence,
    }
}

fn stated(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn json(value: &impl Serialize) -> Result<String, Status> {
    serde_json::to_string(value)
        .map_err(|error| Status::internal(format!("the silence is no JSON: {error}")))
}
