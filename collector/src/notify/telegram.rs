//! Telegram, by a bot.
//!
//! From Telegram's page "Bot API" (sendMessage, editMessageText, HTML style, Making requests) and its FAQ on limits: a message has
//! 4,096 letters, a chat takes one message a second and a group 20 a minute. The token stands in the address.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::parts::{
    HTML, Way, at, body, delivered, fitted, fitted_lines, http, lines, link, seconds, set, utf16,
    way,
};
use super::row::{missing, name, web_address, word};
use super::{
    Answer, Chat, Hidden, Outcome, Receiver, Request, Secret, SecretError, Sending, later, said,
    secret,
};

const HEADLINE_LETTERS: usize = 1_000;
/// With the headline and its marks no more than 4,096, marks counted.
const LINES_LETTERS: usize = 3_000;

settings::keys! {
    struct TelegramRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "token" => token: Secret = Secret::Unset, secret;
    /// A number, or `@channel`.
    "chat_id" => chat_id: String = String::new(), word;
    /// Of a group with topics.
    "topic_id" => topic_id: Option<u32> = None, topic;
    "api" => api: String = "https://api.telegram.org".to_owned(), web_address;
}

/// 0 stands for none, so that the key can stand in the example.
fn topic(value: &settings::Value<'_>) -> settings::Taken<Option<u32>> {
    let number = settings::value::whole_number(value, "the topic", &(0..=u32::MAX))?;
    Ok((number > 0).then_some(number))
}

fn is_whole(row: &TelegramRow) -> Vec<settings::Contradiction> {
    missing(&[
        ("name", !row.name.is_empty()),
        ("token", row.token.is_set()),
        ("chat_id", !row.chat_id.is_empty()),
        ("api", !row.api.is_empty()),
    ])
}

#[derive(Debug)]
struct Telegram {
    api: String,
    token: Hidden,
    chat_id: String,
    topic_id: Option<u32>,
}

impl Receiver for TelegramRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        let token = self.token.reveal(&self.name, "token")?;
        let is_token = token
            .get()
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || ":_-".contains(letter));
        if !is_token {
            return Err(SecretError::Wrong {
                receiver: self.name.clone(),
                key: "token",
                why: "is no token of a bot: these are like 123456:AbC-dEf",
            });
        }
        Ok(Box::new(Telegram {
            api: self.api.clone(),
            token,
            chat_id: self.chat_id.clone(),
            topic_id: self.topic_id,
        }))
    }
}

impl Chat for Telegram {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let mut payload = json!({
            "chat_id": self.chat_id,
            "text": text(sending),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": true},
        });
        let verb = match way(sending)? {
            Way::Edit(first) => {
                set(&mut payload, "message_id", id(first));
                "editMessageText"
            }
            Way::New => {
                if let Some(topic) = self.topic_id {
                    set(&mut payload, "message_thread_id", json!(topic));
                }
                if let Some(first) = sending.first {
                    set(
                        &mut payload,
                        "reply_parameters",
                        json!({"message_id": id(first), "allow_sending_without_reply": true}),
                    );
                }
                "sendMessage"
            }
        };
        let url = format!("{}/bot{}/{verb}", self.api, self.token.get());
        Some(http("POST", url, Vec::new(), &payload))
    }

    fn read(&self, sending: &Sending<'_>, answer: &Answer) -> Outcome {
        let came = body(answer);
        if at(&came, "/ok") == true {
            let id = at(&came, "/result/message_id").as_i64();
            return delivered(sending, id.map(|id| id.to_string()));
        }
        if let Some(after) = seconds(at(&came, "/parameters/retry_after")) {
            return Outcome::Later {
                after: Some(after),
                why: said(answer),
            };
        }
        let why = at(&came, "/description")
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        match answer.status {
            400 if why.contains("message is not modified") => delivered(sending, None),
            400 if why.contains("message to edit not found")
                || why.contains("message can't be edited")
                || why.contains("message_id_invalid") =>
            {
                Outcome::FirstIsGone
            }
            400 | 413
                if why.contains("can't parse entities")
                    || why.contains("too long")
                    || why.contains("text is empty")
                    || answer.status == 413 =>
            {
                Outcome::Refused { why: said(answer) }
            }
            // Of a chat that is not there, a bot that was sent away, a topic that is closed: a person mends it.
            _ => later(answer),
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.token.get()]
    }
}

/// As it came: a number.
fn id(receipt: &str) -> Json {
    receipt
        .parse::<i64>()
        .map_or_else(|_| json!(receipt), |id| json!(id))
}

fn text(sending: &Sending<'_>) -> String {
    let headline = fitted(&sending.message.headline(), HEADLINE_LETTERS, HTML);
    let mut text = format!("<b>{headline}</b>");
    let link = link(sending.message);
    let linked = link.map_or(0, |link| {
        utf16(&fitted(link, usize::MAX, HTML)) + "\n<a href=\"\">open the incident</a>".len()
    });
    let mut below = lines(sending);
    below.retain(|line| link.is_none() || line.label != "page");
    for (label, words) in fitted_lines(
        &below,
        LINES_LETTERS - linked.min(LINES_LETTERS),
        "\n<i>:</i> ".len(),
        HTML,
    ) {
        text.push_str(&format!("\n<i>{label}:</i> {words}"));
    }
    if let Some(link) = link {
        let link = fitted(link, usize::MAX, HTML);
        text.push_str(&format!("\n<a href=\"{link}\">open the incident</a>"));
    }
    text
}

#[cfg(test)]
mod tests {
    use model::alert::Kind;

    use crate::notify::testing::{Try, is_later};

    use super::*;

    #[test]
    fn what_telegram_answers_is_understood() {
        let ask = Try::<TelegramRow>::new("token = '1:a'\nchat_id = '-100'");
        let receipt = Some("5".to_owned());
        let ok = r#"{"ok":true,"result":{"message_id":5}}"#;
        assert_eq!(
            ask.read(Kind::Opened, 200, ok),
            Outcome::Delivered { receipt }
        );
        let first = Some("first".to_owned());
        let said = |why: &str| {
            format!(r#"{{"ok":false,"error_code":400,"description":"Bad Request: {why}"}}"#)
        };
        assert_eq!(
            ask.read(Kind::Over, 400, &said("message is not modified: …")),
            Outcome::Delivered { receipt: first }
        );
        assert_eq!(
            ask.read(Kind::Over, 400, &said("message to edit not found")),
            Outcome::FirstIsGone
        );
        assert!(is_later(&ask.read(
            Kind::Opened,
            400,
            &said("chat not found")
        )));
        assert!(is_later(&ask.read(
            Kind::Opened,
            401,
            r#"{"ok":false,"description":"Unauthorized"}"#
        )));
        let refused = ask.read(Kind::Opened, 400, &said("message is too long"));
        assert!(matches!(refused, Outcome::Refused { .. }), "{refused:?}");
        let often = r#"{"ok":false,"error_code":429,"parameters":{"retry_after":35}}"#;
        let Outcome::Later { after, .. } = ask.read(Kind::Opened, 429, often) else {
            panic!()
        };
        assert_eq!(after, Some(Duration::from_secs(35)));
    }
}
