//! A program of the operator's that listens: the documented JSON, or what a template makes of it, with a signature.
//!
//! The signature is an HMAC-SHA256 (RFC 2104) over `TIMESTAMP.BODY`, in hexadecimal digits, with a version before it: whoever has
//! the key can tell that it is from the collector, that nothing was changed, and when it was signed. A second attempt has the same
//! `Quorate-Delivery`.

use std::path::PathBuf;

use model::alert::Kind;
use ring::hmac;
use settings::value::{absolute_or_none, refused, text};
use settings::{Contradiction, Taken, Value};

use super::row::{SecretUrl, missing, name, yes_or_no};
use super::template::Template;
use super::told::told;
use super::{Chat, Hidden, Http, Receiver, Request, Secret, SecretError, Sending, secret};

const MIN_KEY_BYTES: usize = 16;
const JSON: &str = "application/json; charset=utf-8";

settings::keys! {
    struct WebhookRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "url" => url: Secret = Secret::Unset, secret;
    /// What the signature is made with. Unset: none is made.
    "key" => key: Secret = Secret::Unset, secret;
    /// Whether it is told that another sentence is true of an open incident.
    "changes" => changes: bool = false, yes_or_no;
    /// What makes the body. `None`: it is the documented JSON.
    "template" => template: Option<PathBuf> = None, absolute_or_none;
    /// What the template makes.
    "content_type" => content_type: String = JSON.to_owned(), content_type;
}

fn is_whole(row: &WebhookRow) -> Vec<Contradiction> {
    let mut found = missing(&[("name", !row.name.is_empty()), ("url", row.url.is_set())]);
    if row.template.is_none() && row.content_type != JSON {
        let why = "is of what a template makes, and there is none: name one, or take it out";
        found.push(Contradiction::new("content_type", why));
    }
    found
}

fn content_type(value: &Value<'_>) -> Taken<String> {
    const ALLOWED: &str = "a media type in quotes, such as \"text/plain; charset=utf-8\"";
    let content_type = text(value, ALLOWED)?;
    let is_one = content_type.contains('/')
        && content_type
            .chars()
            .all(|letter| letter.is_ascii_graphic() || letter == ' ');
    if is_one {
        Ok(content_type.to_owned())
    } else {
        Err(refused(ALLOWED, format_args!("{content_type:?}")))
    }
}

#[derive(Debug)]
struct Webhook {
    url: SecretUrl,
    key: Option<Hidden>,
    changes: bool,
    template: Option<Template>,
    content_type: String,
}

impl Receiver for WebhookRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        let key = self
            .key
            .is_set()
            .then(|| self.key.reveal(&self.name, "key"));
        let key = key.transpose()?;
        if key
            .as_ref()
            .is_some_and(|key| key.get().len() < MIN_KEY_BYTES)
        {
            return Err(SecretError::Wrong {
                receiver: self.name.clone(),
                key: "key",
                why: "must have at least 16 letters: `openssl rand -hex 32` makes one",
            });
        }
        let template = self.template.as_ref();
        let template = template.map(|path| Template::read(path, &self.content_type, &self.name));
        Ok(Box::new(Webhook {
            url: SecretUrl::reveal(&self.url, &self.name)?,
            key,
            changes: self.changes,
            template: template.transpose()?,
            content_type: self.content_type.clone(),
        }))
    }
}

impl Chat for Webhook {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        if sending.message.kind == Kind::Changed && !self.changes {
            return None;
        }
        let (content_type, body) = self.body(sending);
        let timestamp = sending.now_unix_ms.div_euclid(1_000).to_string();
        let mut headers = vec![
            ("content-type", content_type.to_owned()),
            ("quorate-delivery", header(sending.key)),
            ("quorate-timestamp", timestamp.clone()),
        ];
        if let Some(key) = &self.key {
            headers.push(("quorate-signature", signature(key, &timestamp, &body)));
        }
        Some(Request::Http(Http {
            method: "POST",
            url: self.url.get().to_owned(),
            headers,
            body,
        }))
    }

    fn secrets(&self) -> Vec<&str> {
        let key = self.key.as_ref().map(Hidden::get);
        self.url.secrets().into_iter().chain(key).collect()
    }
}

impl Webhook {
    /// A message is never lost for the form that was wanted for it: the documented JSON says the same.
    fn body(&self, sending: &Sending<'_>) -> (&str, String) {
        let told = told(sending);
        let Some(template) = &self.template else {
            return (JSON, told.to_string());
        };
        match template.fill(&told) {
            Ok(body) => (&self.content_type, body),
            Err(why) => {
                tracing::warn!("a message goes out as plain JSON: {why}");
                (JSON, told.to_string())
            }
        }
    }
}

fn signature(key: &Hidden, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.get().as_bytes());
    let tag = hmac::sign(&key, format!("{timestamp}.{body}").as_bytes());
    let digits: String = tag
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("v1={digits}")
}

/// What a header can hold.
fn header(key: &str) -> String {
    key.chars()
        .map(|letter| {
            if letter.is_ascii_graphic() {
                letter
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::notify::testing::{BodyOf as _, Try};

    use super::*;

    const ROW: &str = "url = 'https://ops.example/hook/abcdefgh'";

    #[test]
    fn a_change_is_told_to_who_asks_for_it() {
        assert_eq!(
            Try::<WebhookRow>::new(ROW).request(Kind::Changed, None),
            None
        );
        let ask = Try::<WebhookRow>::new(&format!("{ROW}\nchanges = true"));
        assert!(ask.request(Kind::Changed, None).is_some());
    }

    #[test]
    fn the_template_of_the_page_makes_another_body_and_none_is_left_unsaid() {
        let page = include_str!("../../../docs/alerts.md");
        let template = page.split("```jinja\n").nth(1).unwrap();
        let template = template.split("```").next().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), template).unwrap();
        let row = format!("{ROW}\ntemplate = '{}'", file.path().display());
        let ask = Try::<WebhookRow>::new(&row);
        let body = ask.request(Kind::Opened, None).unwrap().json();
        assert_eq!(body["to"], "+43123456789");
        assert_eq!(body["urgent"], true);
        let text = body["text"].as_str().unwrap();
        assert!(text.starts_with("CRITICAL test: this is a test: switch sw-b is down"));
        assert!(text.ends_with(" (8 of 8 votes, 5 needed, margin 3)"));
    }

    #[test]
    fn the_signature_is_what_any_other_hmac_says() {
        // printf '1795356202.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let signature = signature(&Hidden::new("0123456789abcdef"), "1795356202", "{}");
        assert_eq!(
            signature,
            "v1=3e9a1ee36f996d1ae9940ab9caccd4235569332ea620cc89002848ed5ff6db81"
        );
    }
}
