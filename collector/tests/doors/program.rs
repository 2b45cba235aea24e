//! The program itself, as an operator uses it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

fn collector(config: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate-collector"))
        .args(args)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn done(config: &Path, args: &[&str]) -> String {
    let output = collector(config, args);
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    said(&output)
}

/// A configuration whose state is beside it.
fn place(dir: &Path) -> std::path::PathBuf {
    let config = dir.join("collector.toml");
    let state = dir.join("state");
    let text = format!(
        "state_dir = {state:?}\nlisten = '127.0.0.1:0'\nenrolment.listen = '127.0.0.1:0'\nhttp.listen = '127.0.0.1:0'\n"
    );
    std::fs::write(&config, text).unwrap();
    config
}

struct Running {
    process: Child,
    log: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Running {
    fn start(config: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_quorate-collector"))
            .arg("run")
            .arg("--config")
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, log }
    }

    fn line(&mut self, what: &str) -> String {
        let found = self.log.find(|line| line.as_ref().unwrap().contains(what));
        found.expect("the log has ended").unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_collector_whose_port_for_metrics_is_taken_watches_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let config = place(dir.path());
    done(&config, &["init", "--address", "127.0.0.1"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "http.listen = '127.0.0.1:0'",
        &format!("http.listen = '{address}'"),
    );
    std::fs::write(&config, text).unwrap();
    let mut running = Running::start(&config);
    let said = running.line("health and metrics are not answered");
    assert!(
        said.contains(&format!("cannot listen on {address}, which `http.listen`")),
        "{said}"
    );
    running.line("listening for agents");
}

#[test]
fn init_makes_a_collector_once_and_shows_the_one_command() {
    let dir = tempfile::tempdir().unwrap();
    let config = place(dir.path());
    let not_yet = collector(&config, &["token", "list"]);
    assert_eq!(not_yet.status.code(), Some(3));
    assert!(complained(&not_yet).contains("make it one with `quorate-collector init`"));

    let text = done(&config, &["init", "--address", "quorate.example"]);
    assert!(
        text.contains("    quorate-agent join quorate.example:"),
        "{text}"
    );
    assert!(text.contains(" --token quorate1_"), "{text}");
    let key = dir.path().join("state/ca/key.pem");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    assert_eq!(mode(&dir.path().join("state")), 0o700);
    let before = std::fs::read(&key).unwrap();

    let again = collector(&config, &["init"]);
    assert_eq!(again.status.code(), Some(3));
    assert!(complained(&again).contains("holds a collector already"));
    assert_eq!(std::fs::read(&key).unwrap(), before);
}

#[test]
fn tokens_and_people_are_listed_as_json_without_their_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let config = place(dir.path());
    done(&config, &["init", "--address", "192.0.2.1"]);
    let made = done(
        &config,
        &["token", "create", "--for", "2h", "--uses", "3", "--json"],
    );
    let made: Value = serde_json::from_str(&made).unwrap();
    let secret = made["token"].as_str().unwrap();
    let listed = done(&config, &["token", "list", "--json"]);
    assert!(!listed.contains(secret));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let id = made["id"].as_str().unwrap();
    done(&config, &["token", "revoke", id]);
    let table = done(&config, &["token", "list"]);
    let row = table.lines().find(|line| line.starts_with(id)).unwrap();
    assert!(row.contains("revoked"), "{table}");

    let file = dir.path().join("anna.json");
    let out = file.to_str().unwrap();
    done(
        &config,
        &["operator", "add", "anna", "--role", "viewer", "--out", out],
    );
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    let credentials: Value = serde_json::from_str(&text).unwrap();
    for (key, begins) in [
        ("certificate_pem", "-----BEGIN CERTIFICATE-----\n"),
        ("trust_pem", "-----BEGIN CERTIFICATE-----\n"),
        ("key_pem", "-----BEGIN PRIVATE KEY-----\n"),
    ] {
        assert!(
            credentials[key].as_str().unwrap().starts_with(begins),
            "{key}"
        );
    }
    let twice = collector(&config, &["operator", "add", "anna", "--out", out]);
    assert_eq!(twice.status.code(), Some(3));
    assert!(complained(&twice).contains("name a file that is not there yet"));
    let people = done(&config, &["operator", "list", "--json"]);
    let people: Value = serde_json::from_str(&people).unwrap();
    assert_eq!(people.as_array().unwrap().len(), 1);
    assert_eq!(people[0]["role"], "viewer");
    done(&config, &["operator", "revoke", "anna"]);
    let nobody = collector(&config, &["operator", "revoke", "anna"]);
    assert_eq!(nobody.status.code(), Some(3));
}

#[test]
fn a_wrong_command_line_or_configuration_ends_it_before_it_listens() {
    let dir = tempfile::tempdir().unwrap();
    let config = place(dir.path());
    for args in [
        &["tokens"][..],
        &["token"],
        &["token", "create", "--for", "1y"],
    ] {
        assert_eq!(collector(&config, args).status.code(), Some(64), "{args:?}");
    }
    assert_eq!(
        collector(&config, &["run", "--help"]).status.code(),
        Some(3)
    );
    assert!(done(&config, &["check-config"]).starts_with("the configuration is good"));
    std::fs::write(&config, "lsiten = 3\n").unwrap();
    for command in ["check-config", "run"] {
        let refused = collector(&config, &[command]);
        assert_eq!(refused.status.code(), Some(3));
        let why = complained(&refused);
        assert!(
            why.contains("collector.toml:1: unknown key `lsiten`"),
            "{why}"
        );
    }
}

#[test]
fn run_listens_until_it_is_told_to_end_and_sees_tokens_made_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = place(dir.path());
    done(&config, &["init", "--address", "127.0.0.1"]);
    let mut running = Running::start(&config);
    running.line("listening for agents and people on 127.0.0.1:");
    running.line("enrolment is open on 127.0.0.1:");
    let tokens: Value = serde_json::from_str(&done(&config, &["token", "list", "--json"])).unwrap();
    done(
        &config,
        &["token", "revoke", tokens[0]["id"].as_str().unwrap()],
    );
    running.line("enrolment is closed");
    done(&config, &["token", "create"]);
    running.line("enrolment is open");
    let pid = nix::unistd::Pid::from_raw(running.process.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(running.process.wait().unwrap().code(), Some(0));
}

/// The address at the end of a line of the log.
fn address(line: &str) -> String {
    line.rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_operators_file_opens_the_door_until_it_is_revoked() {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let dir = tempfile::tempdir().unwrap();
    let config = place(dir.path());
    done(&config, &["init", "--address", "127.0.0.1"]);
    let mut running = Running::start(&config);
    let line = running.line("listening for agents and people on 127.0.0.1:");
    let file: Value = serde_json::from_str(&done(&config, &["operator", "add", "anna"])).unwrap();
    let pem = |key: &str| file[key].as_str().unwrap().as_bytes().to_vec();
    let tls = proto::tls::client(
        vec![CertificateDer::from_pem_slice(&pem("certificate_pem")).unwrap()],
        PrivateKeyDer::from_pem_slice(&pem("key_pem")).unwrap(),
        &[CertificateDer::from_pem_slice(&pem("trust_pem")).unwrap()],
    );
    let tls = std::sync::Arc::new(tls.unwrap());
    let channel = proto::dial::dial(&address(&line), tls).await.unwrap();
    let mut gate = proto::v1::gate_client::GateClient::new(channel);
    let leases = proto::v1::ListLeasesRequest::default;
    let refused = gate.list_leases(leases()).await.unwrap_err();
    assert_eq!(
        refused.code(),
        tonic::Code::NotFound,
        "there is no cluster yet"
    );
    done(&config, &["operator", "revoke", "anna"]);
    running.line("its certificate was revoked: its connection was closed");
    let refused = gate.list_leases(leases()).await.unwrap_err();
    assert_ne!(refused.code(), tonic::Code::NotFound);
}
