//! Slack, by an app's token or by an incoming webhook.
//!
//! From Slack's pages "chat.postMessage", "chat.update", "Sending messages using incoming webhooks", "Block Kit: blocks" and
//! "Rate limits": a header has 150 letters, a section 3,000, a message 50 blocks, and all of them together about 13,000
//! (`msg_blocks_too_long`); one message a second and channel. `&`, `<` and `>` are escaped, and `verbatim` keeps Slack from
//! making mentions and links of plain words. A webhook gives no receipt: what it said can be neither edited nor threaded.

use std::time::Duration;

use model::alert::Line;
use serde_json::{Value as Json, json};
use settings::Contradiction;

use super::parts::{
    Format, Tone, Way, at, bearer, body, delivered, fitted, fitted_lines, http, is_news, lines,
    link, set, title, utf16, way,
};
use super::row::{SecretUrl, missing, name, url_or_token, web_address, word};
use super::{
    Answer, Chat, Hidden, Outcome, Receiver, Request, Secret, SecretError, Sending, by_status,
    later, said, secret,
};

const HEADER_LETTERS: usize = 150;
const SECTION_LETTERS: usize = 3_000;
const FALLBACK_LETTERS: usize = 1_000;

const MRKDWN: Format = Format {
    escape: |letter| match letter {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    },
    size: utf16,
};

/// Nothing is looked for in it; should that ever change, a mention is broken all the same.
const PLAIN_TEXT: Format = Format {
    escape: |letter| (letter == '<').then_some("<\u{200b}"),
    size: utf16,
};

settings::keys! {
    struct SlackRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    /// Of an incoming webhook.
    "url" => url: Secret = Secret::Unset, secret;
    /// Of an app: `xoxb-…`, with the scope `chat:write`.
    "token" => token: Secret = Secret::Unset, secret;
    "channel" => channel: String = String::new(), word;
    "api" => api: String = "https://slack.com/api".to_owned(), web_address;
}

fn is_whole(row: &SlackRow) -> Vec<Contradiction> {
    let mut found = missing(&[("name", !row.name.is_empty())]);
    let with_token = &[("channel", !row.channel.is_empty())];
    found.extend(url_or_token(&row.url, &row.token, with_token));
    found.extend(missing(&[("api", !row.api.is_empty())]));
    if row.url.is_set() && !row.channel.is_empty() {
        let why = "does not go with `url`: an incoming webhook has its own channel";
        found.push(Contradiction::new("channel", why));
    }
    found
}

#[derive(Debug)]
enum Slack {
    Webhook(SecretUrl),
    App {
        api: String,
        token: Hidden,
        channel: String,
    },
}

impl Receiver for SlackRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        if self.url.is_set() {
            let url = SecretUrl::reveal(&self.url, &self.name)?;
            return Ok(Box::new(Slack::Webhook(url)));
        }
        Ok(Box::new(Slack::App {
            api: self.api.clone(),
            token: self.token.reveal(&self.name, "token")?,
            channel: self.channel.clone(),
        }))
    }
}

impl Chat for Slack {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let mut payload = payload(sending);
        let (api, token, channel) = match self {
            Self::Webhook(url) => {
                let is_told = is_news(sending.message);
                return is_told.then(|| http("POST", url.get().to_owned(), Vec::new(), &payload));
            }
            Self::App {
                api,
                token,
                channel,
            } => (api, token, channel),
        };
        let verb = match (way(sending)?, sending.first) {
            (Way::Edit(first), _) => {
                let (channel, ts) = first.split_once('/').unwrap_or((channel, first));
                set(&mut payload, "channel", json!(channel));
                set(&mut payload, "ts", json!(ts));
                "chat.update"
            }
            (Way::New, first) => {
                set(&mut payload, "channel", json!(channel));
                set(&mut payload, "unfurl_links", json!(false));
                if let Some((_, ts)) = first.and_then(|first| first.split_once('/')) {
                    set(&mut payload, "thread_ts", json!(ts));
                    // What stands in a thread alone calls nobody who does not follow it.
                    set(&mut payload, "reply_broadcast", json!(true));
                }
                "chat.postMessage"
            }
        };
        Some(http(
            "POST",
            format!("{api}/{verb}"),
            vec![bearer(token)],
            &payload,
        ))
    }

    fn read(&self, sending: &Sending<'_>, answer: &Answer) -> Outcome {
        if matches!(self, Self::Webhook(_)) || answer.status != 200 {
            return match (answer.status, answer.body.trim()) {
                // Of the webhook, not of the message.
                (400, "user_not_found") => later(answer),
                _ => by_status(answer),
            };
        }
        let came = body(answer);
        if at(&came, "/ok") == true {
            let receipt = at(&came, "/channel")
                .as_str()
                .zip(at(&came, "/ts").as_str());
            return delivered(
                sending,
                receipt.map(|(channel, ts)| format!("{channel}/{ts}")),
            );
        }
        match at(&came, "/error").as_str().unwrap_or_default() {
            "message_not_found"
            | "thread_not_found"
            | "cant_update_message"
            | "edit_window_closed" => Outcome::FirstIsGone,
            "msg_too_long"
            | "no_text"
            | "invalid_blocks"
            | "invalid_blocks_format"
            | "msg_blocks_too_long"
            | "invalid_attachments"
            | "too_many_attachments"
            | "invalid_arguments"
            | "invalid_json"
            | "json_not_object" => Outcome::Refused { why: said(answer) },
            // Too often, a key or a channel that a person mends, Slack's own trouble, and what is new.
            _ => later(answer),
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Webhook(url) => url.secrets(),
            Self::App { token, .. } => vec![token.get()],
        }
    }
}

fn payload(sending: &Sending<'_>) -> Json {
    let message = sending.message;
    let (header, whole) = title(message, HEADER_LETTERS, PLAIN_TEXT);
    let mut below = Vec::new();
    if let Some(whole) = whole {
        let text = fitted(&whole, SECTION_LETTERS, PLAIN_TEXT);
        below.push(json!({"type": "section", "text": {"type": "plain_text", "text": text, "emoji": false}}));
    }
    let lines = lines(sending);
    below.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": marked(&lines, link(message)), "verbatim": true}}));
    json!({
        // What a notification shows; with blocks it stands nowhere else.
        "text": fitted(&message.headline(), FALLBACK_LETTERS, MRKDWN),
        "blocks": [{"type": "header", "text": {"type": "plain_text", "text": header, "emoji": false}}],
        "attachments": [{"color": Tone::of(message).hex(), "blocks": below}],
    })
}

/// The lines with their labels in bold, and the page as a link.
fn marked(lines: &[Line], link: Option<&str>) -> String {
    let linked = link.map_or(0, |link| utf16(link) + "<|open>".len());
    let room = SECTION_LETTERS - linked;
    let said = fitted_lines(lines, room, "*:* \n".len(), MRKDWN);
    let said = said.into_iter().map(|(label, words)| match link {
        // The words of a link are one of Slack's own marks: they are not escaped as words are.
        Some(link) if label == "page" => {
            format!("*page:* <{}|open>", link.replace('&', "&amp;"))
        }
        _ => format!("*{label}:* {words}"),
    });
    said.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use model::alert::Kind;

    use crate::notify::testing::{Try, is_later};

    use super::*;

    const APP: &str = "token = 'xoxb-1-secret'\nchannel = '#alerts'";

    #[test]
    fn what_slack_answers_is_understood() {
        let ask = Try::<SlackRow>::new(APP);
        let ok = r#"{"ok":true,"channel":"C1","ts":"1503435956.000247"}"#;
        let receipt = Some("C1/1503435956.000247".to_owned());
        assert_eq!(
            ask.read(Kind::Opened, 200, ok),
            Outcome::Delivered { receipt }
        );
        for gone in ["message_not_found", "thread_not_found"] {
            let said = format!(r#"{{"ok":false,"error":"{gone}"}}"#);
            assert_eq!(ask.read(Kind::Over, 200, &said), Outcome::FirstIsGone);
        }
        for person in [
            "ratelimited",
            "invalid_auth",
            "channel_not_found",
            "not_in_channel",
            "new",
        ] {
            let said = format!(r#"{{"ok":false,"error":"{person}"}}"#);
            assert!(is_later(&ask.read(Kind::Opened, 200, &said)), "{person}");
        }
        let refused = ask.read(Kind::Opened, 200, r#"{"ok":false,"error":"msg_too_long"}"#);
        assert!(matches!(refused, Outcome::Refused { .. }), "{refused:?}");
        let hook = Try::<SlackRow>::new("url = 'https://hooks.slack.com/services/T0/B0/abcdefgh'");
        assert_eq!(
            hook.read(Kind::Opened, 200, "ok"),
            Outcome::Delivered { receipt: None }
        );
        assert!(is_later(&hook.read(Kind::Opened, 404, "no_service")));
        assert!(is_later(&hook.read(
            Kind::Opened,
            410,
            "channel_is_archived"
        )));
        let refused = hook.read(Kind::Opened, 400, "invalid_blocks");
        assert!(matches!(refused, Outcome::Refused { .. }), "{refused:?}");
    }

    #[test]
    fn a_webhook_is_not_told_again_what_it_cannot_edit() {
        let hook = Try::<SlackRow>::new("url = 'https://hooks.slack.com/services/T0/B0/abcdefgh'");
        assert_eq!(hook.request(Kind::Changed, None), None);
        assert_eq!(hook.request(Kind::Joined, None), None);
        assert!(hook.request(Kind::Over, None).is_some());
    }
}
