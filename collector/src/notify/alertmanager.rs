//! Prometheus Alertmanager, as a source of alerts beside Prometheus: its routes, silences and receivers apply.
//!
//! From Alertmanager's page "Alerts API" and its OpenAPI description (`POST /api/v2/alerts`). It forgets an alert at `endsAt`: the
//! last message of an open incident is repeated every minute, with its end five minutes ahead, so that a collector that is gone
//! leaves nothing behind for long.
//!
//! The labels are the alert's identity, and routes see nothing else, so that the severity must be one of them. An incident that
//! becomes worse is therefore another alert: it goes out together with the end of the one that it was, one severity below. What was
//! any other before ends by itself within five minutes.

use std::time::Duration;

use jiff::Timestamp;
use model::alert::{Kind, Message};
use model::finding::Severity;
use serde_json::{Value as Json, json};
use settings::Contradiction;

use super::parts::{PLAIN_BYTES, bearer, fitted, http, lines, link, plain_lines, set};
use super::row::{missing, name, web_address, word};
use super::{Chat, Hidden, Receiver, Request, Secret, SecretError, Sending, secret};

const REPEAT: Duration = Duration::from_secs(60);
const AHEAD_MS: i64 = 300_000;
/// How long the end of a lower severity is said along.
const ENDING_MS: i64 = 600_000;
const LABEL_BYTES: usize = 512;
const ANNOTATION_BYTES: usize = 8_000;

settings::keys! {
    struct AlertmanagerRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "server" => server: String = String::new(), web_address;
    "user" => user: String = String::new(), word;
    "password" => password: Secret = Secret::Unset, secret;
    /// Instead of these two.
    "token" => token: Secret = Secret::Unset, secret;
}

fn is_whole(row: &AlertmanagerRow) -> Vec<Contradiction> {
    let mut found = missing(&[
        ("name", !row.name.is_empty()),
        ("server", !row.server.is_empty()),
    ]);
    if row.user.is_empty() == row.password.is_set() {
        let key = if row.user.is_empty() {
            "user"
        } else {
            "password"
        };
        found.push(Contradiction::new(
            key,
            "is missing: `user` and `password` go together",
        ));
    }
    if row.token.is_set() && row.password.is_set() {
        found.push(Contradiction::new(
            "token",
            "does not go with `password`: one of them is enough",
        ));
    }
    found
}

#[derive(Debug)]
struct Alertmanager {
    server: String,
    login: Login,
}

#[derive(Debug)]
enum Login {
    None,
    Token(Hidden),
    /// The password, and it with the user as it goes over the wire.
    Password(Hidden, Hidden),
}

impl Receiver for AlertmanagerRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        use base64::Engine as _;
        let login = if self.token.is_set() {
            Login::Token(self.token.reveal(&self.name, "token")?)
        } else if self.password.is_set() {
            let password = self.password.reveal(&self.name, "password")?;
            let both = format!("{}:{}", self.user, password.get());
            let both = base64::engine::general_purpose::STANDARD.encode(both);
            Login::Password(password, Hidden::new(both))
        } else {
            Login::None
        };
        Ok(Box::new(Alertmanager {
            server: self.server.clone(),
            login,
        }))
    }
}

impl Chat for Alertmanager {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let headers = match &self.login {
            Login::None => Vec::new(),
            Login::Token(token) => vec![bearer(token)],
            Login::Password(_, both) => vec![("authorization", format!("Basic {}", both.get()))],
        };
        let url = format!("{}/api/v2/alerts", self.server);
        Some(http("POST", url, headers, &alerts(sending)))
    }

    fn repeats_every(&self) -> Option<Duration> {
        Some(REPEAT)
    }

    fn shows_what_is_open(&self) -> bool {
        true
    }

    fn secrets(&self) -> Vec<&str> {
        match &self.login {
            Login::None => Vec::new(),
            Login::Token(token) => vec![token.get()],
            Login::Password(password, both) => vec![password.get(), both.get()],
        }
    }
}

fn alerts(sending: &Sending<'_>) -> Json {
    let message = sending.message;
    let ends = if message.kind.is_end() {
        message.at_unix_ms
    } else {
        sending.now_unix_ms.saturating_add(AHEAD_MS)
    };
    let mut alerts = vec![alert(sending, message.severity, ends)];
    let is_fresh = sending.now_unix_ms.saturating_sub(message.at_unix_ms) < ENDING_MS;
    if let Some(before) =
        below(message.severity).filter(|_| message.kind == Kind::Worse && is_fresh)
    {
        alerts.push(alert(sending, before, message.at_unix_ms));
    }
    Json::Array(alerts)
}

fn below(severity: Severity) -> Option<Severity> {
    match severity {
        Severity::Critical => Some(Severity::Warning),
        Severity::Warning => Some(Severity::Info),
        Severity::Info => None,
    }
}

fn alert(sending: &Sending<'_>, severity: Severity, ends_unix_ms: i64) -> Json {
    let message = sending.message;
    let mut alert = json!({
        "labels": labels(message, severity),
        "annotations": {
            "summary": fitted(&message.sentence, ANNOTATION_BYTES, PLAIN_BYTES),
            "description": plain_lines(&lines(sending), ANNOTATION_BYTES, PLAIN_BYTES),
        },
        "startsAt": moment(message.began_unix_ms),
        // It is not taken if it ends before it begins.
        "endsAt": moment(ends_unix_ms.max(message.began_unix_ms.saturating_add(1))),
    });
    if let Some(link) = link(message) {
        set(&mut alert, "generatorURL", json!(link));
    }
    alert
}

/// None of them changes while the incident is open, but for the severity.
fn labels(message: &Message, severity: Severity) -> Json {
    let label = |text: &str| fitted(text, LABEL_BYTES, PLAIN_BYTES);
    json!({
        "alertname": label(&message.rule),
        "cluster": label(&message.cluster),
        "cluster_id": label(&message.cluster_id),
        "severity": severity.to_string(),
        "subject": label(&message.subject),
        "incident": message.incident.to_string(),
    })
}

fn moment(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    use crate::notify::testing::{BodyOf as _, Try};

    use super::*;

    #[test]
    fn what_becomes_worse_is_another_alert_and_ends_the_one_that_it_was() {
        let ask = Try::<AlertmanagerRow>::new("server = 'http://127.0.0.1:9093'");
        let worse = ask.request(Kind::Worse, None).unwrap().json();
        assert_eq!(worse[0]["labels"]["severity"], "critical");
        assert_eq!(worse[1]["labels"]["severity"], "warning");
        assert!(worse[1]["endsAt"].as_str() < worse[0]["endsAt"].as_str());
        let over = ask.request(Kind::Over, None).unwrap().json();
        assert_eq!(over.as_array().unwrap().len(), 1);
        let opened = ask.request(Kind::Opened, None).unwrap().json();
        assert_eq!(over[0]["labels"], opened[0]["labels"]);
    }
}
