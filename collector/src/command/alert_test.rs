//! `quorate-collector alert-test`: sends one receiver a message that says it is a test, and shows what went out and what came back,
//! without any secret.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use model::alert::{Kind, Message};
use serde_json::Value as Json;

use super::Place;
use super::table::table;
use crate::answer::print;
use crate::notify::receivers::{self, Opened};
use crate::notify::sample::{KINDS, SAMPLES};
use crate::notify::{Answer, Carrier, Mail, MailSecurity, Mask, Outcome, Request, Sending};

/// How long the sample's incident has lasted where it is not new.
const LASTED: Duration = Duration::from_secs(425);

/// Sends a receiver of alerts a message that says it is a test; without RECEIVER it lists them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// As the configuration names it
    receiver: Option<String>,
    /// What the message is about
    #[arg(long, value_name = "SAMPLE", default_value = "switch-down", value_parser = samples())]
    incident: String,
    /// Why it is said
    #[arg(long, value_name = "KIND", default_value = "opened", value_parser = kinds())]
    kind: String,
    /// The receipt of an earlier test, which this one edits or replies to
    #[arg(long, value_name = "RECEIPT")]
    first: Option<String>,
}

fn samples() -> PossibleValuesParser {
    PossibleValuesParser::new(SAMPLES.iter().map(|(name, _)| *name))
}

fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(KINDS.map(Kind::name))
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.place.read_as_owner()?;
    let named = receivers::named(&config);
    let Some(wanted) = &args.receiver else {
        if named.is_empty() {
            return print("the configuration names no receivers of alerts");
        }
        let rows = named
            .iter()
            .map(|one| [one.receiver.name().to_owned(), one.kind.to_owned()]);
        return print(table(["RECEIVER", "KIND"], &rows.collect::<Vec<_>>()));
    };
    let Some(found) = named.iter().find(|one| one.receiver.name() == wanted) else {
        let known: Vec<&str> = named.iter().map(|one| one.receiver.name()).collect();
        if known.is_empty() {
            bail!("there is no receiver {wanted:?}: the configuration names none");
        }
        bail!(
            "there is no receiver {wanted:?}; there are: {}",
            known.join(", ")
        );
    };
    let opened = found.open()?;
    let message = sample(args, Timestamp::now()).context("there is no such sample")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.context("no runtime can be made")?;
    runtime.block_on(send(&opened, &message, args.first.as_deref()))
}

fn sample(args: &Args, now: Timestamp) -> Option<Message> {
    let (_, make) = SAMPLES.iter().find(|(name, _)| *name == args.incident)?;
    let kind = KINDS.into_iter().find(|kind| kind.name() == args.kind)?;
    let at_unix_ms = now.as_millisecond();
    let lasted = if kind == Kind::Opened {
        Duration::ZERO
    } else {
        LASTED
    };
    Some(Message {
        kind,
        at_unix_ms,
        began_unix_ms: at_unix_ms.saturating_sub_unsigned(u64::try_from(lasted.as_millis()).ok()?),
        ..make()
    })
}

async fn send(opened: &Opened, message: &Message, first: Option<&str>) -> anyhow::Result<()> {
    let now_unix_ms = message.at_unix_ms;
    let sending = Sending {
        message,
        // Every test is a message of its own; all of one sample are one thread.
        key: &format!("alert-test-{now_unix_ms}"),
        thread: &format!("alert-test-{}", message.rule),
        first,
        is_recorded: true,
        now_unix_ms,
    };
    let mask = Mask::of(&*opened.chat);
    let Some(request) = opened.chat.request(&sending) else {
        bail!(
            "{} is not told of {:?}: {} cannot edit what was said{}",
            opened.name,
            message.kind.name(),
            opened.kind,
            if first.is_none() {
                " without the receipt of it (--first)"
            } else {
                ""
            }
        );
    };
    print(mask.hide(&format!(
        "to {} ({})\n{}",
        opened.name,
        opened.kind,
        shown(&request)
    )))?;
    if let Some(every) = opened.chat.repeats_every() {
        let every = every.as_secs();
        print(format!(
            "while the incident is open it is told the same every {every} s\n"
        ))?;
    }
    let begun = Instant::now();
    let carried = Carrier::new()?.carry(&request).await;
    let took = begun.elapsed().as_millis();
    let answer = match carried {
        Ok(answer) => mask.answer(answer),
        Err(why) => bail!("not delivered: {}", mask.hide(&why)),
    };
    print(mask.hide(&format!(
        "answered {} after {took} ms\n{}",
        answer.status,
        came(&answer)
    )))?;
    conclude(opened.chat.read(&sending, &answer), &mask)
}

/// Says how the answer is understood; only what was delivered is no error.
fn conclude(outcome: Outcome, mask: &Mask) -> anyhow::Result<()> {
    match outcome {
        Outcome::Delivered {
            receipt: Some(receipt),
        } => print(mask.hide(&format!("delivered; its receipt is {receipt}"))),
        Outcome::Delivered { receipt: None } => print("delivered"),
        Outcome::Later { after, why } => {
            let after = after.map_or(String::new(), |after| {
                format!(", not before {} s are over", after.as_secs_f64())
            });
            bail!(
                "not delivered; it would be tried again{after}: {}",
                mask.hide(&why)
            )
        }
        Outcome::Refused { why } => bail!(
            "not delivered, and would not be tried again: {}",
            mask.hide(&why)
        ),
        Outcome::FirstIsGone => {
            bail!(
                "not delivered: the first message is not there any more; it would be said as a new one"
            )
        }
    }
}

fn shown(request: &Request) -> String {
    match request {
        Request::Http(http) => {
            let headers: String = http
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}\n"))
                .collect();
            format!(
                "{} {}\n{headers}\n{}\n",
                http.method,
                http.url,
                pretty(&http.body)
            )
        }
        Request::Mail(mail) => by_mail(mail),
        Request::Command(command) => {
            let environment: String = command
                .environment
                .iter()
                .map(|(name, value)| format!("{name}={value}\n"))
                .collect();
            let program = command.program.display();
            format!(
                "{program} {:?}\n{environment}\n{}\n",
                command.arguments,
                pretty(&command.input)
            )
        }
    }
}

fn by_mail(mail: &Mail) -> String {
    let server = &mail.server;
    let mut shown = format!("{} port {}, ", server.host, server.port);
    shown.push_str(match server.security {
        MailSecurity::StartTls => "STARTTLS",
        MailSecurity::Tls => "TLS",
        MailSecurity::None => "in the clear",
    });
    if let Some((user, _)) = &server.login {
        // Writing to a text cannot fail.
        let _ = write!(shown, ", as {user} with password ***");
    }
    let _ = writeln!(shown, "\nfrom {}", mail.from);
    for to in &mail.to {
        let _ = writeln!(shown, "to {to}");
    }
    format!(
        "{shown}\n{}",
        String::from_utf8_lossy(&mail.formatted).replace('\r', "")
    )
}

fn came(answer: &Answer) -> String {
    let mut shown = String::new();
    for name in ["retry-after", "content-type"] {
        if let Some(value) = answer.headers.get(name) {
            let _ = writeln!(shown, "{name}: {value}");
        }
    }
    if !answer.body.trim().is_empty() {
        let _ = writeln!(shown, "{}", pretty(&answer.body));
    }
    shown
}

/// JSON with a line for each field; anything else as it is, without what controls a terminal.
fn pretty(body: &str) -> String {
    let json: Option<Json> = serde_json::from_str(body).ok();
    let json = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
    json.unwrap_or_else(|| {
        let plain = |letter: char| {
            if letter.is_control() && letter != '\n' {
                ' '
            } else {
                letter
            }
        };
        body.chars().map(plain).collect()
    })
}
