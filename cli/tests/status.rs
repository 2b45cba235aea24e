//! `quorate status` as its users meet it, against a collector of a few lines: real mutual TLS, certificates made here.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "status/silences.rs"]
mod silences;

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;

use proto::tls::{ALPN, SERVER_NAME, provider, roots};
use proto::v1;
use proto::v1::query_server::{Query, QueryServer};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;
use tonic::codegen::{async_trait, tokio_stream};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

const ID: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate with this DNS name, and its key.
fn certificate(ca: &Ca, name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, ca).unwrap(), key)
}

/// Answers every question with one cluster of one node, and knows no other.
struct Collector;

#[async_trait]
impl Query for Collector {
    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let asked = request.into_inner().cluster;
        match asked.as_str() {
            "" | "pve" => Ok(Response::new(status())),
            "other" => Err(Status::permission_denied(
                "this certificate is of another cluster",
            )),
            _ => Err(Status::not_found("no such cluster")),
        }
    }

    async fn get_report(
        &self,
        _: Request<v1::GetReportRequest>,
    ) -> Result<Response<v1::GetReportResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn what_if(
        &self,
        request: Request<v1::WhatIfRequest>,
    ) -> Result<Response<v1::WhatIfResponse>, Status> {
        let named = request.into_inner().failures.into_iter();
        let named: Vec<String> = named.map(|failure| format!("{:?}", failure.part)).collect();
        Ok(Response::new(v1::WhatIfResponse {
            sentence: format!("{} fail", named.join(" and ")),
            rank: v1::Rank::NoMargin.into(),
            worst: v1::Rank::Fencing.into(),
            trace: vec!["because of this".to_owned()],
            unknown: vec!["whether that".to_owned()],
            json: "{}".to_owned(),
        }))
    }

    async fn get_verdict(
        &self,
        _: Request<v1::GetVerdictRequest>,
    ) -> Result<Response<v1::GetVerdictResponse>, Status> {
        Err(Status::unimplemented("not by this one"))
    }

    async fn list_verdicts(
        &self,
        _: Request<v1::ListVerdictsRequest>,
    ) -> Result<Response<v1::ListVerdictsResponse>, Status> {
        Err(Status::unimplemented("not by this one"))
    }

    async fn list_risks(
        &self,
        request: Request<v1::ListRisksRequest>,
    ) -> Result<Response<v1::ListRisksResponse>, Status> {
        let risk = |worst: v1::Rank, sentence: &str| v1::Risk {
            failures: vec!["node pve-01".to_owned()],
            rank: worst.into(),
            worst: worst.into(),
            sentence: sentence.to_owned(),
        };
        Ok(Response::new(v1::ListRisksResponse {
            risks: vec![
                risk(v1::Rank::QuorumLostEverywhere, "the worst"),
                risk(v1::Rank::RedundancyLost, "a small one"),
            ],
            edge: "1".to_owned(),
            edge_failures: Some(1),
            edge_parts: vec!["node pve-01".to_owned()],
            played: if request.into_inner().with_pairs {
                3
            } else {
                2
            },
        }))
    }

    type ListHistoryStream =
        tokio_stream::Iter<std::vec::IntoIter<Result<v1::HistoryPart, Status>>>;

    /// Two events; a follower is left alone after the first one, and turned away after the second one.
    async fn list_history(
        &self,
        request: Request<v1::ListHistoryRequest>,
    ) -> Result<Response<Self::ListHistoryStream>, Status> {
        let asked = request.into_inner();
        let after = asked.after.map_or(0, |place| place.event);
        let mut parts = vec![Ok(part(after, None))];
        match (asked.follow, after) {
            (true, 0) => {
                parts.push(Ok(part(1, Some("first"))));
                parts.push(Err(Status::unavailable("it is told to end")));
            }
            (true, 1) => {
                parts.push(Ok(part(2, Some("second"))));
                parts.push(Err(Status::permission_denied("nobody follows for so long")));
            }
            (true, _) => return Err(Status::internal("it is asked for what was told")),
            (false, _) => parts.extend([Ok(part(1, Some("first"))), Ok(part(2, Some("second")))]),
        }
        Ok(Response::new(tokio_stream::iter(parts)))
    }

    type ListEventsStream = tokio_stream::Empty<Result<v1::KeptEvent, Status>>;

    async fn list_events(
        &self,
        _: Request<v1::ListEventsRequest>,
    ) -> Result<Response<Self::ListEventsStream>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

fn part(event: u64, sentence: Option<&str>) -> v1::HistoryPart {
    let entry = sentence.map(|sentence| v1::HistoryEntry {
        kept_unix_ms: 1_000,
        at_unix_ms: Some(500),
        node: "pve-01".to_owned(),
        source: "kernel".to_owned(),
        sentence: sentence.to_owned(),
        ..v1::HistoryEntry::default()
    });
    v1::HistoryPart {
        place: Some(v1::HistoryPlace { event, step: 0 }),
        entry,
    }
}

fn status() -> v1::GetStatusResponse {
    let node = v1::NodeStatus {
        node: "pve-01".to_owned(),
        standing: v1::Standing::Connected.into(),
        heard_ago_ms: Some(500),
        corosync_age_ms: Some(500),
        quorate: Some(true),
        total_votes: Some(1),
        quorum: Some(1),
        ..v1::NodeStatus::default()
    };
    v1::GetStatusResponse {
        collector: Some(v1::Software {
            version: "0.1.0".to_owned(),
            capabilities: Vec::new(),
        }),
        clusters: vec![v1::ClusterStatus {
            cluster: Some(v1::Cluster {
                id: ID.to_owned(),
                name: "pve".to_owned(),
            }),
            is_authority: true,
            is_observer: false,
            authority: None,
            nodes: vec![node],
            findings: vec!["pve-02 was never heard".to_owned()],
            incidents: vec![
                incident(7, v1::Severity::Critical, None),
                incident(8, v1::Severity::Warning, Some(7)),
            ],
            incident_steps_waiting: 0,
            votes: vec![v1::VotesWord {
                sentence: "quorate: 1 of 1 votes, 1 needed, none may be lost".to_owned(),
                quorate: true,
                whose: "pve-01 says so".to_owned(),
                nodes: vec!["pve-01".to_owned()],
                may_be_lost: Some(0),
                ..v1::VotesWord::default()
            }],
            link_matrix: Some(v1::LinkMatrix {
                nodes: vec!["pve-01".to_owned(), "pve-02".to_owned()],
                links: vec![v1::LinkWays {
                    link: 0,
                    ways: [
                        v1::Way::Self_,
                        v1::Way::Connected,
                        v1::Way::Unspecified,
                        v1::Way::Self_,
                    ]
                    .map(i32::from)
                    .to_vec(),
                }],
            }),
        }],
    }
}

fn incident(number: u64, severity: v1::Severity, cause: Option<u64>) -> v1::Incident {
    v1::Incident {
        number,
        rule: "bond-degraded".to_owned(),
        severity: severity.into(),
        sentence: format!("what is wrong in {number}"),
        cause,
        remedy: "Look at the cable.".to_owned(),
        is_found: true,
        ..v1::Incident::default()
    }
}

/// Serves until the test's process ends; only whom this CA signed may ask. It is too old to know of silences.
fn serve(ca: &Ca) -> SocketAddr {
    serve_all(ca, Routes::new(QueryServer::new(Collector)))
}

fn serve_all(ca: &Ca, routes: Routes) -> SocketAddr {
    let (certificate, key) = certificate(ca, SERVER_NAME);
    let clients = roots(&[ca.der().clone()]).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(clients, provider());
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    thread::spawn(move || runtime.block_on(accept(listener, Arc::new(config), routes)));
    address
}

async fn accept(listener: TcpListener, config: Arc<ServerConfig>, routes: Routes) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let acceptor = TlsAcceptor::from(config);
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        // Whoever is refused here is what a test is about.
        let Ok(mut tls) = acceptor.accept(tcp).await else {
            continue;
        };
        // tonic serves a stream of its own kinds only.
        let (mut outer, inner) = tokio::io::duplex(64 << 10);
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut tls, &mut outer).await });
        let serving = tonic::transport::Server::builder()
            .add_routes(routes.clone())
            .serve_with_incoming(tokio_stream::once(Ok::<_, std::io::Error>(inner)));
        tokio::spawn(serving);
    }
}

/// An operator's file; `trusted` is who may have signed the collector's certificate.
fn identity(dir: &Path, addresses: &[String], signed_by: &Ca, trusted: &Ca) -> PathBuf {
    let (certificate, key) = certificate(signed_by, "anna");
    let file = json!({
        "addresses": addresses,
        "certificate_pem": certificate.pem(),
        "key_pem": key.serialize_pem(),
        "trust_pem": trusted.pem(),
        "a_newer_key": true,
    });
    write(dir, &file.to_string(), 0o600)
}

fn write(dir: &Path, text: &str, mode: u32) -> PathBuf {
    let path = dir.join("identity.json");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn quorate(home: &Path, args: &[&str]) -> Output {
    run(home, &[&["status"], args].concat())
}

/// Nothing of the machine that the test runs on plays a part.
fn run(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(args)
        .env_remove("QUORATE_IDENTITY")
        .env("HOME", home)
        .env("TZ", "UTC")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn check_no_answer(output: &Output, says: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert_eq!(text(&output.stdout), "");
    assert!(said.starts_with("error: "), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    for words in says {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
}

#[test]
fn the_collector_is_asked_with_the_file_in_the_home_directory() {
    let dir = tempfile::tempdir().unwrap();
    let ca = ca();
    let address = serve(&ca).to_string();
    let place = dir.path().join(".config/quorate");
    std::fs::create_dir_all(&place).unwrap();
    identity(&place, &[address], &ca, &ca);
    let output = quorate(dir.path(), &[]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let shown = text(&output.stdout);
    let expected = "\
pve (0b9d3a52): quorate: 1 of 1 votes, 1 needed, none may be lost (pve-01 says
  so)
  ! pve-02 was never heard
  1 open incident, and 1 more that is only an effect; `quorate incidents NUMBER`
    opens one
  #7 critical: what is wrong in 7 (1 effect)
                             LINK 0
  NODE    HEARD     QUORATE  1 2     BONDS
  pve-01  0 s ago   yes      . +     unknown
  pve-02  no agent  unknown  ? .     unknown
  + the row's node has the column's connected; ? unknown
";
    assert_eq!(shown, expected);
    assert!(!shown.contains('\x1b'), "colours in a pipe: {shown:?}");
}

#[test]
fn the_json_is_one_object_with_null_for_what_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let ca = ca();
    let address = serve(&ca).to_string();
    // The first address answers nobody.
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let file = identity(dir.path(), &[nobody.to_string(), address.clone()], &ca, &ca);
    let file = file.to_str().unwrap();
    let output = quorate(
        dir.path(),
        &["--json", "--identity", file, "--cluster", "pve"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        answer["collector"],
        json!({"address": address, "version": "0.1.0"})
    );
    let cluster = &answer["clusters"][0];
    assert_eq!(cluster["id"], ID);
    let node = &cluster["nodes"][0];
    assert_eq!(node["standing"], "connected");
    assert_eq!(node["quorate"], true);
    for unknown in ["skew_ms", "dropped", "votes", "agent_version"] {
        assert_eq!(node[unknown], Value::Null, "{unknown}");
    }
    assert_eq!(cluster["findings"], json!(["pve-02 was never heard"]));
    assert_eq!(cluster["votes"][0]["may_be_lost"], 0);
    assert_eq!(
        cluster["link_matrix"],
        json!({
            "nodes": ["pve-01", "pve-02"],
            "links": [{"link": 0, "ways": [[null, "connected"], ["unknown", null]]}],
        })
    );
    let numbers: Vec<&Value> = cluster["incidents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["number"])
        .collect();
    assert_eq!(numbers, [7, 8]);
    assert_eq!(node["bonds"], Value::Null);
    assert_eq!(cluster["receivers"], Value::Null);
}

#[test]
fn without_a_file_it_is_said_where_one_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none.json");
    let output = quorate(dir.path(), &["--identity", missing.to_str().unwrap()]);
    check_no_answer(
        &output,
        &["none.json", "quorate-collector operator add", "--identity"],
    );
    let output = quorate(
        dir.path(),
        &["--json", "--identity", missing.to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(3));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["error"].is_string());
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o644] {
        let file = write(dir.path(), "{}", mode);
        let output = quorate(dir.path(), &["--identity", file.to_str().unwrap()]);
        check_no_answer(&output, &[&format!("mode {mode:04o}"), "chmod 600"]);
    }
}

#[test]
fn a_file_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "{\"addresses\": 5}", 0o600);
    let output = quorate(dir.path(), &["--identity", file.to_str().unwrap()]);
    check_no_answer(
        &output,
        &["identity.json is no operator's file", "line 1 column 15"],
    );
    let whole =
        json!({"addresses": ["x:1"], "certificate_pem": "", "key_pem": "", "trust_pem": ""});
    let file = write(dir.path(), &whole.to_string(), 0o600);
    let output = quorate(dir.path(), &["--identity", file.to_str().unwrap()]);
    check_no_answer(&output, &["certificate_pem cannot be used"]);
}

#[test]
fn a_collector_that_is_not_there_and_one_of_another_ca_give_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (own, foreign) = (ca(), ca());
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let file = identity(dir.path(), &[nobody.to_string()], &own, &own);
    let file = file.to_str().unwrap();
    let output = quorate(dir.path(), &["--identity", file]);
    check_no_answer(
        &output,
        &["no collector answers", &nobody.to_string(), "refused"],
    );
    let impostor = serve(&foreign).to_string();
    let output = quorate(dir.path(), &["--identity", file, "--collector", &impostor]);
    check_no_answer(
        &output,
        &[
            "no collector answers",
            &impostor,
            "invalid peer certificate",
        ],
    );
}

#[test]
fn a_certificate_that_the_collector_does_not_take_gives_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (own, foreign) = (ca(), ca());
    let address = serve(&foreign).to_string();
    let file = identity(dir.path(), std::slice::from_ref(&address), &own, &foreign);
    let output = quorate(dir.path(), &["--identity", file.to_str().unwrap()]);
    check_no_answer(&output, &["no collector answers", &address]);
}

#[test]
fn an_unknown_cluster_and_a_refusal_are_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let ca = ca();
    let address = serve(&ca).to_string();
    let file = identity(dir.path(), &[address], &ca, &ca);
    let file = file.to_str().unwrap();
    let output = quorate(dir.path(), &["--identity", file, "--cluster", "pev"]);
    check_no_answer(&output, &["no cluster \"pev\"", "quorate status"]);
    let output = quorate(dir.path(), &["--identity", file, "--cluster", "other"]);
    check_no_answer(&output, &["another cluster"]);
}

#[test]
fn help_is_no_answer_and_a_wrong_word_is_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(quorate(dir.path(), &["--help"]).status.code(), Some(3));
    assert_eq!(quorate(dir.path(), &["--fleet"]).status.code(), Some(64));
    let output = quorate(dir.path(), &["--collector", "nowhere"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("HOST:PORT"));
}

#[track_caller]
fn check_answer(words: &[&str], expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let ca = ca();
    let address = serve(&ca).to_string();
    let file = identity(dir.path(), &[address], &ca, &ca);
    let output = run(
        dir.path(),
        &[words, &["--identity", file.to_str().unwrap()]].concat(),
    );
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn incidents_show_each_cause_once_and_count_what_it_hides() {
    check_answer(
        &["incidents"],
        "pve: 1 open incident\n  #7 critical: what is wrong in 7\n    since 1970-01-01 00:00:00; quorate explain \
         bond-degraded\n    1 more is only its effect: quorate incidents 7 shows it\n    Look at the cable.\n",
    );
}

#[test]
fn an_incident_is_opened_up_by_its_number_and_one_that_is_not_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let ca = ca();
    let address = serve(&ca).to_string();
    let file = identity(dir.path(), &[address], &ca, &ca);
    let asked = |words: &[&str]| {
        let words = [&["incidents", "--identity", file.to_str().unwrap()], words].concat();
        run(dir.path(), &words)
    };
    let shown = text(&asked(&["#7"]).stdout);
    assert!(
        shown.starts_with("#7 critical: what is wrong in 7\n"),
        "{shown}"
    );
    assert!(
        shown.contains("\nEffects\n  #8 warning: what is wrong in 8"),
        "{shown}"
    );
    let answer: Value = serde_json::from_slice(&asked(&["7", "--json"]).stdout).unwrap();
    assert_eq!(
        answer["clusters"][0]["incidents"].as_array().unwrap().len(),
        2
    );
    check_no_answer(&asked(&["9"]), &["no incident #9", "open are #7, #8"]);
    assert_eq!(asked(&["seven"]).status.code(), Some(64));
}

#[test]
fn events_are_a_line_each_and_as_json_an_object_each() {
    check_answer(
        &["events"],
        "1970-01-01 00:00:00  pve-01    kernel     first\n1970-01-01 00:00:00  pve-01    kernel     second\n",
    );
    let dir = tempfile::tempdir().unwrap();
    let ca = ca();
    let address = serve(&ca).to_string();
    let file = identity(dir.path(), &[address], &ca, &ca);
    let output = run(
        dir.path(),
        &[
            "events",
            "--json",
            "--since",
            "2h",
            "--identity",
            file.to_str().unwrap(),
        ],
    );
    let lines: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["sentence"], "second");
    assert_eq!(lines[1]["place"], json!({"event": 2, "step": 0}));
}

#[test]
fn whoever_follows_is_told_that_the_collector_went_and_gets_each_event_once() {
    let dir = tempfile::tempdir().unwrap();
    let ca = ca();
    let address = serve(&ca).to_string();
    let file = identity(dir.path(), std::slice::from_ref(&address), &ca, &ca);
    let output = run(
        dir.path(),
        &["events", "-f", "--identity", file.to_str().unwrap()],
    );
    let shown = text(&output.stdout);
    let sentences: Vec<&str> = shown.lines().map(|line| &line[42..]).collect();
    assert_eq!(sentences, ["first", "second"]);
    let said = text(&output.stderr);
    assert!(said.contains("the collector is gone: "), "{said}");
    assert!(
        said.contains(&format!("the collector at {address} answers again")),
        "{said}"
    );
    assert!(said.contains("nobody follows for so long"), "{said}");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn what_events_does_not_understand_is_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    for words in [["--since", "whenever"], ["-n", "10001"], ["-n", "many"]] {
        let output = run(dir.path(), &[&["events"][..], &words].concat());
        assert_eq!(output.status.code(), Some(64), "{words:?}");
    }
}

#[test]
fn what_if_tells_the_outcome_why_and_what_is_not_known() {
    check_answer(
        &["what-if", "--down", "pve-01,pve-02", "--network", "0"],
        "Some(Node(\"pve-01\")) and Some(Node(\"pve-02\")) and Some(Network(0)) fail\n  in short: no margin for \
         certain, and perhaps fencing\n  - because of this\n  ? whether that\n",
    );
    check_answer(&["what-if", "--qdevice", "--json"], "{}\n");
}

#[test]
fn risks_show_the_edge_and_what_costs_more_than_redundancy() {
    check_answer(
        &["risks", "--depth", "2"],
        "Failures until quorum is lost: 1: node pve-01\nquorum lost everywhere\n  - the worst\n3 failures played; 1 cost \
         redundancy at most: --all shows them\n",
    );
}
