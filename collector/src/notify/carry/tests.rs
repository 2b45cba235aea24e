//! Requests that go out to servers and programs of the test's own.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Instant;

use super::*;
use crate::notify::Command;

/// Answers one request with these bytes; what was asked comes back.
fn server(answer: String) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/s3cret", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = vec![0; 4_096];
        let count = stream.read(&mut asked).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&asked[..count]).into_owned()
    });
    (url, asked)
}

fn post(url: String) -> Request {
    Request::Http(Http {
        method: "POST",
        url,
        headers: vec![("x-key", "k".to_owned())],
        body: "words".to_owned(),
    })
}

fn program(arguments: &[&str]) -> Command {
    Command {
        program: PathBuf::from("/bin/sh"),
        arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
        environment: BTreeMap::from([("QUORATE_KEY", "k 1".to_owned())]),
        input: "{\"version\":1}".to_owned(),
    }
}

#[tokio::test]
async fn an_answer_comes_back_with_status_headers_and_a_bounded_body() {
    let body = "b".repeat(MAX_ANSWER_BYTES + 9);
    let length = body.len();
    let (url, asked) = server(format!(
        "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    let answer = Carrier::new().unwrap().carry(&post(url)).await.unwrap();
    assert_eq!(answer.status, 429);
    assert_eq!(answer.headers["retry-after"], "7");
    assert_eq!(answer.body.len(), MAX_ANSWER_BYTES);
    let asked = asked.join().unwrap();
    assert!(
        asked.starts_with("POST /hook/s3cret HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("x-key: k\r\n"), "{asked}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (url, _) = server(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
            .to_owned(),
    );
    let answer = Carrier::new().unwrap().carry(&post(url)).await.unwrap();
    assert_eq!(answer.status, 302);
}

#[tokio::test]
async fn an_error_says_what_is_wrong_and_not_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/s3cret", listener.local_addr().unwrap());
    drop(listener);
    let error = Carrier::new().unwrap().carry(&post(url)).await.unwrap_err();
    assert!(error.starts_with("no connection: "), "{error}");
    assert!(error.contains("refused"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_program_gets_its_words_and_nothing_of_the_collectors_environment() {
    let command = program(&["-c", "cat; env | sort; exit 3"]);
    let answer = program::carry(&command, program::PATIENCE).await.unwrap();
    assert_eq!(answer.status, 3);
    let mut lines: Vec<&str> = answer.body.lines().collect();
    // What a shell sets by itself.
    lines.retain(|line| {
        !line.starts_with("PWD=") && !line.starts_with("SHLVL=") && !line.starts_with("_=")
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("{\"version\":1}PATH=/usr/local/sbin:"),
        "{lines:?}"
    );
    assert_eq!(lines[1], "QUORATE_KEY=k 1");
}

#[tokio::test]
async fn a_program_that_says_much_and_reads_nothing_is_heard_to_its_end() {
    let mut command = program(&[
        "-c",
        "head -c 1000000 /dev/zero | tr '\\0' x; kill -TERM $$",
    ]);
    command.input = "x".repeat(1_000_000);
    let answer = program::carry(&command, program::PATIENCE).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (128 + 15, 4 * 1_024));
}

#[tokio::test]
async fn a_program_that_does_not_end_is_ended_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let script = format!("(sleep 2; touch {}) & sleep 60", mark.display());
    let begun = Instant::now();
    let patience = Duration::from_secs(1);
    let error = program::carry(&program(&["-c", &script]), patience)
        .await
        .unwrap_err();
    assert_eq!(error, "the program ran longer than 1 s");
    assert!(begun.elapsed() < Duration::from_secs(10));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!mark.exists());
}

#[tokio::test]
async fn a_program_is_not_waited_for_longer_because_it_left_somebody_behind() {
    let begun = Instant::now();
    let command = program(&["-c", "sleep 5 & echo done"]);
    let answer = program::carry(&command, program::PATIENCE).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (0, "done\n"));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_in_words() {
    let mut command = program(&[]);
    command.program = PathBuf::from("/no/such");
    let error = program::carry(&command, program::PATIENCE)
        .await
        .unwrap_err();
    assert!(
        error.starts_with("the program cannot be started: No such file"),
        "{error}"
    );
}
