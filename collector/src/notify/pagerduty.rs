//! PagerDuty, by a service's integration key.
//!
//! From PagerDuty's pages "Events API v2: Send an alert event" and its limits: a summary has 1,024 letters, a `dedup_key` 255, an
//! event 512 KB. An event with the key of an open alert changes that one; a resolve of what is not open does nothing. It says 202
//! before it has looked: what it does with an event later is not known here.

use model::alert::Kind;
use model::finding::Severity;
use serde_json::{Map, Value as Json, json};

use super::parts::{PLAIN, PLAIN_BYTES, fitted, fitted_lines, http, lines, link, set};
use super::row::{missing, name, web_address};
use super::{
    Answer, Chat, Hidden, Outcome, Receiver, Request, Secret, SecretError, Sending, by_status,
    later, secret,
};

const SUMMARY_LETTERS: usize = 1_024;
const KEY_BYTES: usize = 255;
const DETAILS_BYTES: usize = 32_000;
const WORD_BYTES: usize = 512;

settings::keys! {
    struct PagerDutyRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "routing_key" => routing_key: Secret = Secret::Unset, secret;
    /// In Europe https://events.eu.pagerduty.com.
    "api" => api: String = "https://events.pagerduty.com".to_owned(), web_address;
}

fn is_whole(row: &PagerDutyRow) -> Vec<settings::Contradiction> {
    missing(&[
        ("name", !row.name.is_empty()),
        ("routing_key", row.routing_key.is_set()),
        ("api", !row.api.is_empty()),
    ])
}

#[derive(Debug)]
struct PagerDuty {
    api: String,
    routing_key: Hidden,
}

impl Receiver for PagerDutyRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        Ok(Box::new(PagerDuty {
            api: self.api.clone(),
            routing_key: self.routing_key.reveal(&self.name, "routing_key")?,
        }))
    }
}

impl Chat for PagerDuty {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let message = sending.message;
        let is_end = match message.kind {
            // It would be a line in the alert's log.
            Kind::Changed => return None,
            Kind::Over | Kind::Joined | Kind::Closed => true,
            Kind::Opened | Kind::Worse | Kind::More | Kind::Again | Kind::Reminder => false,
        };
        let mut event = json!({
            "routing_key": self.routing_key.get(),
            "event_action": if is_end { "resolve" } else { "trigger" },
            "dedup_key": dedup_key(sending.thread),
        });
        if !is_end {
            set(&mut event, "client", json!("Quorate"));
            set(&mut event, "payload", payload(sending));
            if let Some(link) = link(message) {
                set(&mut event, "client_url", json!(link));
                set(
                    &mut event,
                    "links",
                    json!([{"href": link, "text": "the incident"}]),
                );
            }
        }
        Some(http(
            "POST",
            format!("{}/v2/enqueue", self.api),
            Vec::new(),
            &event,
        ))
    }

    fn read(&self, _sending: &Sending<'_>, answer: &Answer) -> Outcome {
        match answer.status {
            // The key stands in the body: of a wrong one it says 400, too.
            400 if answer.body.contains("routing_key") || answer.body.contains("routing key") => {
                later(answer)
            }
            _ => by_status(answer),
        }
    }

    fn shows_what_is_open(&self) -> bool {
        true
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.routing_key.get()]
    }
}

/// The thread, if it fits; else its digest: cut off, two could be one.
fn dedup_key(thread: &str) -> String {
    if thread.len() <= KEY_BYTES {
        return thread.to_owned();
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, thread.as_bytes());
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn payload(sending: &Sending<'_>) -> Json {
    let message = sending.message;
    let word = |text: &str| fitted(text, WORD_BYTES, PLAIN_BYTES);
    let mut details = Map::new();
    for (label, words) in fitted_lines(&lines(sending), DETAILS_BYTES, 0, PLAIN_BYTES) {
        // There may be three of what was seen.
        match details.get_mut(label) {
            Some(Json::String(before)) => {
                before.push('\n');
                before.push_str(&words);
            }
            _ => {
                details.insert(label.to_owned(), json!(words));
            }
        }
    }
    // The source must not be empty, and a cluster's name may be.
    let source = if message.cluster.is_empty() {
        &message.cluster_id
    } else {
        &message.cluster
    };
    json!({
        "summary": fitted(&message.headline(), SUMMARY_LETTERS, PLAIN),
        "source": word(source),
        "severity": match message.severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "info",
        },
        "timestamp": jiff::Timestamp::from_millisecond(message.at_unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string(),
        "component": word(&message.subject),
        "group": word(&message.cluster),
        "class": word(&message.rule),
        "custom_details": details,
    })
}

#[cfg(test)]
mod tests {
    use crate::notify::testing::{Try, is_later};

    use super::*;

    #[test]
    fn what_pagerduty_answers_is_understood() {
        let ask = Try::<PagerDutyRow>::new("routing_key = '0123456789abcdef0123456789abcdef'");
        assert_eq!(
            ask.read(Kind::Opened, 202, "{}"),
            Outcome::Delivered { receipt: None }
        );
        let key = r#"{"status":"invalid event","errors":["Length of 'routing_key' is incorrect"]}"#;
        assert!(is_later(&ask.read(Kind::Opened, 400, key)));
        let bad = r#"{"status":"invalid event","errors":["'payload.summary' is missing"]}"#;
        assert!(matches!(
            ask.read(Kind::Opened, 400, bad),
            Outcome::Refused { .. }
        ));
        assert!(is_later(&ask.read(Kind::Opened, 429, "")));
    }

    #[test]
    fn a_key_that_is_too_long_stays_one_of_its_own() {
        let (one, other) = ("k".repeat(300) + "1", "k".repeat(300) + "2");
        assert_eq!(dedup_key(&one).len(), 64);
        assert_ne!(dedup_key(&one), dedup_key(&other));
    }
}
