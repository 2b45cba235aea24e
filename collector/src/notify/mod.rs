//! Delivery: what the ledger says is owed, to the chats that the configuration names. One chat, one file: each is
//! configuration, and what it makes of a message. Nothing of them does I/O; [`carry`] alone does.

mod alertmanager;
mod backoff;
mod carry;
mod command;
mod crew;
mod discord;
mod gotify;
mod health;
mod heartbeat;
mod mail;
mod mask;
mod matrix;
mod mattermost;
mod ntfy;
pub(crate) mod outbox;
mod pagerduty;
mod parts;
pub(crate) mod receivers;
mod rocketchat;
mod row;
pub(crate) mod sample;
mod secret;
mod slack;
mod teams;
mod telegram;
mod template;
#[cfg(test)]
mod testing;
mod told;
mod webhook;
mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

use model::alert::Message;

pub(crate) use alertmanager::AlertmanagerRow;
pub(crate) use carry::Carrier;
pub(crate) use command::CommandRow;
pub(crate) use crew::{Crew, Orders};
pub(crate) use discord::DiscordRow;
pub(crate) use gotify::GotifyRow;
pub(crate) use heartbeat::Heartbeat;
pub(crate) use mail::MailRow;
pub(crate) use mask::Mask;
pub(crate) use matrix::MatrixRow;
pub(crate) use mattermost::MattermostRow;
pub(crate) use ntfy::NtfyRow;
pub(crate) use pagerduty::PagerDutyRow;
pub(crate) use rocketchat::RocketChatRow;
pub(crate) use secret::{Hidden, Secret, SecretError, secret};
pub(crate) use slack::SlackRow;
pub(crate) use teams::TeamsRow;
pub(crate) use telegram::TelegramRow;
pub(crate) use webhook::WebhookRow;

/// What is to be said to one receiver.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending<'a> {
    pub(crate) message: &'a Message,
    /// The same for every attempt at this message, before and after a restart, and of no other.
    pub(crate) key: &'a str,
    /// The same for all messages of one incident.
    pub(crate) thread: &'a str,
    /// What [`Chat::read`] got as the receipt of the thread's first message, if anything.
    pub(crate) first: Option<&'a str>,
    /// False: the ledger cannot be written, and nobody will know after a restart that this was said.
    pub(crate) is_recorded: bool,
    /// The collector's wall clock.
    pub(crate) now_unix_ms: i64,
}

/// What goes out. Everything in it is made by [`Chat::request`], without I/O.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    Http(Http),
    Mail(Box<Mail>),
    Command(Command),
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Http {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// Secrets may stand in any part of it.
impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Http({} ***, {} bytes)", self.method, self.body.len())
    }
}

/// A mail, and the server that takes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mail {
    pub(crate) server: MailServer,
    pub(crate) from: lettre::Address,
    pub(crate) to: Vec<lettre::Address>,
    /// Headers and body, as they go over the wire.
    pub(crate) formatted: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailServer {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: MailSecurity,
    /// Name and password.
    pub(crate) login: Option<(String, Hidden)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailSecurity {
    /// The connection begins in the clear and must become TLS before anything is said.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// In the clear: for a relay on this machine.
    None,
}

/// A program of the operator's: no shell, a clean environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) program: std::path::PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<&'static str, String>,
    /// On standard input.
    pub(crate) input: String,
}

/// What came back, whatever it was sent by: an HTTP answer, an SMTP reply (status: its code), a program's end (status: its
/// exit code).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It arrived. The receipt is by what the service knows the message again, for edits and threads.
    Delivered { receipt: Option<String> },
    /// It may arrive if it is tried again; not before `after`, if the service said so.
    Later {
        after: Option<Duration>,
        why: String,
    },
    /// The service will not take this message.
    Refused { why: String },
    /// The first message of the thread, to be edited or replied to, is not there any more: say it as a new one.
    FirstIsGone,
}

/// One receiver, ready to send: its secrets are here.
pub(crate) trait Chat: Send + Sync + std::fmt::Debug {
    /// What goes out. `None`: this service is not told this (what cannot be edited is not said again for a few more words).
    fn request(&self, sending: &Sending<'_>) -> Option<Request>;

    /// What the answer means.
    fn read(&self, _sending: &Sending<'_>, answer: &Answer) -> Outcome {
        by_status(answer)
    }

    /// Not sooner than so long after the one before.
    fn pause(&self) -> Duration {
        Duration::from_millis(100)
    }

    /// It shows what is open, so that it must hear of an end that nobody wants to be told.
    fn shows_what_is_open(&self) -> bool {
        false
    }

    /// Services that forget what they are not told again: the last message of every open thread is repeated this often.
    fn repeats_every(&self) -> Option<Duration> {
        None
    }

    /// What must never be printed; each is replaced by `***` wherever it stands.
    fn secrets(&self) -> Vec<&str>;
}

/// One row of the configuration.
pub(crate) trait Receiver: std::fmt::Debug {
    fn name(&self) -> &str;

    /// Reads the secrets.
    fn open(&self) -> Result<Box<dyn Chat>, SecretError>;
}

/// What an HTTP status means where the service has nothing of its own to say.
pub(crate) fn by_status(answer: &Answer) -> Outcome {
    match answer.status {
        200..=299 => Outcome::Delivered { receipt: None },
        // The message itself is not understood, or too long.
        400 | 411 | 413 | 414 | 415 | 422 | 431 => Outcome::Refused { why: said(answer) },
        // Busy, or a key, an address or a channel that a person will mend: not the message's fault.
        _ => later(answer),
    }
}

pub(crate) fn later(answer: &Answer) -> Outcome {
    Outcome::Later {
        after: retry_after(answer),
        why: said(answer),
    }
}

/// `Retry-After` in seconds, whole or not; a date is not understood and left to the backoff.
pub(crate) fn retry_after(answer: &Answer) -> Option<Duration> {
    let seconds: f64 = answer.headers.get("retry-after")?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The status, and the first words of the body. Secrets were taken out of it before.
pub(crate) fn said(answer: &Answer) -> String {
    let body = answer.body.trim();
    if body.is_empty() {
        return format!("answered {}", answer.status);
    }
    format!(
        "answered {}: {}",
        answer.status,
        model::alert::cut(body, 200)
    )
}

#[cfg(test)]
mod tests;
