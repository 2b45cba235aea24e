//! Silences, acknowledgements and receivers as users meet them, against a collector of a few lines.

use std::path::Path;

use proto::v1::alerts_server::{Alerts, AlertsServer};

use super::*;

const HOUR_MS: i64 = 3_600_000;

/// Refuses incident 404, cannot write that of 503, and does the rest.
struct Words;

#[async_trait]
impl Alerts for Words {
    async fn silence(
        &self,
        request: Request<v1::SilenceRequest>,
    ) -> Result<Response<v1::AlertAnswer>, Status> {
        let asked = request.into_inner();
        let hours =
            (asked.until_unix_ms - jiff::Timestamp::now().as_millisecond() + HOUR_MS / 2) / HOUR_MS;
        let said = format!(
            "{} {} {:?} {hours} h {} {}",
            asked.rule, asked.subject, asked.incident, asked.reason, asked.cluster
        );
        answer(asked.incident.unwrap_or_default(), &said)
    }

    async fn expire(
        &self,
        request: Request<v1::ExpireRequest>,
    ) -> Result<Response<v1::AlertAnswer>, Status> {
        let id = request.into_inner().id;
        answer(id, &format!("silence {id} is over"))
    }

    async fn list_silences(
        &self,
        request: Request<v1::ListSilencesRequest>,
    ) -> Result<Response<v1::ListSilencesResponse>, Status> {
        if request.into_inner().cluster == "other" {
            return Err(Status::permission_denied("not this cluster"));
        }
        Ok(Response::new(v1::ListSilencesResponse {
            silences: vec![v1::Silence {
                id: 3,
                holds: true,
                sentence: "silence 3: rule bond-*: until then".to_owned(),
                ..v1::Silence::default()
            }],
            acknowledgements: vec![v1::Acknowledgement {
                sentence: "#7 is known to anna".to_owned(),
                ..v1::Acknowledgement::default()
            }],
            json: "{\"silences\":[]}".to_owned(),
        }))
    }

    async fn acknowledge(
        &self,
        request: Request<v1::AcknowledgeRequest>,
    ) -> Result<Response<v1::AlertAnswer>, Status> {
        let asked = request.into_inner();
        let said = format!("#{} is known: {}", asked.incident, asked.reason);
        answer(asked.incident, &said)
    }

    async fn list_receivers(
        &self,
        request: Request<v1::ListReceiversRequest>,
    ) -> Result<Response<v1::ListReceiversResponse>, Status> {
        assert_eq!(request.into_inner().cluster, ID);
        let receiver = |name: &str, failing_since_unix_ms, why: &str| v1::Receiver {
            name: name.to_owned(),
            kind: "slack".to_owned(),
            owed: Some(3),
            failing_since_unix_ms,
            why: why.to_owned(),
        };
        Ok(Response::new(v1::ListReceiversResponse {
            receivers: vec![
                receiver("well", 0, ""),
                receiver("ops-slack", 1_000, "answered 403"),
            ],
            given_up: Some(2),
        }))
    }
}

fn answer(number: u64, sentence: &str) -> Result<Response<v1::AlertAnswer>, Status> {
    let (outcome, sentence) = match number {
        404 => (v1::Outcome::Refused, "there is no such thing"),
        503 => (v1::Outcome::Unknown, "the ledger cannot be written"),
        _ => (v1::Outcome::Done, sentence),
    };
    Ok(Response::new(v1::AlertAnswer {
        outcome: outcome.into(),
        sentence: sentence.to_owned(),
        json: "{\"outcome\":\"as the collector wrote it\"}".to_owned(),
        ..v1::AlertAnswer::default()
    }))
}

fn ask_in(dir: &Path, words: &[&str]) -> Output {
    let ca = ca();
    let routes = Routes::new(QueryServer::new(Collector)).add_service(AlertsServer::new(Words));
    let address = serve_all(&ca, routes).to_string();
    let file = identity(dir, &[address], &ca, &ca);
    run(
        dir,
        &[words, &["--identity", file.to_str().unwrap()]].concat(),
    )
}

#[track_caller]
fn check(words: &[&str], code: i32, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let output = ask_in(dir.path(), words);
    assert_eq!(
        (output.status.code(), text(&output.stdout).as_str()),
        (Some(code), expected),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_silence_is_added_listed_and_ended() {
    let add = ["silence", "add", "--reason", "new cables"];
    let of = |words: &[&'static str]| [&add[..], words].concat();
    check(
        &of(&[
            "--rule",
            "bond-*",
            "--subject",
            "pve-0[1-3]",
            "--until",
            "8h",
        ]),
        0,
        "DONE - bond-* pve-0[1-3] None 8 h new cables\n",
    );
    check(
        &of(&["--incident", "#7", "--until", "2w", "--cluster", "pve"]),
        0,
        "DONE -   Some(7) 336 h new cables pve\n",
    );
    check(
        &of(&["--incident", "404", "--until", "90m"]),
        2,
        "REFUSED - there is no such thing\n",
    );
    check(
        &of(&["--incident", "404", "--until", "90m", "--json"]),
        2,
        "{\"outcome\":\"as the collector wrote it\"}\n",
    );
    check(
        &["silence", "list"],
        0,
        "silence 3: rule bond-*: until then\n#7 is known to anna\n",
    );
    check(&["silence", "list", "--json"], 0, "{\"silences\":[]}\n");
    check(&["silence", "expire", "3"], 0, "DONE - silence 3 is over\n");
    check(
        &["silence", "expire", "503"],
        3,
        "UNKNOWN - the ledger cannot be written\n",
    );
}

#[test]
fn an_incident_is_acknowledged() {
    let ack = |number| ["ack", number, "--reason", "on it"];
    check(&ack("7"), 0, "DONE - #7 is known: on it\n");
    check(&ack("#7"), 0, "DONE - #7 is known: on it\n");
    check(&ack("404"), 2, "REFUSED - there is no such thing\n");
    check(&ack("503"), 3, "UNKNOWN - the ledger cannot be written\n");
}

#[test]
fn without_a_collector_nothing_is_known_to_be_done() {
    let dir = tempfile::tempdir().unwrap();
    for words in [
        &["ack", "7", "--reason", "x"][..],
        &["silence", "expire", "3"],
        &[
            "silence",
            "add",
            "--incident",
            "7",
            "--until",
            "8h",
            "--reason",
            "x",
        ],
    ] {
        let words = [words, &["--identity", "/nowhere.json"]].concat();
        let output = run(dir.path(), &words);
        assert_eq!(output.status.code(), Some(3), "{words:?}");
        let said = text(&output.stdout);
        assert!(said.starts_with("UNKNOWN - there is no "), "{said}");
        let output = run(dir.path(), &[&words[..], &["--json"]].concat());
        assert_eq!(output.status.code(), Some(3), "{words:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["outcome"], "unknown");
    }
    let list = ["silence", "list", "--identity", "/nowhere.json"];
    check_no_answer(&run(dir.path(), &list), &["there is no"]);
    let refused = ask_in(dir.path(), &["silence", "list", "--cluster", "other"]);
    check_no_answer(&refused, &["not this cluster"]);
}

#[test]
fn what_silence_and_ack_do_not_understand_is_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let add = ["silence", "add", "--reason", "x"];
    for words in [
        &["silence"][..],
        &["silence", "expire"],
        &["silence", "expire", "bond-*"],
        &["ack", "7"],
        &["ack", "bond-degraded", "--reason", "x"],
        &[&add[..], &["--until", "8h"]].concat(),
        &[&add[..], &["--rule", "bond-*"]].concat(),
        &[&add[..], &["--rule", "bond-[", "--until", "8h"]].concat(),
        &[&add[..], &["--subject", "", "--until", "8h"]].concat(),
        &[&add[..], &["--rule", "bond-*", "--until", "soon"]].concat(),
        &["silence", "add", "--rule", "bond-*", "--until", "8h"],
    ] {
        let output = run(dir.path(), words);
        assert_eq!(output.status.code(), Some(64), "{words:?}");
    }
    // Help is no answer.
    for words in [["silence", "--help"], ["ack", "--help"]] {
        assert_eq!(run(dir.path(), &words).status.code(), Some(3));
    }
}

#[test]
fn a_receiver_at_which_nothing_arrives_stands_in_the_status() {
    let dir = tempfile::tempdir().unwrap();
    let output = ask_in(dir.path(), &["status"]);
    let shown = text(&output.stdout);
    // Where the line is broken depends on how many days it is.
    let shown: Vec<&str> = shown.split_whitespace().collect();
    let shown = shown.join(" ");
    let begins = "! receiver ops-slack (slack): nothing has arrived for ";
    assert!(shown.contains(begins), "{shown}");
    assert!(
        shown.contains(" d, 3 messages wait: answered 403 "),
        "{shown}"
    );
    assert!(!shown.contains("receiver well"), "{shown}");

    let output = ask_in(dir.path(), &["status", "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cluster = &answer["clusters"][0];
    assert_eq!(
        cluster["receivers"],
        json!([
            {"name": "well", "kind": "slack", "owed": 3, "failing_since": null, "why": null},
            {"name": "ops-slack", "kind": "slack", "owed": 3, "failing_since": "1970-01-01T00:00:01Z",
             "why": "answered 403"},
        ])
    );
    assert_eq!(cluster["given_up"], 2);
}
