//! What a collector shows of its incidents, printed whenever it changed: one line of JSON with all of them.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use proto::v1;
use serde_json::{Value, json};
use v1::query_client::QueryClient;

use super::audit::connect;
use super::tally::print;

const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

pub(super) async fn run(file: &Path) -> Result<()> {
    let mut before = Vec::new();
    let mut query = QueryClient::new(connect(file).await?);
    loop {
        let asked = v1::GetStatusRequest {
            cluster: String::new(),
            with_closed_incidents: true,
        };
        let clusters = query.get_status(asked).await?.into_inner().clusters;
        let all: Vec<Value> = clusters
            .iter()
            .flat_map(|one| &one.incidents)
            .map(line)
            .collect();
        if all != before {
            print(&json!({"event": "incidents", "all": all}));
            before = all;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// As much of an incident as must stay as it is.
fn line(incident: &v1::Incident) -> Value {
    let lines = incident.lines.iter();
    let lines = lines.map(|line| json!([line.at_unix_ms, line.sentence]));
    json!({
        "number": incident.number,
        "rule": incident.rule,
        "subject": incident.subject,
        "opened": incident.opened_unix_ms,
        "closed": incident.closed_unix_ms,
        "returns": incident.returns,
        "lines": lines.collect::<Vec<_>>(),
    })
}

/// The incidents of such a line; `None` of any other line, and of one that was cut short.
#[must_use]
pub fn read(text: &str) -> Option<Vec<v1::Incident>> {
    let said: Value = serde_json::from_str(text).ok()?;
    let is_look = said.get("event").is_some_and(|event| event == "incidents");
    let all = said.get("all").filter(|_| is_look)?;
    all.as_array()?.iter().map(incident).collect()
}

fn incident(said: &Value) -> Option<v1::Incident> {
    let lines = said.get("lines")?.as_array()?.iter().map(|line| {
        Some(v1::IncidentLine {
            at_unix_ms: line.get(0)?.as_i64()?,
            sentence: line.get(1)?.as_str()?.to_owned(),
        })
    });
    Some(v1::Incident {
        number: said.get("number")?.as_u64()?,
        rule: said.get("rule")?.as_str()?.to_owned(),
        subject: said.get("subject")?.as_str()?.to_owned(),
        opened_unix_ms: said.get("opened")?.as_i64()?,
        closed_unix_ms: said.get("closed")?.as_i64(),
        returns: u32::try_from(said.get("returns")?.as_u64()?).ok()?,
        lines: lines.collect::<Option<_>>()?,
        ..v1::Incident::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        let incident = v1::Incident {
            number: 3,
            rule: "bond-degraded".to_owned(),
            subject: "pve-01/bond0".to_owned(),
            opened_unix_ms: 5,
            closed_unix_ms: Some(7),
            returns: 1,
            lines: vec![v1::IncidentLine {
                at_unix_ms: 5,
                sentence: "it is wrong".to_owned(),
            }],
            ..v1::Incident::default()
        };
        let text = json!({"event": "incidents", "all": [line(&incident)]}).to_string();
        assert_eq!(read(&text), Some(vec![incident]));
        assert_eq!(read(&text[..text.len() - 9]), None);
        assert_eq!(read(r#"{"event":"ack"}"#), None);
    }
}
