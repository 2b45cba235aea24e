//! Mattermost, by a bot's token or by an incoming webhook.
//!
//! From Mattermost's pages "Incoming webhooks", "Message attachments" and its API reference ("Create a post", "Patch a post"): a
//! message has 16,383 letters. Words in attachments are Markdown, and `@channel` in them calls everybody: see [`MARKDOWN`]. With
//! collapsed threads a reply is not seen in its channel, so that news are posts of their own.

use model::alert::Line;
use serde_json::{Value as Json, json};
use settings::Contradiction;

use super::parts::{
    MARKDOWN, NOBODY_CALLED, Tone, Way, at, bearer, body, delivered, fitted, fitted_lines, http,
    is_news, lines, link, path_segment, set, title, way,
};
use super::row::{SecretUrl, missing, name, url_or_token, web_address, word};
use super::{
    Answer, Chat, Hidden, Outcome, Receiver, Request, Secret, SecretError, Sending, by_status,
    later, secret,
};

const TITLE_LETTERS: usize = 300;
const HEADLINE_LETTERS: usize = 2_000;
const LINES_LETTERS: usize = 8_000;

settings::keys! {
    struct MattermostRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    /// Of an incoming webhook.
    "url" => url: Secret = Secret::Unset, secret;
    /// Of a bot, with these two.
    "token" => token: Secret = Secret::Unset, secret;
    "server" => server: String = String::new(), web_address;
    "channel_id" => channel_id: String = String::new(), word;
}

fn is_whole(row: &MattermostRow) -> Vec<Contradiction> {
    let mut found = missing(&[("name", !row.name.is_empty())]);
    let with_token = &[
        ("server", !row.server.is_empty()),
        ("channel_id", !row.channel_id.is_empty()),
    ];
    found.extend(url_or_token(&row.url, &row.token, with_token));
    found
}

#[derive(Debug)]
enum Mattermost {
    Webhook(SecretUrl),
    Bot {
        server: String,
        token: Hidden,
        channel_id: String,
    },
}

impl Receiver for MattermostRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        if self.url.is_set() {
            let url = SecretUrl::reveal(&self.url, &self.name)?;
            return Ok(Box::new(Mattermost::Webhook(url)));
        }
        Ok(Box::new(Mattermost::Bot {
            server: self.server.clone(),
            token: self.token.reveal(&self.name, "token")?,
            channel_id: self.channel_id.clone(),
        }))
    }
}

impl Chat for Mattermost {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let attachments = attachments(sending);
        let (server, token, channel_id) = match self {
            Self::Webhook(url) => {
                let is_told = is_news(sending.message);
                let payload = json!({"attachments": attachments});
                return is_told.then(|| http("POST", url.get().to_owned(), Vec::new(), &payload));
            }
            Self::Bot {
                server,
                token,
                channel_id,
            } => (server, token, channel_id),
        };
        let headers = vec![bearer(token)];
        Some(match way(sending)? {
            Way::New => {
                let post = json!({"channel_id": channel_id, "message": "", "props": {"attachments": attachments}});
                http("POST", format!("{server}/api/v4/posts"), headers, &post)
            }
            Way::Edit(first) => {
                let patch = json!({"message": "", "props": {"attachments": attachments}});
                let url = format!("{server}/api/v4/posts/{}/patch", path_segment(first));
                http("PUT", url, headers, &patch)
            }
        })
    }

    fn read(&self, sending: &Sending<'_>, answer: &Answer) -> Outcome {
        let came = body(answer);
        if matches!(self, Self::Bot { .. }) && (200..=299).contains(&answer.status) {
            return delivered(sending, at(&came, "/id").as_str().map(str::to_owned));
        }
        let is_edit =
            matches!(self, Self::Bot { .. }) && matches!(way(sending), Some(Way::Edit(_)));
        let is_too_late =
            at(&came, "/id") == "api.post.update_post.permissions_time_limit.app_error";
        if is_edit && (answer.status == 404 || is_too_late) {
            return Outcome::FirstIsGone;
        }
        let error = at(&came, "/id").as_str().unwrap_or_default();
        match error.strip_prefix("web.incoming_webhook.") {
            // Of the hook or its channel, not of the message.
            Some(of) if !of.starts_with("text") && !of.starts_with("parse") => later(answer),
            _ => by_status(answer),
        }
    }

    fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Webhook(url) => url.secrets(),
            Self::Bot { token, .. } => vec![token.get()],
        }
    }
}

fn attachments(sending: &Sending<'_>) -> Json {
    let message = sending.message;
    let (title, whole) = title(message, TITLE_LETTERS, MARKDOWN);
    let mut text = whole.map_or(String::new(), |whole| {
        fitted(&whole, HEADLINE_LETTERS, MARKDOWN) + "\n"
    });
    text.push_str(&marked(&lines(sending)));
    let mut attachment = json!({
        // What a notification shows; it is no Markdown.
        "fallback": fitted(&message.headline(), TITLE_LETTERS, NOBODY_CALLED),
        "color": Tone::of(message).hex(),
        "title": title,
        "text": text,
    });
    if let Some(link) = link(message) {
        set(&mut attachment, "title_link", json!(link));
    }
    json!([attachment])
}

fn marked(lines: &[Line]) -> String {
    let said = fitted_lines(lines, LINES_LETTERS, "**:**   \n".len(), MARKDOWN);
    let said = said
        .into_iter()
        .map(|(label, words)| format!("**{label}:** {words}"));
    // Two blanks: the line ends here.
    said.collect::<Vec<_>>().join("  \n")
}

#[cfg(test)]
mod tests {
    use model::alert::Kind;

    use crate::notify::testing::{Try, is_later};

    use super::*;

    #[test]
    fn what_mattermost_answers_is_understood() {
        let ask = Try::<MattermostRow>::new(
            "token = 's'\nserver = 'https://chat.example/'\nchannel_id = 'c1'",
        );
        let receipt = Some("p1".to_owned());
        assert_eq!(
            ask.read(Kind::Opened, 201, r#"{"id":"p1"}"#),
            Outcome::Delivered { receipt }
        );
        let first = Some("first".to_owned());
        assert_eq!(
            ask.read(Kind::Over, 200, r#"{"id":"p1"}"#),
            Outcome::Delivered { receipt: first }
        );
        let gone = r#"{"id":"app.post.get.app_error","status_code":404}"#;
        assert_eq!(ask.read(Kind::Over, 404, gone), Outcome::FirstIsGone);
        assert!(is_later(&ask.read(Kind::Opened, 404, gone)));
        assert!(is_later(&ask.read(Kind::Opened, 401, "")));
        assert!(matches!(
            ask.read(Kind::Opened, 400, "{}"),
            Outcome::Refused { .. }
        ));
    }
}
