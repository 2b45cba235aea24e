//! Rocket.Chat, by a user's token or by an incoming webhook.
//!
//! From Rocket.Chat's pages "Post message", "Update message" and "Incoming webhooks", and the grammar of its message parser: a
//! message has 5,000 letters unless its server says otherwise. `chat.update` takes words alone: what may be edited later has no
//! attachment, and so no colour. A backslash works before a few marks only; links and mentions are broken by a blank without
//! width.

use serde_json::{Value as Json, json};
use settings::Contradiction;

use super::parts::{
    Format, Tone, Way, at, body, delivered, fitted, fitted_lines, http, is_news, lines, link, set,
    title, utf16, way,
};
use super::row::{SecretUrl, missing, name, url_or_token, web_address, word};
use super::{
    Answer, Chat, Hidden, Outcome, Receiver, Request, Secret, SecretError, Sending, later, said,
    secret,
};

const HEADLINE_LETTERS: usize = 1_000;
const TITLE_LETTERS: usize = 300;
const LINES_LETTERS: usize = 3_000;

const MARKED: Format = Format {
    escape: |letter| match letter {
        '*' => Some("\\*"),
        '_' => Some("\\_"),
        '~' => Some("\\~"),
        '`' => Some("\\`"),
        '#' => Some("\\#"),
        ']' => Some("]\u{200b}"),
        '<' => Some("<\u{200b}"),
        '|' => Some("|\u{200b}"),
        '@' => Some("@\u{200b}"),
        '$' => Some("$\u{200b}"),
        _ => None,
    },
    size: utf16,
};

settings::keys! {
    struct RocketChatRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    /// Of an incoming webhook.
    "url" => url: Secret = Secret::Unset, secret;
    /// Of a user, with these three.
    "token" => token: Secret = Secret::Unset, secret;
    "user_id" => user_id: String = String::new(), word;
    "server" => server: String = String::new(), web_address;
    "channel" => channel: String = String::new(), word;
}

fn is_whole(row: &RocketChatRow) -> Vec<Contradiction> {
    let mut found = missing(&[("name", !row.name.is_empty())]);
    let with_token = &[
        ("user_id", !row.user_id.is_empty()),
        ("server", !row.server.is_empty()),
        ("channel", !row.channel.is_empty()),
    ];
    found.extend(url_or_token(&row.url, &row.token, with_token));
    found
}

#[derive(Debug)]
enum RocketChat {
    Webhook(SecretUrl),
    User {
        server: String,
        token: Hidden,
        user_id: String,
        channel: String,
    },
}

impl Receiver for RocketChatRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        if self.url.is_set() {
            let url = SecretUrl::reveal(&self.url, &self.name)?;
            return Ok(Box::new(RocketChat::Webhook(url)));
        }
        Ok(Box::new(RocketChat::User {
            server: self.server.clone(),
            token: self.token.reveal(&self.name, "token")?,
            user_id: self.user_id.clone(),
            channel: self.channel.clone(),
        }))
    }
}

impl Chat for RocketChat {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let (server, token, user_id, channel) = match self {
            Self::Webhook(url) => {
                let is_told = is_news(sending.message);
                return is_told
                    .then(|| http("POST", url.get().to_owned(), Vec::new(), &attached(sending)));
            }
            Self::User {
                server,
                token,
                user_id,
                channel,
            } => (server, token, user_id, channel),
        };
        let headers = vec![
            ("x-auth-token", token.get().to_owned()),
            ("x-user-id", user_id.clone()),
        ];
        let text = words(sending);
        let (verb, payload) = match way(sending)? {
            Way::Edit(first) => {
                let (room, id) = first.split_once('/').unwrap_or(("", first));
                (
                    "chat.update",
                    json!({"roomId": room, "msgId": id, "text": text}),
                )
            }
            Way::New => {
                let mut post = json!({"channel": channel, "text": text, "parseUrls": false});
                if let Some((_, id)) = sending.first.and_then(|first| first.split_once('/')) {
                    set(&mut post, "tmid", json!(id));
                    // Seen in the channel, too.
                    set(&mut post, "tshow", json!(true));
                }
                ("chat.postMessage", post)
            }
        };
        Some(http(
            "POST",
            format!("{server}/api/v1/{verb}"),
            headers,
            &payload,
        ))
    }

    fn read(&self, sending: &Sending<'_>, answer: &Answer) -> Outcome {
        let came = body(answer);
        let error = at(&came, "/error").as_str().unwrap_or_default();
        let ids = at(&came, "/message/rid")
            .as_str()
            .zip(at(&came, "/message/_id").as_str());
        let is_hook = matches!(self, Self::Webhook(_));
        match answer.status {
            200..=299 if is_hook => Outcome::Delivered { receipt: None },
            200 if *at(&came, "/success") == true => {
                delivered(sending, ids.map(|(room, id)| format!("{room}/{id}")))
            }
            _ if error.contains("error-message-size-exceeded") => {
                Outcome::Refused { why: said(answer) }
            }
            // It says 400 of most things, of rooms and users, too. Where it is because of the first message, it helps to say it anew;
            // where it is not, the same is said of that.
            400 if !is_hook && sending.first.is_some() => Outcome::FirstIsGone,
            _ => later(answer),
        }
    }

    fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Webhook(url) => url.secrets(),
            Self::User { token, .. } => vec![token.get()],
        }
    }
}

/// With a colour, for what is never edited.
fn attached(sending: &Sending<'_>) -> Json {
    let message = sending.message;
    let (title, whole) = title(message, TITLE_LETTERS, MARKED);
    let mut text = whole.map_or(String::new(), |whole| {
        fitted(&whole, HEADLINE_LETTERS, MARKED) + "\n"
    });
    text.push_str(&marked(sending));
    let mut attachment = json!({"color": Tone::of(message).hex(), "title": title, "text": text});
    if let Some(link) = link(message) {
        set(&mut attachment, "title_link", json!(link));
    }
    json!({"attachments": [attachment]})
}

/// Without a mark before the headline: it stands as it is on a phone.
fn words(sending: &Sending<'_>) -> String {
    let headline = fitted(&sending.message.headline(), HEADLINE_LETTERS, MARKED);
    format!("{headline}\n{}", marked(sending))
}

fn marked(sending: &Sending<'_>) -> String {
    let link = link(sending.message);
    let said = fitted_lines(&lines(sending), LINES_LETTERS, "**: \n".len(), MARKED);
    let said = said.into_iter().map(|(label, words)| match link {
        // It finds the address by itself, if nothing is escaped in it.
        Some(link) if label == "page" => format!("*page*: {link}"),
        _ => format!("*{label}*: {words}"),
    });
    said.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use model::alert::Kind;

    use crate::notify::testing::{Try, is_later};

    use super::*;

    #[test]
    fn what_rocket_chat_answers_is_understood() {
        let ask = Try::<RocketChatRow>::new(
            "token = 's'\nuser_id = 'u1'\nserver = 'https://chat.example'\nchannel = '#alerts'",
        );
        let ok = r#"{"success":true,"message":{"_id":"m1","rid":"r1"}}"#;
        let receipt = Some("r1/m1".to_owned());
        assert_eq!(
            ask.read(Kind::Opened, 200, ok),
            Outcome::Delivered { receipt }
        );
        let gone = r#"{"success":false,"error":"No message found with the id of \"m1\"."}"#;
        assert_eq!(ask.read(Kind::Over, 400, gone), Outcome::FirstIsGone);
        let channel = r#"{"success":false,"error":"[invalid-channel]"}"#;
        let hook = Try::<RocketChatRow>::new("url = 'https://chat.example/hooks/1/abcdefgh'");
        assert!(is_later(&hook.read(Kind::Opened, 400, channel)));
        let long =
            r#"{"success":false,"error":"Message size exceeds … [error-message-size-exceeded]"}"#;
        assert!(matches!(
            ask.read(Kind::Opened, 400, long),
            Outcome::Refused { .. }
        ));
    }
}
