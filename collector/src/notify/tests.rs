//! What goes out, chat by chat: the same messages for all of them, held against what each service publishes, and against what was
//! seen to be good.

use std::fmt::Write as _;

use expect_test::expect_file;
use model::alert::{Kind, Message};
use model::finding::Severity;
use serde_json::Value as Json;
use settings::Settings;

use super::sample::{BEGAN_UNIX_MS, SAMPLES};
use super::testing::{message, sending};
use super::*;

#[path = "../../../tests/src/chats/rules.rs"]
#[expect(unreachable_pub, reason = "it is public where it lives")]
mod rules;

const KINDS: [Kind; 7] = [
    Kind::Opened,
    Kind::Changed,
    Kind::Worse,
    Kind::Again,
    Kind::Reminder,
    Kind::Over,
    Kind::Joined,
];

/// Rows without their names, and a receipt as the service gives it.
const ROWS: &[(&str, &str, &str)] = &[
    (
        "slack",
        "token = 'xoxb-1-secret'\nchannel = '#alerts'",
        "C1/1503435956.000247",
    ),
    (
        "slack-webhook",
        "url = 'https://hooks.slack.example/services/T0/B0/secretsecret'",
        "",
    ),
    (
        "mattermost",
        "token = 'secret-token'\nserver = 'https://chat.example'\nchannel_id = 'c1'",
        "p1",
    ),
    (
        "mattermost-webhook",
        "url = 'https://chat.example/hooks/secretsecret'",
        "",
    ),
    (
        "rocketchat",
        "token = 'secret-token'\nuser_id = 'u1'\nserver = 'https://chat.example'\nchannel = '#alerts'",
        "r1/m1",
    ),
    (
        "rocketchat-webhook",
        "url = 'https://chat.example/hooks/1/secretsecret'",
        "",
    ),
    (
        "discord",
        "url = 'https://discord.example/api/webhooks/1/secretsecret'",
        "42",
    ),
    (
        "teams",
        "url = 'https://flows.example/workflows/1/triggers/manual/paths/invoke?sig=secretsecret'",
        "",
    ),
    (
        "telegram",
        "token = '1:secretsecret'\nchat_id = '-1001'\ntopic_id = 3",
        "5",
    ),
    (
        "matrix",
        "homeserver = 'https://matrix.example'\ntoken = 'secret-token'\nroom_id = '!r:matrix.example'",
        "$first",
    ),
    ("ntfy", "topic = 'secret-topic'\ntoken = 'secret-token'", ""),
    (
        "gotify",
        "server = 'https://gotify.example'\ntoken = 'secret-token'",
        "",
    ),
    (
        "mail",
        "server = 'mail.example'\nuser = 'quorate'\npassword = 'secret-word'\nfrom = 'Quorate <quorate@example.com>'\n\
         to = ['ops@example.com', 'Nacht Dienst <night@example.com>']",
        "",
    ),
    (
        "alertmanager",
        "server = 'http://alerts.example:9093'\nuser = 'q'\npassword = 'secret-word'",
        "",
    ),
    (
        "pagerduty",
        "routing_key = 'secret7890123456789012345678901x'",
        "",
    ),
    (
        "webhook",
        "url = 'https://ops.example/hook/secretsecret'\nkey = 'secret-secret-secret'\nchanges = true",
        "",
    ),
    (
        "command",
        "program = '/bin/sh'\narguments = ['-c', 'exit 0']\nchanges = true",
        "",
    ),
];

#[track_caller]
fn open(name: &str) -> Box<dyn Chat> {
    let (_, row, _) = ROWS.iter().find(|(known, ..)| *known == name).unwrap();
    fn of<R: Receiver + Settings>(row: &str) -> Box<dyn Chat> {
        let row = format!("name = 'ops'\n{row}");
        let row: R = settings::parse(std::path::Path::new("row.toml"), &row).unwrap();
        row.open().unwrap()
    }
    match name.split('-').next().unwrap() {
        "slack" => of::<SlackRow>(row),
        "mattermost" => of::<MattermostRow>(row),
        "rocketchat" => of::<RocketChatRow>(row),
        "discord" => of::<DiscordRow>(row),
        "teams" => of::<TeamsRow>(row),
        "telegram" => of::<TelegramRow>(row),
        "matrix" => of::<MatrixRow>(row),
        "ntfy" => of::<NtfyRow>(row),
        "gotify" => of::<GotifyRow>(row),
        "mail" => of::<MailRow>(row),
        "alertmanager" => of::<AlertmanagerRow>(row),
        "pagerduty" => of::<PagerDutyRow>(row),
        "webhook" => of::<WebhookRow>(row),
        "command" => of::<CommandRow>(row),
        other => panic!("{other}"),
    }
}

fn shown(request: Option<&Request>) -> String {
    let mut shown = String::new();
    match request {
        None => shown.push_str("nothing\n"),
        Some(Request::Http(http)) => {
            writeln!(shown, "{} {}", http.method, http.url).unwrap();
            for (name, value) in &http.headers {
                writeln!(shown, "{name}: {value}").unwrap();
            }
            let body: Json = serde_json::from_str(&http.body).unwrap();
            writeln!(shown, "{}", serde_json::to_string_pretty(&body).unwrap()).unwrap();
        }
        Some(Request::Mail(mail)) => {
            writeln!(
                shown,
                "{:?}\nfrom {} to {:?}",
                mail.server, mail.from, mail.to
            )
            .unwrap();
            shown.push_str(&String::from_utf8_lossy(&mail.formatted).replace('\r', ""));
        }
        Some(Request::Command(command)) => {
            writeln!(shown, "{command:#?}").unwrap();
        }
    }
    shown
}

#[test]
fn what_each_chat_sends_is_what_was_seen_to_be_good() {
    for (name, _, first) in ROWS {
        let chat = open(name);
        let first = Some(*first).filter(|first| !first.is_empty());
        let mut seen = String::new();
        for (kind, first) in [
            (Kind::Opened, None),
            (Kind::Changed, first),
            (Kind::Worse, first),
            (Kind::Over, first),
        ] {
            let message = message(kind);
            let request = chat.request(&sending(&message, first));
            writeln!(seen, "== {}\n{}", kind.name(), shown(request.as_ref())).unwrap();
        }
        let path = format!(
            "{}/src/notify/snapshots/{name}.txt",
            env!("CARGO_MANIFEST_DIR")
        );
        expect_file![path].assert_eq(&seen);
    }
}

/// As bad as it gets: everything long, of many bytes, and full of what some format takes for its own.
fn monster(kind: Kind) -> Message {
    let long = |count: usize| {
        "🦀ä<b>&amp;*bold*_it_`code`~~[x](https://evil.example)<!channel> @all @channel @here @everyone \\\"'|#\u{7}\u{202e}\r\n"
            .repeat(count)
    };
    Message {
        kind,
        cluster: long(50),
        cluster_id: long(50),
        incident: u64::MAX,
        severity: Severity::Critical,
        rule: long(50),
        subject: long(50),
        sentence: long(500),
        began_unix_ms: i64::MAX,
        at_unix_ms: i64::MIN,
        quorum: long(200),
        evidence: vec![long(300); 40],
        explains: usize::MAX,
        others: vec![long(300); 40],
        remedy: long(500),
        link: format!("https://quorate.example/{}", "x".repeat(1_400)),
    }
}

/// Empty where it may be.
fn bare(kind: Kind) -> Message {
    Message {
        kind,
        cluster: String::new(),
        cluster_id: "c".to_owned(),
        incident: 0,
        severity: Severity::Info,
        rule: "r".to_owned(),
        subject: String::new(),
        sentence: String::new(),
        began_unix_ms: 0,
        at_unix_ms: 0,
        quorum: String::new(),
        evidence: Vec::new(),
        explains: 0,
        others: Vec::new(),
        remedy: String::new(),
        link: String::new(),
    }
}

#[track_caller]
fn judged(name: &str, request: &Request) {
    match request {
        Request::Http(http) => {
            let path = http.url.splitn(4, '/').nth(3).unwrap_or_default();
            let headers = http.headers.iter();
            let headers = headers.map(|(name, value)| ((*name).to_owned(), value.clone()));
            let came = rules::Came {
                method: http.method.to_owned(),
                path: format!("/{path}"),
                headers: headers.collect(),
                body: http.body.clone(),
            };
            for (header, value) in &http.headers {
                assert!(
                    reqwest::header::HeaderValue::from_str(value).is_ok(),
                    "{name}: {header}: {value:?}"
                );
            }
            let kind = name.split('-').next().unwrap();
            let judged = rules::judge(kind, &came);
            assert!(
                judged.is_ok(),
                "{name}: {}\n{}",
                judged.unwrap_err(),
                cut(&http.body)
            );
        }
        Request::Mail(mail) => {
            let text = String::from_utf8_lossy(&mail.formatted);
            let (headers, _) = text.split_once("\r\n\r\n").unwrap();
            for line in text.split("\r\n") {
                assert!(line.len() <= 998, "{} bytes in a line: {line}", line.len());
            }
            assert_eq!(headers.matches("\r\nSubject: ").count(), 1, "{headers}");
            assert!(!headers.contains("\nBcc"), "{headers}");
        }
        Request::Command(command) => {
            let told: Json = serde_json::from_str(&command.input).unwrap();
            assert_eq!(told["version"], 1);
            for (name, value) in &command.environment {
                assert!(
                    value.len() <= 4_000 && !value.contains(['\n', '\0']),
                    "{name}"
                );
            }
        }
    }
}

fn cut(body: &str) -> String {
    model::alert::cut(body, 3_000)
}

#[test]
fn every_message_is_within_what_each_service_publishes() {
    for (name, _, first) in ROWS {
        let chat = open(name);
        let first = Some(*first).filter(|first| !first.is_empty());
        let (mut told, mut of_samples) = (0, 0);
        for kind in KINDS {
            let mut messages = vec![monster(kind), bare(kind), message(kind)];
            of_samples += SAMPLES.len();
            messages.extend(SAMPLES.iter().map(|(_, make)| Message { kind, ..make() }));
            for message in &messages {
                for (first, is_recorded) in [(None, true), (first, false)] {
                    let sending = Sending {
                        is_recorded,
                        ..sending(message, first)
                    };
                    if let Some(request) = chat.request(&sending) {
                        judged(name, &request);
                        told += 1;
                    }
                }
            }
        }
        assert!(told > of_samples, "{name}: {told}");
    }
}

#[test]
fn a_phone_shows_the_headline_first_and_it_is_said_once() {
    for (name, ..) in ROWS {
        let message = message(Kind::Opened);
        let request = open(name).request(&sending(&message, None)).unwrap();
        let start = "CRITICAL test: this is a test: switch sw-b is down:";
        let text = match &request {
            Request::Http(http) => http.body.clone(),
            Request::Mail(mail) => String::from_utf8_lossy(&mail.formatted)
                .replace("=\r\n", "")
                .replace("\r\n ", " "),
            Request::Command(command) => command.environment["QUORATE_HEADLINE"].clone(),
        };
        // What is never shown together: a notification and a title, a subject and a body, plain text and HTML.
        let most = match name.split('-').next().unwrap() {
            "mail" => 3,
            "slack" | "mattermost" | "teams" | "matrix" => 2,
            // Its summary is the sentence alone: the severity and the cluster are labels.
            "alertmanager" => 0,
            _ => 1,
        };
        assert_eq!(text.matches(start).count(), most, "{name}: {text}");
    }
}

#[test]
fn what_is_not_recorded_says_so_in_its_last_line() {
    for (name, ..) in ROWS {
        let message = message(Kind::Opened);
        let sending = Sending {
            is_recorded: false,
            ..sending(&message, None)
        };
        let request = open(name).request(&sending).unwrap();
        let text = match &request {
            Request::Http(http) => http.body.clone(),
            Request::Mail(mail) => String::from_utf8_lossy(&mail.formatted).into_owned(),
            Request::Command(command) => command.input.clone(),
        };
        let is_told =
            text.contains("ledger cannot be written") || text.contains("\"recorded\":false");
        assert!(is_told, "{name}: {text}");
    }
}

#[test]
fn no_secret_is_in_what_is_printed_of_a_chat() {
    for (name, ..) in ROWS {
        let chat = open(name);
        let said = format!("{chat:?}");
        assert!(!said.contains("secret"), "{said}");
        let message = message(Kind::Over);
        let request = chat.request(&sending(&message, Some("1/2"))).unwrap();
        let mut shown = shown(Some(&request));
        for secret in chat
            .secrets()
            .into_iter()
            .filter(|secret| !secret.is_empty())
        {
            shown = shown.replace(secret, "***");
        }
        assert!(!shown.contains("secret"), "{name}: {shown}");
    }
}

#[test]
fn what_can_be_edited_is_edited_and_what_cannot_is_not_said_twice() {
    for (name, _, first) in ROWS {
        let chat = open(name);
        let can_edit = !first.is_empty();
        for kind in [Kind::Changed, Kind::Joined] {
            let message = message(kind);
            let blind = chat.request(&sending(&message, None));
            // These know the thread by its key, and need no receipt.
            let by_key = ["alertmanager", "pagerduty", "webhook", "command"].contains(name);
            assert_eq!(
                blind.is_some(),
                by_key && (*name != "pagerduty" || kind == Kind::Joined),
                "{name} {kind:?}"
            );
            if can_edit {
                assert!(
                    chat.request(&sending(&message, Some(first))).is_some(),
                    "{name}"
                );
            }
        }
        for kind in [
            Kind::Opened,
            Kind::Worse,
            Kind::Again,
            Kind::Reminder,
            Kind::Over,
        ] {
            let message = message(kind);
            assert!(
                chat.request(&sending(&message, None)).is_some(),
                "{name} {kind:?}"
            );
        }
    }
}

#[test]
fn the_samples_say_that_they_are_a_test() {
    for (name, make) in SAMPLES {
        let message = make();
        assert_eq!(message.cluster, "test", "{name}");
        assert!(message.sentence.starts_with("this is a test: "), "{name}");
        assert_eq!(&message.rule, name);
    }
    assert_eq!(
        model::alert::moment(BEGAN_UNIX_MS),
        "2026-11-22 14:03:22 UTC"
    );
}

#[test]
fn every_chat_is_in_the_table_and_in_the_configuration() {
    let tables = crate::config::Config::TABLES.iter();
    let tables: Vec<&str> = tables
        .filter_map(|table| table.name.strip_prefix("receiver."))
        .collect();
    assert_eq!(tables, receivers::KINDS);
    for kind in receivers::KINDS {
        assert!(ROWS.iter().any(|(name, ..)| name == kind), "{kind}");
    }
}
