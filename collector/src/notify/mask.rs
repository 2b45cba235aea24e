//! What is printed of a message and of an answer, without the receiver's secrets.

use super::{Answer, Chat};

/// Writes `***` for whatever is secret, as it is and as it stands in JSON.
#[derive(Debug)]
pub(crate) struct Mask(Vec<String>);

impl Mask {
    pub(crate) fn of(chat: &dyn Chat) -> Self {
        let mut secrets = Vec::new();
        for secret in chat.secrets() {
            let in_json = serde_json::to_string(secret).unwrap_or_default();
            secrets.push(in_json.trim_matches('"').to_owned());
            secrets.push(secret.to_owned());
        }
        secrets.retain(|secret| !secret.is_empty());
        // The longest first: one may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self(secrets)
    }

    /// An answer without them, before anything is cut off it: half a secret would not be found any more.
    pub(crate) fn answer(&self, answer: Answer) -> Answer {
        Answer {
            body: self.hide(&answer.body),
            ..answer
        }
    }

    pub(crate) fn hide(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}
