//! Discord, by a channel's webhook.
//!
//! From Discord's pages "Webhook resource" (Execute Webhook, Edit Webhook Message), "Message resource" (embed limits) and "Rate
//! limits": content 2,000 letters, title 256, description 4,096, 25 fields of 256 and 1,024, and 6,000 in all embeds together.
//! `wait=true` makes it answer with the message's id. A webhook cannot reply. Nobody is called: `allowed_mentions` is empty.

use std::time::Duration;

use model::alert::Line;
use serde_json::{Value as Json, json};

use super::parts::{
    MARKDOWN, PLAIN, Tone, Way, at, body, delivered, fitted, fitted_lines, http, lines, link,
    path_segment, seconds, set, utf16, way,
};
use super::row::{SecretUrl, missing, name};
use super::{
    Answer, Chat, Outcome, Receiver, Request, Secret, SecretError, Sending, by_status, later, said,
    secret,
};

const CONTENT_LETTERS: usize = 1_900;
/// With the title no more than 6,000.
const FIELDS_LETTERS: usize = 4_000;
const FIELD_LETTERS: usize = 1_024;
const UNKNOWN_MESSAGE: u64 = 10_008;
/// A thread that is archived, and a forum without one: of the address, not of the message.
const THREADS: [u64; 2] = [50_083, 220_001];

settings::keys! {
    struct DiscordRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "url" => url: Secret = Secret::Unset, secret;
}

fn is_whole(row: &DiscordRow) -> Vec<settings::Contradiction> {
    missing(&[("name", !row.name.is_empty()), ("url", row.url.is_set())])
}

#[derive(Debug)]
struct Discord {
    url: SecretUrl,
}

impl Receiver for DiscordRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        let url = SecretUrl::reveal(&self.url, &self.name)?;
        Ok(Box::new(Discord { url }))
    }
}

impl Discord {
    /// The address without its query, and the query, as of a thread.
    fn parts(&self) -> (&str, Option<&str>) {
        match self.url.get().split_once('?') {
            Some((url, query)) => (url, Some(query)),
            None => (self.url.get(), None),
        }
    }
}

impl Chat for Discord {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        let (url, query) = self.parts();
        let payload = payload(sending);
        Some(match way(sending)? {
            Way::New => {
                let query = query.map_or(String::new(), |query| format!("&{query}"));
                http(
                    "POST",
                    format!("{url}?wait=true{query}"),
                    Vec::new(),
                    &payload,
                )
            }
            Way::Edit(first) => {
                let query = query.map_or(String::new(), |query| format!("?{query}"));
                let url = format!("{url}/messages/{}{query}", path_segment(first));
                http("PATCH", url, Vec::new(), &payload)
            }
        })
    }

    fn read(&self, sending: &Sending<'_>, answer: &Answer) -> Outcome {
        let came = body(answer);
        match answer.status {
            200..=299 => delivered(sending, at(&came, "/id").as_str().map(str::to_owned)),
            404 if at(&came, "/code") == UNKNOWN_MESSAGE => Outcome::FirstIsGone,
            400 if at(&came, "/code")
                .as_u64()
                .is_some_and(|code| THREADS.contains(&code)) =>
            {
                later(answer)
            }
            429 => {
                let header = answer.headers.get("x-ratelimit-reset-after");
                let header = header.and_then(|text| text.trim().parse().ok());
                let header = header.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                match seconds(at(&came, "/retry_after")).or(header) {
                    Some(after) => Outcome::Later {
                        after: Some(after),
                        why: said(answer),
                    },
                    None => later(answer),
                }
            }
            _ => by_status(answer),
        }
    }

    /// Five in two seconds, for each webhook.
    fn pause(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn secrets(&self) -> Vec<&str> {
        let mut secrets = self.url.secrets();
        // That of a message begins with it, too.
        secrets.push(self.parts().0);
        secrets
    }
}

fn payload(sending: &Sending<'_>) -> Json {
    let message = sending.message;
    let mut embed = json!({
        "title": format!("Incident {}", message.incident),
        "color": Tone::of(message).rgb(),
        "fields": fields(&lines(sending)),
    });
    if let Some(link) = link(message) {
        set(&mut embed, "url", json!(link));
    }
    json!({
        // What a notification shows: of an embed alone it shows nothing everywhere.
        "content": fitted(&message.headline(), CONTENT_LETTERS, MARKDOWN),
        "embeds": [embed],
        "allowed_mentions": {"parse": []},
    })
}

/// A field must have words.
fn fields(lines: &[Line]) -> Vec<Json> {
    let shared = fitted_lines(lines, FIELDS_LETTERS, 0, MARKDOWN);
    let cut = lines.iter().zip(shared).map(|(line, (label, words))| {
        let words = match utf16(&words) {
            0 => "…".to_owned(),
            long if long > FIELD_LETTERS => fitted(&line.words, FIELD_LETTERS, MARKDOWN),
            _ => words,
        };
        json!({"name": fitted(label, FIELD_LETTERS, PLAIN), "value": words, "inline": false})
    });
    cut.collect()
}

#[cfg(test)]
mod tests {
    use model::alert::Kind;

    use crate::notify::testing::{Try, is_later};

    use super::*;

    const ROW: &str = "url = 'https://discord.com/api/webhooks/1/abcdefghij?thread_id=9'";

    #[test]
    fn what_discord_answers_is_understood() {
        let ask = Try::<DiscordRow>::new(ROW);
        let receipt = Some("42".to_owned());
        assert_eq!(
            ask.read(Kind::Opened, 200, r#"{"id":"42"}"#),
            Outcome::Delivered { receipt }
        );
        assert_eq!(
            ask.read(Kind::Over, 404, r#"{"code":10008}"#),
            Outcome::FirstIsGone
        );
        assert!(is_later(&ask.read(Kind::Over, 404, r#"{"code":10015}"#)));
        let limited = ask.read(Kind::Opened, 429, r#"{"retry_after":0.75,"global":false}"#);
        let Outcome::Later { after, .. } = limited else {
            panic!("{limited:?}")
        };
        assert_eq!(after, Some(Duration::from_millis(750)));
        assert!(matches!(
            ask.read(Kind::Opened, 400, "{}"),
            Outcome::Refused { .. }
        ));
    }

    #[test]
    fn the_query_of_a_thread_stays() {
        let ask = Try::<DiscordRow>::new(ROW);
        let Some(Request::Http(new)) = ask.request(Kind::Opened, None) else {
            panic!()
        };
        assert!(
            new.url.ends_with("/abcdefghij?wait=true&thread_id=9"),
            "{}",
            new.url
        );
        let Some(Request::Http(edit)) = ask.request(Kind::Over, Some("42")) else {
            panic!()
        };
        assert!(
            edit.url.ends_with("/abcdefghij/messages/42?thread_id=9"),
            "{}",
            edit.url
        );
    }
}
