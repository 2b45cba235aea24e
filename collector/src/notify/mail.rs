//! Mail: plain text and HTML, one thread for each incident.
//!
//! From RFC 5321 (what a server's reply means), RFC 5322 (`Message-ID`, `In-Reply-To`, `References`) and RFC 3834
//! (`Auto-Submitted`: no out-of-office replies). The Message-ID is made of the key, so that a second attempt is the same mail to
//! whoever looks at it; the thread hangs on an id that is made of the thread and that no mail has: mail programs need no first.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Letter, MultiPart, SinglePart};
use settings::value::{refused, text, texts};
use settings::{Contradiction, Taken, Value};

use super::parts::{
    HTML_BYTES, PLAIN_BYTES, Tone, fitted, fitted_lines, is_news, lines, link, plain_lines,
};
use super::row::{missing, name, word};
use super::{
    Answer, Chat, Mail as Sent, MailSecurity, MailServer, Outcome, Receiver, Request, Secret,
    SecretError, Sending, later, said, secret,
};

/// A line of a header has 998 bytes; what a phone shows is shorter.
const SUBJECT_BYTES: usize = 200;
const HEADLINE_BYTES: usize = 4_000;
const LINES_BYTES: usize = 32_000;
const MAX_TO: usize = 50;

settings::keys! {
    struct MailRow;
    check is_whole;
    "name" => name: String = String::new(), name;
    "server" => server: String = String::new(), word;
    /// 0: 587, 465 or 25, by `security`.
    "port" => port: u16 = 0, port;
    "security" => security: MailSecurity = MailSecurity::StartTls, security;
    "user" => user: String = String::new(), word;
    "password" => password: Secret = Secret::Unset, secret;
    "from" => from: Option<Mailbox> = None, mailbox;
    "to" => to: Vec<Mailbox> = Vec::new(), mailboxes;
}

fn is_whole(row: &MailRow) -> Vec<Contradiction> {
    let mut found = missing(&[
        ("name", !row.name.is_empty()),
        ("server", !row.server.is_empty()),
        ("from", row.from.is_some()),
        ("to", !row.to.is_empty()),
    ]);
    if row.user.is_empty() == row.password.is_set() {
        let key = if row.user.is_empty() {
            "user"
        } else {
            "password"
        };
        found.push(Contradiction::new(
            key,
            "is missing: `user` and `password` go together",
        ));
    }
    if row.security == MailSecurity::None && !row.user.is_empty() {
        let why = "is \"none\": a password would be sent in the clear; \"starttls\" and \"tls\" encrypt it";
        found.push(Contradiction::new("security", why));
    }
    found
}

fn port(value: &Value<'_>) -> Taken<u16> {
    let port = settings::value::whole_number(value, "a port", &(0..=u32::from(u16::MAX)))?;
    u16::try_from(port).map_err(|_| refused("a port", port))
}

fn security(value: &Value<'_>) -> Taken<MailSecurity> {
    const ALLOWED: &str = "\"starttls\", \"tls\" or \"none\"";
    match text(value, ALLOWED)? {
        "starttls" => Ok(MailSecurity::StartTls),
        "tls" => Ok(MailSecurity::Tls),
        "none" => Ok(MailSecurity::None),
        other => Err(refused(ALLOWED, format_args!("{other:?}"))),
    }
}

const MAILBOX: &str =
    "an address in quotes, such as \"ops@example.com\" or \"Quorate <quorate@example.com>\"";

fn mailbox(value: &Value<'_>) -> Taken<Option<Mailbox>> {
    let text = text(value, MAILBOX)?;
    if text.is_empty() {
        return Ok(None);
    }
    parsed(text, MAILBOX).map(Some)
}

fn mailboxes(value: &Value<'_>) -> Taken<Vec<Mailbox>> {
    const ALLOWED: &str = "a list of at most 50 addresses in quotes, such as [\"ops@example.com\"]";
    let boxes = texts(value, ALLOWED)?.into_iter();
    let boxes: Vec<Mailbox> = boxes
        .map(|text| parsed(text, ALLOWED))
        .collect::<Taken<_>>()?;
    if boxes.len() > MAX_TO {
        return Err(refused(ALLOWED, format_args!("one of {}", boxes.len())));
    }
    Ok(boxes)
}

fn parsed(text: &str, allowed: &str) -> Taken<Mailbox> {
    let parsed = text.parse().ok();
    parsed
        .filter(|_| !text.chars().any(char::is_control))
        .ok_or_else(|| refused(allowed, format_args!("{text:?}")))
}

#[derive(Debug)]
struct Mail {
    server: MailServer,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Receiver for MailRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Chat>, SecretError> {
        let wrong = |key, why| SecretError::Wrong {
            receiver: self.name.clone(),
            key,
            why,
        };
        let login = if self.user.is_empty() {
            None
        } else {
            Some((
                self.user.clone(),
                self.password.reveal(&self.name, "password")?,
            ))
        };
        let port = match (self.port, self.security) {
            (0, MailSecurity::StartTls) => 587,
            (0, MailSecurity::Tls) => 465,
            (0, MailSecurity::None) => 25,
            (port, _) => port,
        };
        let mail = Mail {
            server: MailServer {
                host: self.server.clone(),
                port,
                security: self.security,
                login,
            },
            from: self
                .from
                .clone()
                .ok_or_else(|| wrong("from", "is missing"))?,
            to: self.to.clone(),
        };
        Ok(Box::new(mail))
    }
}

impl Chat for Mail {
    fn request(&self, sending: &Sending<'_>) -> Option<Request> {
        if !is_news(sending.message) {
            return None;
        }
        // Addresses and headers are checked before: there is nothing in it that can be wrong.
        let letter = self.letter(sending).ok()?;
        Some(Request::Mail(Box::new(Sent {
            server: self.server.clone(),
            from: self.from.email.clone(),
            to: self.to.iter().map(|to| to.email.clone()).collect(),
            formatted: letter.formatted(),
        })))
    }

    fn read(&self, _sending: &Sending<'_>, answer: &Answer) -> Outcome {
        match answer.status {
            200..=299 => Outcome::Delivered { receipt: None },
            // The login: a person mends it.
            530 | 534 | 535 | 538 => later(answer),
            500..=599 => Outcome::Refused { why: said(answer) },
            _ => later(answer),
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn secrets(&self) -> Vec<&str> {
        let login = self.server.login.as_ref();
        login
            .map(|(_, password)| password.get())
            .into_iter()
            .collect()
    }
}

impl Mail {
    fn letter(&self, sending: &Sending<'_>) -> Result<Letter, lettre::error::Error> {
        let message = sending.message;
        let at = Duration::from_millis(u64::try_from(sending.now_unix_ms).unwrap_or_default());
        let thread = self.id("thread", sending.thread);
        let mut builder = Letter::builder()
            .from(self.from.clone())
            .date(UNIX_EPOCH + at)
            .subject(fitted(&message.headline(), SUBJECT_BYTES, PLAIN_BYTES).replace('\n', " "))
            .message_id(Some(self.id("message", sending.key)))
            .in_reply_to(thread.clone())
            .references(thread)
            .raw_header(raw("Auto-Submitted", "auto-generated"))
            .raw_header(raw("X-Quorate-Kind", message.kind.name()));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let boundary = format!("quorate-{}", safe(sending.key));
        let parts = MultiPart::alternative()
            .boundary(boundary)
            .singlepart(
                SinglePart::builder()
                    .header(ContentType::TEXT_PLAIN)
                    .body(plain(sending)),
            )
            .singlepart(
                SinglePart::builder()
                    .header(ContentType::TEXT_HTML)
                    .body(html(sending)),
            );
        builder.multipart(parts)
    }

    /// `<quorate.message.KEY@DOMAIN>`
    fn id(&self, what: &str, of: &str) -> String {
        format!("<quorate.{what}.{}@{}>", safe(of), self.from.email.domain())
    }
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// What may stand in an id and in a boundary, of at most 60 letters; two keys stay two.
fn safe(key: &str) -> String {
    let is_safe = key.len() <= 60
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_safe && !key.is_empty() {
        return key.to_owned();
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let bytes = digest.as_ref().iter().take(20);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

fn plain(sending: &Sending<'_>) -> String {
    let headline = fitted(&sending.message.headline(), HEADLINE_BYTES, PLAIN_BYTES);
    let below = plain_lines(&lines(sending), LINES_BYTES, PLAIN_BYTES);
    format!("{headline}\n\n{below}\n")
}

fn html(sending: &Sending<'_>) -> String {
    let message = sending.message;
    let headline = fitted(&message.headline(), HEADLINE_BYTES, HTML_BYTES);
    let colour = Tone::of(message).hex();
    let mut html = format!(
        "<!DOCTYPE html>\n<html><body style=\"font-family: sans-serif\">\n\
         <p style=\"border-left: 6px solid {colour}; padding-left: 10px\"><b>{headline}</b></p>\n<table cellpadding=\"4\">\n"
    );
    let link = link(message).map(|link| fitted(link, usize::MAX, HTML_BYTES));
    for (label, words) in fitted_lines(&lines(sending), LINES_BYTES, 0, HTML_BYTES) {
        let words = match &link {
            Some(link) if label == "page" => format!("<a href=\"{link}\">{link}</a>"),
            _ => words.replace('\n', "<br>"),
        };
        html.push_str(&format!(
            "<tr><td style=\"color: #666; vertical-align: top\">{label}</td><td>{words}</td></tr>\n"
        ));
    }
    html.push_str("</table>\n</body></html>\n");
    html
}

#[cfg(test)]
mod tests {
    use model::alert::Kind;

    use crate::notify::testing::{Try, is_later};

    use super::*;

    const ROW: &str =
        "server = 'mail.example'\nfrom = 'Quorate <q@example.com>'\nto = ['ops@example.com']";

    #[test]
    fn what_a_mail_server_says_is_understood() {
        let ask = Try::<MailRow>::new(ROW);
        assert_eq!(
            ask.read(Kind::Opened, 250, "queued"),
            Outcome::Delivered { receipt: None }
        );
        assert!(is_later(&ask.read(Kind::Opened, 451, "greylisted")));
        assert!(is_later(&ask.read(
            Kind::Opened,
            535,
            "authentication failed"
        )));
        assert!(matches!(
            ask.read(Kind::Opened, 550, "no such user"),
            Outcome::Refused { .. }
        ));
    }

    #[test]
    fn keys_of_any_form_make_good_ids() {
        assert_eq!(safe("a-1"), "a-1");
        let (one, other) = (safe("a@b>\r\nBcc: x"), safe("a@b>\r\nBcc: y"));
        assert_eq!((one.len(), one == other), (40, false));
    }
}
