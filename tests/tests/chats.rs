//! The real `quorate-collector alert-test` against a server that takes what each service publishes that it takes, and nothing else.
//!
//! Needs python3.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use quorate_tests::chats::{Services, alert_test};
use quorate_tests::collector_binary;
use serde_json::Value;

const KINDS: [&str; 7] = [
    "opened", "changed", "worse", "again", "reminder", "over", "joined",
];
const RECEIVERS: &str = include_str!("../fixtures/receivers.toml");
const KEY: &str = "5ecre7-key-of-the-webhook";
/// Receivers, and receipts as their services gave them; "": they have none.
const RECEIPTS: &[(&str, &str)] = &[
    ("slack", "C0000000001/1503435956.000247"),
    ("slack-hook", ""),
    ("mattermost", "p1"),
    ("mattermost-hook", ""),
    ("rocketchat", "r1/m1"),
    ("rocketchat-hook", ""),
    ("discord", "42"),
    ("teams", ""),
    ("telegram", "5"),
    ("matrix", "$event"),
    ("ntfy", ""),
    ("gotify", ""),
    ("alertmanager", ""),
    ("pagerduty", ""),
    ("webhook", ""),
];

struct Stage {
    services: Services,
    dir: tempfile::TempDir,
}

impl Stage {
    fn set() -> Self {
        let services = Services::start().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (page, seen) = (dir.path().join("page"), dir.path().join("seen"));
        let script = format!(
            "#!/bin/sh\n{{ echo \"$1|$2|$QUORATE_SEVERITY $QUORATE_HEADLINE\"; cat; }} > {}\n",
            seen.display()
        );
        fs::write(&page, script).unwrap();
        fs::set_permissions(&page, fs::Permissions::from_mode(0o755)).unwrap();
        let rows = RECEIVERS.replace("SERVICES", services.address());
        let rows = rows.replace("PAGE", &page.to_string_lossy());
        fs::write(dir.path().join("collector.toml"), rows).unwrap();
        Self { services, dir }
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("collector.toml")
    }

    fn test(&self, args: &[&str]) -> Output {
        alert_test(&self.config(), None, args).unwrap()
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn every_service_takes_every_kind_of_message_and_no_secret_is_shown() {
    let stage = Stage::set();
    for (name, receipt) in RECEIPTS {
        for kind in KINDS {
            let mut args = vec![*name, "--kind", kind];
            if !receipt.is_empty() && kind != "opened" {
                args.extend(["--first", receipt]);
            }
            let output = stage.test(&args);
            let said = text(&output);
            assert!(!said.contains("5ecre7"), "{said}");
            let seen = stage.services.seen();
            if said.contains("cannot edit what was said") {
                assert!(
                    receipt.is_empty() && ["changed", "joined"].contains(&kind),
                    "{said}"
                );
                assert_eq!((output.status.code(), seen.len()), (Some(3), 0), "{said}");
                continue;
            }
            assert_eq!(
                (output.status.code(), seen.len()),
                (Some(0), 1),
                "{name} {kind}: {said}"
            );
            assert!(said.contains("\ndelivered"), "{said}");
            if !receipt.is_empty() {
                assert!(
                    said.ends_with(&format!("delivered; its receipt is {receipt}\n")),
                    "{said}"
                );
            }
        }
    }
}

#[test]
fn a_command_is_told_the_same_as_a_webhook_and_gets_its_arguments_as_they_are() {
    let stage = Stage::set();
    let output = stage.test(&["command", "--incident", "bond-degraded"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let seen = fs::read_to_string(stage.dir.path().join("seen")).unwrap();
    let (first, told) = seen.split_once('\n').unwrap();
    assert_eq!(
        first,
        "a b|$HOME|warning WARNING test: this is a test: bond0 of pve-04 has 1 of 2 ports: eno2 is down"
    );
    let told: Value = serde_json::from_str(told).unwrap();
    assert_eq!(told["incident"]["rule"], "bond-degraded");
    fs::write(
        stage.dir.path().join("page"),
        "#!/bin/sh\necho no pager; exit 7\n",
    )
    .unwrap();
    let output = stage.test(&["command"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output).contains("not delivered; it would be tried again: answered 7: no pager"),
        "{}",
        text(&output)
    );
}

#[test]
fn what_is_wrong_is_said_and_what_there_is_is_listed() {
    let stage = Stage::set();
    let listed = stage.test(&[]);
    let said = text(&listed);
    assert!(
        said.starts_with("RECEIVER         KIND\nslack            slack\nslack-hook       slack\n"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 17);
    let unknown = stage.test(&["slak"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(
        text(&unknown).contains("there is no receiver \"slak\"; there are: slack, slack-hook, "),
        "{}",
        text(&unknown)
    );
    assert_eq!(
        stage.test(&["slack", "--incident", "x"]).status.code(),
        Some(64)
    );

    let dead = stage.dir.path().join("dead.toml");
    let row = "[[receiver.webhook]]\nname = 'dead'\nurl = 'http://127.0.0.1:9/5ecre75ecre7'\n";
    fs::write(&dead, row).unwrap();
    let output = alert_test(&dead, None, &["dead"]).unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        said.contains("error: not delivered: no connection: "),
        "{said}"
    );
    assert!(!said.contains("5ecre7"), "{said}");

    let unread = row.replace("'http://127.0.0.1:9/5ecre75ecre7'", "'file:/no/such'");
    fs::write(&dead, unread).unwrap();
    let said = text(&alert_test(&dead, None, &["dead"]).unwrap());
    let expect =
        "error: `url` of receiver \"dead\" cannot be read from /no/such: No such file or directory";
    assert!(said.contains(expect), "{said}");
}

#[test]
fn a_system_that_trusts_nobody_still_tells_a_server_without_tls() {
    let stage = Stage::set();
    let nobody = stage.dir.path().join("no-roots.pem");
    fs::write(&nobody, "").unwrap();
    let output = alert_test(&stage.config(), Some(&nobody), &["webhook"]).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(stage.services.seen().len(), 1);

    let with_tls = stage.dir.path().join("tls.toml");
    let row = "[[receiver.webhook]]\nname = 'tls'\nurl = 'https://127.0.0.1:9/5ecre75ecre7'\n";
    fs::write(&with_tls, row).unwrap();
    let said = text(&alert_test(&with_tls, Some(&nobody), &["tls"]).unwrap());
    assert!(said.contains("install ca-certificates"), "{said}");
}

#[test]
fn check_config_reads_the_secrets_of_all_receivers_and_counts_them() {
    let stage = Stage::set();
    let check = || {
        let mut command = Command::new(collector_binary().unwrap());
        let command = command
            .arg("check-config")
            .arg("--config")
            .arg(stage.config());
        command.output().unwrap()
    };
    let good = text(&check());
    assert!(good.ends_with("; 16 receivers of alerts\n"), "{good}");
    let rows = fs::read_to_string(stage.config()).unwrap();
    fs::write(
        stage.config(),
        rows.replace("\"5ecre7-topic\"", "\"env:NO_SUCH\""),
    )
    .unwrap();
    let bad = check();
    assert_eq!(bad.status.code(), Some(3));
    let expect =
        "error: `topic` of receiver \"ntfy\" stands in the variable NO_SUCH, which is not set";
    assert!(text(&bad).starts_with(expect), "{}", text(&bad));

    let template = stage.dir.path().join("sms.json");
    let row = format!(
        "[[receiver.webhook]]\nname = 'sms'\nurl = 'http://127.0.0.1:9/'\ntemplate = '{}'\n",
        template.display()
    );
    fs::write(stage.config(), row).unwrap();
    let unreachable = text(&check());
    let expect = "error: `template` of receiver \"sms\" cannot be read from /";
    assert!(unreachable.starts_with(expect), "{unreachable}");
    fs::write(&template, "{\n\"text\": {{ headlin }}}").unwrap();
    let wrong = text(&check());
    let expect = "error: `template` of receiver \"sms\": undefined value (in /";
    assert!(wrong.starts_with(expect), "{wrong}");
    assert!(wrong.contains("sms.json:2)"), "{wrong}");
}

/// The example of the page, with a line below it that calls it.
fn python_says(body: &Path, headers: [&str; 2], key: &str) -> String {
    let page = include_str!("../../docs/alerts.md");
    let example = page
        .split("```python\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let call = format!(
        "{example}\nimport sys\nprint(is_from_quorate(open({body:?}, 'rb').read(), {:?}, {:?}, {key:?}, now=int({:?})))\n",
        headers[0], headers[1], headers[0]
    );
    let mut python = Command::new("python3");
    python.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(call.as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn the_python_of_the_page_knows_a_real_delivery_from_a_forged_one() {
    let stage = Stage::set();
    assert_eq!(stage.test(&["webhook"]).status.code(), Some(0));
    let came = stage.services.seen().remove(0);
    let headers = [
        came.headers["quorate-timestamp"].as_str(),
        came.headers["quorate-signature"].as_str(),
    ];
    let body = stage.dir.path().join("body");
    fs::write(&body, &came.body).unwrap();
    assert_eq!(python_says(&body, headers, KEY), "True");
    assert_eq!(
        python_says(&body, headers, "another key, as long as it"),
        "False"
    );
    fs::write(&body, came.body.replace("sw-b", "sw-a")).unwrap();
    assert_eq!(python_says(&body, headers, KEY), "False");
}
