//! Gotify, by the token of an application on it.
//!
//! From Gotify's pages "Push messages" and "Message extras", and its API reference (`POST /message`). It has no limit of its own;
//! what a phone can show has. Nothing can be edited.

use serde_json::json;

use super::parts::{
    PLAIN_BYTES, Tone, fitted, http, is_news, lines, link, plain_lines, set, title,
};
use super::row::{missing, name, web_address};
use super::{Chat, Hidden, Receiver, Request, Secret, SecretError, Sending, secret};

const TITLE_BYTES: usize = 250;
const HEADLINE_BYTES: usize = 2_000;
const LINES_BYTES: usize = 8_000;

settings::keys! {
    struct GotifyRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "server" => server: String = String::new(), web_address;
    "token" => token: Secret = Secret::Unset, secret;
}

fn is_whole(row: &GotifyRow) -> Vec<settings::Contradiction> {
    missing(&[
        ("name", !row.name.is_empty()),
        ("server", !row.server.is_empty()),
        ("token", row.token.is_set()),
    ])
}

#[derive(Debug)]
struct Gotify {
    server: String,
    token: Hidden,
}

impl Receiver for GotifyRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        Ok(Box::new(Gotify {
            server: self.server.clone(),
            token: self.token.reveal(&self.name, "token")?,
        }))
    }
}

impl Chat for Gotify {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let message = sending.message;
        if !is_news(message) {
            return None;
        }
        let (title, whole) = title(message, TITLE_BYTES, PLAIN_BYTES);
        let mut text = whole.map_or(String::new(), |whole| {
            fitted(&whole, HEADLINE_BYTES, PLAIN_BYTES) + "\n"
        });
        text.push_str(&plain_lines(&lines(sending), LINES_BYTES, PLAIN_BYTES));
        let mut extras = json!({"client::display": {"contentType": "text/plain"}});
        if let Some(link) = link(message) {
            set(
                &mut extras,
                "client::notification",
                json!({"click": {"url": link}}),
            );
        }
        let payload = json!({
            "title": title,
            "message": text,
            "priority": priority(Tone::of(message)),
            "extras": extras,
        });
        let headers = vec![("x-gotify-key", self.token.get().to_owned())];
        Some(http(
            "POST",
            format!("{}/message", self.server),
            headers,
            &payload,
        ))
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.token.get()]
    }
}

/// From 0 to 10; Android makes a sound from 4 on, and more of it from 8 on.
fn priority(tone: Tone) -> u8 {
    match tone {
        Tone::Critical => 8,
        Tone::Warning => 5,
        Tone::Info => 3,
        Tone::Over => 4,
    }
}
