//! What is answered behind the door.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::door::routes;
use super::metrics::{Desk, Sources};
use crate::keeper::Own;
use crate::keepers::Keepers;
use crate::ledger::memory::Memory;
use crate::refusal::Refusals;
use crate::tally::Tally;
use crate::tls::connections::Connections;

struct Answer {
    status: StatusCode,
    kind: String,
    allow: String,
    body: String,
}

async fn ask(can_write: bool, method: Method, path: &str, accept: &str) -> Answer {
    let own = |_: &_| Own {
        collector: String::new(),
        epoch: 1,
        is_authority: true,
    };
    let keepers = Keepers::new(Arc::new(Memory::new()), None, "0.1.0", 7, own);
    let (desk, _looking) = Desk::new(Sources {
        keepers: Arc::new(keepers),
        ledger: "ledger.db".into(),
        can_write: watch::channel(can_write).1,
        connections: Connections::new(1, 1),
        refusals: Arc::new(Refusals::default()),
        given: Arc::new(Tally::default()),
        receivers: Arc::new(Vec::new),
    });
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, accept)
        .body(Body::empty());
    let answer = routes(desk).oneshot(request.unwrap()).await.unwrap();
    let text = |name| {
        let value = answer.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap()).to_owned()
    };
    let (kind, allow) = (text(header::CONTENT_TYPE), text(header::ALLOW));
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    Answer {
        status,
        kind,
        allow,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_makes_it_not_ready_and_not_dead() {
    for (can_write, code, words) in [(true, 200, "ready: "), (false, 503, "not ready: ")] {
        let ready = ask(can_write, Method::GET, "/readyz", "*/*").await;
        assert_eq!(ready.status, code);
        assert!(ready.body.starts_with(words), "{}", ready.body);
        assert_eq!(ready.body.lines().count(), 1);
        let alive = ask(can_write, Method::GET, "/healthz", "*/*").await;
        assert_eq!(
            (alive.status.as_u16(), alive.body.as_str()),
            (200, "alive: the collector answers\n")
        );
        let metrics = ask(can_write, Method::GET, "/metrics", "*/*").await;
        let line = format!("\nquorate_ledger_writable {}\n", u8::from(can_write));
        assert!(metrics.body.contains(&line), "{}", metrics.body);
    }
}

#[tokio::test]
async fn what_is_neither_asked_for_nor_there_says_what_is() {
    for path in ["/healthz", "/readyz", "/metrics"] {
        let head = ask(true, Method::HEAD, path, "*/*").await;
        assert_eq!(
            (head.status.as_u16(), head.body.as_str()),
            (200, ""),
            "{path}"
        );
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let refused = ask(true, method, path, "*/*").await;
            assert_eq!(
                (refused.status.as_u16(), refused.allow.as_str()),
                (405, "GET, HEAD"),
                "{path}"
            );
        }
    }
    for path in ["/", "/metrics/", "/healthz/x", "/v1/pre-reboot"] {
        let missing = ask(true, Method::GET, path, "*/*").await;
        assert_eq!(missing.status, 404, "{path}");
        assert!(
            missing.body.contains("/healthz, /readyz and /metrics"),
            "{}",
            missing.body
        );
    }
}

#[tokio::test]
async fn metrics_come_in_the_text_that_is_asked_for() {
    let open = ask(
        true,
        Method::GET,
        "/metrics",
        "application/openmetrics-text",
    )
    .await;
    assert_eq!(
        open.kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(open.body.ends_with("# EOF\n"), "{}", open.body);
    let plain = ask(true, Method::GET, "/metrics", "*/*").await;
    assert_eq!(plain.kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(!plain.body.contains("# EOF"), "{}", plain.body);
}
