//! Matrix: a room, by the access token of an account that is in it.
//!
//! From the Matrix specification, "Client-Server API": send event (the transaction id makes a second attempt the same message),
//! m.room.message with `org.matrix.custom.html`, event replacements, rich replies, `m.mentions` (empty: nobody is called), and the
//! limit of 65,536 bytes for an event. Rooms with encryption are not for it: it has no keys.

use serde_json::{Value as Json, json};

use super::parts::{
    HTML_BYTES, PLAIN_BYTES, Tone, Way, at, bearer, body, delivered, fitted, fitted_lines, http,
    lines, link, path_segment, plain_lines, set, way,
};
use super::row::{missing, name, web_address, word};
use super::{
    Answer, Chat, Hidden, Outcome, Receiver, Request, Secret, SecretError, Sending, by_status,
    later, said, secret,
};

/// An edit holds everything twice, and JSON doubles what it escapes.
const HEADLINE_BYTES: usize = 2_000;
const LINES_BYTES: usize = 4_000;

settings::keys! {
    struct MatrixRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "homeserver" => homeserver: String = String::new(), web_address;
    "token" => token: Secret = Secret::Unset, secret;
    /// `!id:server`, not an alias.
    "room_id" => room_id: String = String::new(), word;
}

fn is_whole(row: &MatrixRow) -> Vec<settings::Contradiction> {
    let mut found = missing(&[
        ("name", !row.name.is_empty()),
        ("homeserver", !row.homeserver.is_empty()),
        ("token", row.token.is_set()),
        ("room_id", !row.room_id.is_empty()),
    ]);
    if !row.room_id.is_empty() && !row.room_id.starts_with('!') {
        let why = "must be a room's id, which begins with !: an alias is not taken";
        found.push(settings::Contradiction::new("room_id", why));
    }
    found
}

#[derive(Debug)]
struct Matrix {
    homeserver: String,
    token: Hidden,
    room_id: String,
}

impl Receiver for MatrixRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        Ok(Box::new(Matrix {
            homeserver: self.homeserver.clone(),
            token: self.token.reveal(&self.name, "token")?,
            room_id: self.room_id.clone(),
        }))
    }
}

impl Chat for Matrix {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let mut content = content(sending);
        match (way(sending)?, sending.first) {
            (Way::Edit(first), _) => {
                let new = content.clone();
                set(&mut content, "m.new_content", new);
                set(
                    &mut content,
                    "m.relates_to",
                    json!({"rel_type": "m.replace", "event_id": first}),
                );
            }
            (Way::New, Some(first)) => {
                set(
                    &mut content,
                    "m.relates_to",
                    json!({"m.in_reply_to": {"event_id": first}}),
                );
            }
            (Way::New, None) => {}
        }
        let url = format!(
            "{}/_matrix/client/v3/rooms/{}/send/m.room.message/{}",
            self.homeserver,
            path_segment(&self.room_id),
            path_segment(sending.key),
        );
        Some(http("PUT", url, vec![bearer(&self.token)], &content))
    }

    fn read(&self, sending: &Sending<'_>, answer: &Answer) -> Outcome {
        let came = body(answer);
        match (
            answer.status,
            at(&came, "/errcode").as_str().unwrap_or_default(),
        ) {
            (200..=299, _) => {
                delivered(sending, at(&came, "/event_id").as_str().map(str::to_owned))
            }
            (_, "M_LIMIT_EXCEEDED") => match at(&came, "/retry_after_ms").as_u64() {
                Some(ms) => Outcome::Later {
                    after: Some(std::time::Duration::from_millis(ms)),
                    why: said(answer),
                },
                None => later(answer),
            },
            // Synapse's word for an event that it does not know.
            (400, "M_UNKNOWN") if sending.first.is_some() => Outcome::FirstIsGone,
            // Of the room or the account, not of the message.
            (400, "M_INVALID_PARAM" | "M_UNKNOWN") => later(answer),
            _ => by_status(answer),
        }
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.token.get()]
    }
}

fn content(sending: &Sending<'_>) -> Json {
    let message = sending.message;
    let lines = lines(sending);
    let headline = message.headline();
    let mut html = format!(
        "<font color=\"{}\"><b>{}</b></font>",
        Tone::of(message).hex(),
        fitted(&headline, HEADLINE_BYTES, HTML_BYTES)
    );
    let link = link(message).filter(|link| link.len() <= LINES_BYTES / 4);
    for (label, words) in fitted_lines(&lines, LINES_BYTES, "<br><i>:</i> ".len(), HTML_BYTES) {
        let words = match link {
            Some(link) if label == "page" => {
                let link = fitted(link, usize::MAX, HTML_BYTES);
                format!("<a href=\"{link}\">open the incident</a>")
            }
            _ => words.replace('\n', "<br>"),
        };
        html.push_str(&format!("<br><i>{label}:</i> {words}"));
    }
    let body = format!(
        "{}\n{}",
        fitted(&headline, HEADLINE_BYTES, PLAIN_BYTES),
        plain_lines(&lines, LINES_BYTES, PLAIN_BYTES)
    );
    json!({
        "msgtype": "m.text",
        "body": body,
        "format": "org.matrix.custom.html",
        "formatted_body": html,
        "m.mentions": {},
    })
}

#[cfg(test)]
mod tests {
    use model::alert::Kind;

    use crate::notify::testing::{Try, is_later};

    use super::*;

    #[test]
    fn what_a_homeserver_answers_is_understood() {
        let ask = Try::<MatrixRow>::new(
            "homeserver = 'https://m.example'\ntoken = 't'\nroom_id = '!r:m.example'",
        );
        let receipt = Some("$e".to_owned());
        assert_eq!(
            ask.read(Kind::Opened, 200, r#"{"event_id":"$e"}"#),
            Outcome::Delivered { receipt }
        );
        let first = Some("first".to_owned());
        assert_eq!(
            ask.read(Kind::Changed, 200, r#"{"event_id":"$e"}"#),
            Outcome::Delivered { receipt: first }
        );
        assert!(is_later(&ask.read(
            Kind::Opened,
            401,
            r#"{"errcode":"M_UNKNOWN_TOKEN"}"#
        )));
        assert!(is_later(&ask.read(
            Kind::Opened,
            403,
            r#"{"errcode":"M_FORBIDDEN"}"#
        )));
        assert!(matches!(
            ask.read(Kind::Opened, 413, r#"{"errcode":"M_TOO_LARGE"}"#),
            Outcome::Refused { .. }
        ));
        let often = r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2000}"#;
        let Outcome::Later { after, .. } = ask.read(Kind::Opened, 429, often) else {
            panic!()
        };
        assert_eq!(after, Some(std::time::Duration::from_secs(2)));
    }
}
