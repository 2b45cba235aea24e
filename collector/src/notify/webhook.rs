//! A program of the operator's that listens: the documented JSON, with a signature.
//!
//! The signature is an HMAC-SHA256 (RFC 2104) over `TIMESTAMP.BODY`, in hexadecimal digits, with a version before it: whoever has
//! the key can tell that it is from the collector, that nothing was changed, and when it was signed. A second attempt has the same
//! `Quorate-Delivery`.

use model::alert::Kind;
use ring::hmac;

use super::parts::{SecretUrl, missing, name, yes_or_no};
use super::told::told;
use super::{Chat, Hidden, Http, Receiver, Request, Secret, SecretError, Sending, secret};

const MIN_KEY_BYTES: usize = 16;

settings::keys! {
    struct WebhookRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "url" => url: Secret = Secret::Unset, secret;
    /// What the signature is made with. Unset: none is made.
    "key" => key: Secret = Secret::Unset, secret;
    /// Whether it is told that another sentence is true of an open incident.
    "changes" => changes: bool = false, yes_or_no;
}

fn is_whole(row: &WebhookRow) -> Vec<settings::Contradiction> {
    missing(&[("name", !row.name.is_empty()), ("url", row.url.is_set())])
}

#[derive(Debug)]
struct Webhook {
    url: SecretUrl,
    key: Option<Hidden>,
    changes: bool,
}

impl Receiver for WebhookRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        let url = self.url.reveal(&self.name, "url")?;
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
        Ok(Box::new(Webhook {
            url: SecretUrl::new(url, &self.name, "url")?,
            key,
            changes: self.changes,
        }))
    }
}

impl Chat for Webhook {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        if sending.message.kind == Kind::Changed && !self.changes {
            return None;
        }
        let body = told(sending).to_string();
        let timestamp = sending.now_unix_ms.div_euclid(1_000).to_string();
        let mut headers = vec![
            ("content-type", "application/json; charset=utf-8".to_owned()),
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
    use crate::notify::testing::Try;

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
    fn the_signature_is_what_any_other_hmac_says() {
        // printf '1795356202.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let signature = signature(&Hidden::new("0123456789abcdef"), "1795356202", "{}");
        assert_eq!(
            signature,
            "v1=3e9a1ee36f996d1ae9940ab9caccd4235569332ea620cc89002848ed5ff6db81"
        );
    }
}
