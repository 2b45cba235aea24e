//! Microsoft Teams, by a webhook of the Workflows app ("Post to a channel when a webhook request is received").
//!
//! From Microsoft's pages "Create incoming webhooks with Workflows", "Format cards in Microsoft Teams" and "Adaptive Cards 1.4":
//! a message has 28 KB, counted double where no charset is named. Words stand in text runs, which know no Markdown. Nothing can be
//! edited, and a phone shows that there is a card, not what it says.

use serde_json::{Value as Json, json};

use super::parts::{
    PLAIN_BYTES, Tone, at, body, fitted, fitted_lines, http, is_news, lines, link, set,
};
use super::row::{SecretUrl, missing, name};
use super::{
    Answer, Chat, Outcome, Receiver, Request, Secret, SecretError, Sending, by_status, later,
    secret,
};

/// Twice as long at most as JSON: control characters are gone before.
const HEADLINE_BYTES: usize = 2_000;
const LINES_BYTES: usize = 8_000;

settings::keys! {
    struct TeamsRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "url" => url: Secret = Secret::Unset, secret;
}

fn is_whole(row: &TeamsRow) -> Vec<settings::Contradiction> {
    missing(&[("name", !row.name.is_empty()), ("url", row.url.is_set())])
}

#[derive(Debug)]
struct Teams {
    url: SecretUrl,
}

impl Receiver for TeamsRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        let url = SecretUrl::reveal(&self.url, &self.name)?;
        Ok(Box::new(Teams { url }))
    }
}

impl Chat for Teams {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let is_told = is_news(sending.message);
        is_told.then(|| {
            http(
                "POST",
                self.url.get().to_owned(),
                Vec::new(),
                &payload(sending),
            )
        })
    }

    fn read(&self, _sending: &Sending<'_>, answer: &Answer) -> Outcome {
        match at(&body(answer), "/error/code").as_str() {
            // Of the flow (it is switched off, or gone), not of the message.
            Some(code) if code.starts_with("Workflow") => later(answer),
            _ => by_status(answer),
        }
    }

    /// The flow takes 100 in a minute.
    fn pause(&self) -> std::time::Duration {
        std::time::Duration::from_secs(1)
    }

    fn secrets(&self) -> Vec<&str> {
        self.url.secrets()
    }
}

fn payload(sending: &Sending<'_>) -> Json {
    let message = sending.message;
    let headline = fitted(&message.headline(), HEADLINE_BYTES, PLAIN_BYTES);
    let said = fitted_lines(&lines(sending), LINES_BYTES, 0, PLAIN_BYTES);
    let said = said.into_iter().map(|(label, words)| {
        runs(&[
            json!({"type": "TextRun", "text": format!("{label}: "), "weight": "bolder"}),
            json!({"type": "TextRun", "text": words}),
        ])
    });
    let run = json!({"type": "TextRun", "text": headline, "weight": "bolder", "size": "medium"});
    let mut card_body = vec![json!({
        "type": "Container",
        "style": style(Tone::of(message)),
        "bleed": true,
        "items": [runs(&[run])],
    })];
    card_body.extend(said);
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": headline,
        "msteams": {"width": "Full"},
        "body": card_body,
    });
    if let Some(link) = link(message) {
        set(
            &mut card,
            "actions",
            json!([{"type": "Action.OpenUrl", "title": "Open the incident", "url": link}]),
        );
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

fn runs(runs: &[Json]) -> Json {
    json!({"type": "RichTextBlock", "inlines": runs})
}

/// The styles of a container are Teams' own red, amber, blue and green.
fn style(tone: Tone) -> &'static str {
    match tone {
        Tone::Critical => "attention",
        Tone::Warning => "warning",
        Tone::Info => "accent",
        Tone::Over => "good",
    }
}
