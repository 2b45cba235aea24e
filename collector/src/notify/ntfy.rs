//! ntfy, on ntfy.sh or on a server of one's own.
//!
//! From ntfy's pages "Publishing" (publish as JSON, priority, tags, click, authentication) and "Configuration" (message size): a
//! message of more than 4,096 bytes becomes an attachment, and the JSON has twice as much room. Words are plain text unless
//! Markdown is asked for. Editing (ntfy 2.16) is left out: an older server says the message anew and does not tell.

use serde_json::{Value as Json, json};
use settings::Contradiction;

use super::parts::{
    PLAIN_BYTES, Tone, bearer, fitted, http, is_news, lines, link, plain_lines, set, title,
};
use super::row::{missing, name, web_address};
use super::{Chat, Hidden, Receiver, Request, Secret, SecretError, Sending, secret};

const TITLE_BYTES: usize = 250;
const HEADLINE_BYTES: usize = 1_000;
const LINES_BYTES: usize = 1_500;

settings::keys! {
    struct NtfyRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "server" => server: String = "https://ntfy.sh".to_owned(), web_address;
    "topic" => topic: Secret = Secret::Unset, secret;
    /// Of a topic that not everybody may write to.
    "token" => token: Secret = Secret::Unset, secret;
}

/// Who knows the topic can read it: it is a secret itself.
fn is_whole(row: &NtfyRow) -> Vec<Contradiction> {
    missing(&[
        ("name", !row.name.is_empty()),
        ("server", !row.server.is_empty()),
        ("topic", row.topic.is_set()),
    ])
}

#[derive(Debug)]
struct Ntfy {
    server: String,
    topic: Hidden,
    token: Option<Hidden>,
}

impl Receiver for NtfyRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        let topic = self.topic.reveal(&self.name, "topic")?;
        let is_topic = topic.get().len() <= 64
            && topic
                .get()
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter));
        if !is_topic {
            return Err(SecretError::Wrong {
                receiver: self.name.clone(),
                key: "topic",
                why: "must be at most 64 letters, digits, _ and -",
            });
        }
        let token = self
            .token
            .is_set()
            .then(|| self.token.reveal(&self.name, "token"));
        Ok(Box::new(Ntfy {
            server: self.server.clone(),
            topic,
            token: token.transpose()?,
        }))
    }
}

impl Chat for Ntfy {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let headers = self.token.iter().map(bearer).collect();
        let payload = self.payload(sending);
        is_news(sending.message)
            .then(|| http("POST", format!("{}/", self.server), headers, &payload))
    }

    fn secrets(&self) -> Vec<&str> {
        let token = self.token.as_ref().map(Hidden::get);
        token.into_iter().chain([self.topic.get()]).collect()
    }
}

impl Ntfy {
    fn payload(&self, sending: &Sending<'_>) -> Json {
        let message = sending.message;
        let (title, whole) = title(message, TITLE_BYTES, PLAIN_BYTES);
        let mut text = whole.map_or(String::new(), |whole| {
            fitted(&whole, HEADLINE_BYTES, PLAIN_BYTES) + "\n"
        });
        text.push_str(&plain_lines(&lines(sending), LINES_BYTES, PLAIN_BYTES));
        let (priority, tag) = looks(Tone::of(message));
        let mut payload = json!({
            "topic": self.topic.get(),
            "title": title,
            "message": text,
            "priority": priority,
            "tags": [tag],
        });
        if let Some(link) = link(message) {
            set(&mut payload, "click", json!(link));
        }
        payload
    }
}

/// From 1 to 5, and the picture before the title: ntfy knows these by their names.
fn looks(tone: Tone) -> (u8, &'static str) {
    match tone {
        Tone::Critical => (5, "red_circle"),
        Tone::Warning => (4, "orange_circle"),
        Tone::Info => (3, "large_blue_circle"),
        Tone::Over => (3, "green_circle"),
    }
}
