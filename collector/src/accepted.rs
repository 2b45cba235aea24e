//! What operators accept as it is, as messages.

use model::gate::Accepting;
use model::lease::accepted::Acceptance;
use proto::v1;
use serde::Serialize;
use tonic::Status;

use crate::keeper::core::LeaseAsk;
use crate::lease::{Leases, line, reason};

#[derive(Serialize)]
struct ListJson<'a> {
    accepted: &'a [AcceptedJson],
}

#[derive(Serialize)]
struct AcceptedJson {
    kind: &'static str,
    subject: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    told: Vec<String>,
    by: String,
    reason: String,
    until_unix_ms: i64,
    sentence: String,
}

pub(crate) fn accept(request: &v1::AcceptRequest, by: String) -> Result<LeaseAsk, Status> {
    Ok(LeaseAsk::Accept(Accepting {
        kind: line("kind", &request.kind)?,
        subject: line("subject", &request.subject)?,
        until_unix_ms: request.until_unix_ms,
        reason: reason(&request.reason)?,
        by,
    }))
}

pub(crate) fn take_back(request: &v1::TakeBackRequest, by: String) -> Result<LeaseAsk, Status> {
    Ok(LeaseAsk::TakeBack {
        kind: line("kind", &request.kind)?,
        subject: line("subject", &request.subject)?,
        by,
    })
}

pub(crate) fn list(known: &Leases<'_>) -> Result<v1::ListAcceptedResponse, Status> {
    let accepted = known.kept()?.accepted().at(known.now.unix_ms);
    let all: Vec<AcceptedJson> = accepted.map(told).collect();
    let json = serde_json::to_string(&ListJson { accepted: &all })
        .map_err(|error| Status::internal(format!("what is accepted is no JSON: {error}")))?;
    Ok(v1::ListAcceptedResponse {
        accepted: all.into_iter().map(message).collect(),
        json,
    })
}

fn told(one: &Acceptance) -> AcceptedJson {
    AcceptedJson {
        kind: one.kind.name(),
        subject: one.subject.to_string(),
        told: one.told.iter().cloned().collect(),
        by: one.by.clone(),
        reason: one.reason.clone(),
        until_unix_ms: one.until_unix_ms,
        sentence: one.sentence(),
    }
}

fn message(one: AcceptedJson) -> v1::Accepted {
    v1::Accepted {
        kind: one.kind.to_owned(),
        subject: one.subject,
        by: one.by,
        reason: one.reason,
        until_unix_ms: one.until_unix_ms,
        sentence: one.sentence,
    }
}
