//! The real `quorate-collector alert-test` against the real things: Debian's Alertmanager, a mail server with TLS and a login, and a
//! homeserver of Matrix.
//!
//! Needs prometheus-alertmanager, curl and python3-venv.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is tests"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use quorate_tests::chats::alert_test;
use quorate_tests::{PATIENCE, python, wait_until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody has now. Two tests at the same time get two.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A configuration with one receiver, `ops`.
fn config(dir: &Path, kind: &str, keys: &str) -> PathBuf {
    let path = dir.join("collector.toml");
    fs::write(
        &path,
        format!("[[receiver.{kind}]]\nname = 'ops'\n{keys}\n"),
    )
    .unwrap();
    path
}

#[track_caller]
fn delivered(config: &Path, roots: Option<&Path>, args: &[&str]) -> String {
    let output = alert_test(config, roots, &[&["ops"], args].concat()).unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

/// What an address says as JSON, `None` if nobody answers yet.
fn curl(args: &[&str]) -> Option<Value> {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "20"])
        .args(args)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).ok()
}

/// Debian's Alertmanager, and the receiver that speaks to it.
struct Alertmanager {
    config: PathBuf,
    url: String,
    _dir: tempfile::TempDir,
    _running: Running,
}

impl Alertmanager {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let settings = dir.path().join("alertmanager.yml");
        fs::write(
            &settings,
            "route: {receiver: none}\nreceivers: [{name: none}]\n",
        )
        .unwrap();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!(
                "--storage.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stderr(Stdio::null())
            .spawn();
        let alertmanager = Self {
            config: config(
                dir.path(),
                "alertmanager",
                &format!("server = 'http://127.0.0.1:{port}'"),
            ),
            url: format!("http://127.0.0.1:{port}/api/v2/alerts"),
            _dir: dir,
            _running: Running(child.unwrap()),
        };
        wait_until("Alertmanager", PATIENCE, || Ok(curl(&[&alertmanager.url]))).unwrap();
        alertmanager
    }

    /// Those that fire.
    fn alerts(&self) -> Vec<Value> {
        curl(&[&self.url]).unwrap().as_array().unwrap().clone()
    }

    fn severities(&self) -> Vec<String> {
        let severity = |alert: &Value| alert["labels"]["severity"].as_str().unwrap().to_owned();
        self.alerts().iter().map(severity).collect()
    }

    #[track_caller]
    fn wait(&self, severities: &[&str]) {
        wait_until("the alerts to be as expected", PATIENCE, || {
            Ok((self.severities() == severities).then_some(()))
        })
        .unwrap();
    }
}

#[test]
fn alertmanager_fires_what_is_open_and_resolves_what_is_over() {
    let alertmanager = Alertmanager::start();
    let tell = |kind| {
        delivered(
            &alertmanager.config,
            None,
            &["--incident", "bond-degraded", "--kind", kind],
        )
    };
    tell("opened");
    alertmanager.wait(&["warning"]);
    let alert = alertmanager.alerts().remove(0);
    assert_eq!(alert["labels"]["alertname"], "bond-degraded");
    assert_eq!(alert["labels"]["cluster"], "test");
    let description = alert["annotations"]["description"].as_str().unwrap();
    assert!(description.contains("do: ip link show eno2"), "{alert}");
    // The same again is the same alert.
    tell("reminder");
    alertmanager.wait(&["warning"]);
    tell("over");
    alertmanager.wait(&[]);
}

#[test]
fn what_becomes_worse_is_one_alert_in_alertmanager_and_not_two() {
    let alertmanager = Alertmanager::start();
    let before = json!([{
        "labels": {"alertname": "switch-down", "cluster": "test", "cluster_id": "00000000-0000-4000-8000-000000000000",
            "severity": "warning", "subject": "switch sw-b", "incident": "7"},
    }]);
    let posted = Command::new("curl")
        .args(["-sSf", "-H", "content-type: application/json", "-d"])
        .args([&before.to_string(), &alertmanager.url])
        .status();
    assert!(posted.unwrap().success());
    alertmanager.wait(&["warning"]);
    delivered(&alertmanager.config, None, &["--kind", "worse"]);
    alertmanager.wait(&["critical"]);
}

/// A CA, and a certificate of it for `localhost`, as files.
fn certificates(dir: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let mut of_ca = CertificateParams::new(Vec::new()).unwrap();
    of_ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(of_ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    (
        write("ca.pem", ca.pem()),
        write("server.pem", certificate.pem()),
        write("server.key", key.serialize_pem()),
    )
}

const PASSWORD: &str = "s3cret of the mailbox";

struct MailServer {
    dir: tempfile::TempDir,
    roots: PathBuf,
    port: u16,
    _running: Running,
}

impl MailServer {
    fn start(security: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (roots, certificate, key) = certificates(dir.path());
        let mut server = Command::new(python::mail().unwrap());
        server
            .arg(python::mail_server())
            .args(["0", security])
            .arg(certificate)
            .arg(key);
        server.args(["quorate", PASSWORD]).arg(dir.path());
        let mut child = server
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            dir,
            roots,
            port: line.trim().parse().unwrap(),
            _running: Running(child),
        }
    }

    fn config(&self, security: &str, password: &str, to: &str) -> PathBuf {
        let keys = format!(
            "server = 'localhost'\nport = {}\nsecurity = '{security}'\nuser = 'quorate'\npassword = '{password}'\n\
             from = 'Quorate <quorate@example.com>'\nto = [{to}]",
            self.port
        );
        config(self.dir.path(), "mail", &keys)
    }

    fn mail(&self, number: usize) -> String {
        fs::read_to_string(self.dir.path().join(format!("{number}.eml"))).unwrap()
    }
}

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let line = mail.lines().find_map(|line| line.strip_prefix(name));
    assert!(line.is_some(), "no {name} in {mail}");
    line.unwrap().trim()
}

#[track_caller]
fn check_mail(security: &str) {
    let server = MailServer::start(security);
    let roots = Some(server.roots.as_path());
    let config = server.config(security, PASSWORD, "'ops@example.com', 'night@example.com'");
    let said = delivered(&config, roots, &[]);
    assert!(!said.contains(PASSWORD), "{said}");
    delivered(&config, roots, &["--kind", "over"]);
    let (opened, over) = (server.mail(1), server.mail(2));
    assert_eq!(
        header(&opened, "Envelope: "),
        "quorate@example.com ops@example.com,night@example.com encrypted=True"
    );
    assert!(
        header(&opened, "Subject: ")
            .starts_with("CRITICAL test: this is a test: switch sw-b is down"),
        "{opened}"
    );
    assert!(
        header(&over, "Subject: ").starts_with("OVER test: "),
        "{over}"
    );
    assert_eq!(
        header(&opened, "References: "),
        header(&over, "References: ")
    );
    assert_ne!(
        header(&opened, "Message-ID: "),
        header(&over, "Message-ID: ")
    );

    let wrong = server.config(security, "another one", "'ops@example.com'");
    let said = text(&alert_test(&wrong, roots, &["ops"]).unwrap());
    assert!(
        said.contains("it would be tried again: answered 535"),
        "{said}"
    );
    let nobody = server.config(security, PASSWORD, "'nobody@example.com'");
    let said = text(&alert_test(&nobody, roots, &["ops"]).unwrap());
    assert!(
        said.contains("would not be tried again: answered 550: no such user here"),
        "{said}"
    );
    // Its certificate is of nobody whom the system trusts.
    let said = text(
        &alert_test(
            &server.config(security, PASSWORD, "'ops@example.com'"),
            None,
            &["ops"],
        )
        .unwrap(),
    );
    assert!(
        said.contains("error: not delivered: ") && said.to_lowercase().contains("certificate"),
        "{said}"
    );
    assert!(!server.dir.path().join("3.eml").exists());
}

#[test]
fn a_mail_goes_by_starttls_with_a_login_and_never_to_a_server_that_is_not_trusted() {
    check_mail("starttls");
}

#[test]
fn a_mail_goes_by_tls_from_the_first_byte() {
    check_mail("tls");
}

/// A server of HTTPS that speaks 1.2 and nothing newer, and answers everything with 204.
const OLD_TLS: &str = "
import http.server, ssl, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers['content-length']))
        self.send_response(204)
        self.end_headers()
server = http.server.HTTPServer(('127.0.0.1', 0), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.maximum_version = ssl.TLSVersion.TLSv1_2
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

#[test]
fn a_service_that_speaks_no_newer_tls_than_1_2_is_told_if_it_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let (roots, certificate, key) = certificates(dir.path());
    let mut server = Command::new("python3");
    server.args(["-c", OLD_TLS]).arg(certificate).arg(key);
    let mut child = server
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut port)
        .unwrap();
    let _server = Running(child);
    let config = config(
        dir.path(),
        "webhook",
        &format!("url = 'https://localhost:{}/hook'", port.trim()),
    );
    delivered(&config, Some(&roots), &[]);
    let said = text(&alert_test(&config, None, &["ops"]).unwrap());
    assert!(
        said.contains("error: not delivered: no connection: ") && said.contains("certificate"),
        "{said}"
    );
}

/// A homeserver, with an account that is in a room.
struct Matrix {
    dir: tempfile::TempDir,
    url: String,
    token: String,
    room: String,
    _running: Running,
}

impl Matrix {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let interpreter = python::matrix().unwrap();
        let port = free_port();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let settings = at("homeserver.yaml");
        let signing = at("signing.key");
        let made = Command::new(&interpreter)
            .args(["-c", "import sys; from signedjson.key import *; write_signing_keys(open(sys.argv[1], 'w'), [generate_signing_key('1')])"])
            .arg(&signing)
            .status();
        assert!(made.unwrap().success());
        let yaml = json!({
            "server_name": "localhost",
            "pid_file": at("pid"),
            "listeners": [{"port": port, "type": "http", "bind_addresses": ["127.0.0.1"], "resources": [{"names": ["client"]}]}],
            "database": {"name": "sqlite3", "args": {"database": at("homeserver.db")}},
            "media_store_path": at("media"),
            "signing_key_path": signing,
            "registration_shared_secret": "shared",
            "macaroon_secret_key": "macaroon",
            "form_secret": "form",
            "report_stats": false,
            "trusted_key_servers": [],
        });
        // YAML is more than JSON, and all of JSON.
        fs::write(&settings, yaml.to_string()).unwrap();
        let child = Command::new(&interpreter)
            .args(["-m", "synapse.app.homeserver", "--config-path", &settings])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let running = Running(child);
        let url = format!("http://127.0.0.1:{port}");
        wait_until("the homeserver", 2 * PATIENCE, || {
            Ok(curl(&[&format!("{url}/_matrix/client/versions")]))
        })
        .unwrap();
        let register = "import sys; from synapse._scripts.register_new_matrix_user import request_registration as r; \
                        r('quorate', 'pass', sys.argv[1], 'shared', exit=sys.exit)";
        let registered = Command::new(&interpreter)
            .args(["-c", register, &url])
            .output()
            .unwrap();
        assert!(registered.status.success(), "{}", text(&registered));
        let mut matrix = Self {
            dir,
            url,
            token: String::new(),
            room: String::new(),
            _running: running,
        };
        let login = json!({"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "quorate"}, "password": "pass"});
        let login = matrix.post("login", &login);
        matrix.token = login["access_token"].as_str().unwrap().to_owned();
        let room = matrix.post("createRoom", &json!({"name": "alerts"}));
        matrix.room = room["room_id"].as_str().unwrap().to_owned();
        matrix
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/_matrix/client/v3/{path}", self.url);
        curl(&[
            "-H",
            &format!("authorization: Bearer {}", self.token),
            "-d",
            &body.to_string(),
            &url,
        ])
        .unwrap()
    }

    fn get(&self, path: &str) -> Value {
        let url = format!("{}/_matrix/client/v3/rooms/{}/{path}", self.url, self.room);
        let token = format!("authorization: Bearer {}", self.token);
        curl(&["-g", "-H", &token, &url]).unwrap()
    }

    /// The newest first.
    fn messages(&self) -> Vec<Value> {
        let said = self.get("messages?dir=b&limit=20&filter={\"types\":[\"m.room.message\"]}");
        said["chunk"].as_array().unwrap().clone()
    }
}

#[test]
fn a_message_in_a_room_is_seen_replied_to_and_edited() {
    let matrix = Matrix::start();
    let keys = format!(
        "homeserver = '{}'\ntoken = '{}'\nroom_id = '{}'",
        matrix.url, matrix.token, matrix.room
    );
    let config = config(matrix.dir.path(), "matrix", &keys);
    let said = delivered(&config, None, &[]);
    assert!(!said.contains(&matrix.token), "{said}");
    let receipt = said.trim_end().rsplit(' ').next().unwrap();
    assert!(receipt.starts_with('$'), "{said}");
    let seen = matrix.messages();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["event_id"], receipt);
    assert!(
        seen[0]["content"]["body"]
            .as_str()
            .unwrap()
            .starts_with("CRITICAL test: this is a test: ")
    );

    delivered(&config, None, &["--kind", "worse", "--first", receipt]);
    let seen = matrix.messages();
    assert_eq!(
        seen[0]["content"]["m.relates_to"]["m.in_reply_to"]["event_id"],
        receipt
    );

    let edited = delivered(&config, None, &["--kind", "over", "--first", receipt]);
    assert!(
        edited.ends_with(&format!("its receipt is {receipt}\n")),
        "{edited}"
    );
    let first = matrix.get(&format!("event/{receipt}"));
    let now = &first["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]["body"];
    assert!(
        now.as_str()
            .unwrap()
            .starts_with("OVER test: this is a test: "),
        "{first}"
    );

    let gone = text(
        &alert_test(
            &config,
            None,
            &["ops", "--kind", "over", "--first", "$gone"],
        )
        .unwrap(),
    );
    assert!(
        gone.contains("the first message is not there any more"),
        "{gone}"
    );

    let wrong = keys.replace(&matrix.token, "syt_no_token");
    let said = text(
        &alert_test(
            &self::config(matrix.dir.path(), "matrix", &wrong),
            None,
            &["ops"],
        )
        .unwrap(),
    );
    assert!(
        said.contains("it would be tried again: answered 401"),
        "{said}"
    );
}
