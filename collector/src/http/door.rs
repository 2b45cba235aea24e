//! The listener, and what there is behind it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::health;
use super::metrics::{self, Desk, Sources};
use crate::plain_door::{Guest, PlainDoor};
use crate::serve::ServeError;
use crate::tls::handshakes::source;

/// Listens, and does not answer yet.
#[derive(Debug)]
pub(crate) struct Http {
    door: PlainDoor,
}

impl Http {
    /// Binds, and fails before anybody was answered.
    pub(crate) fn bind(listen: SocketAddr) -> Result<Self, ServeError> {
        let door = PlainDoor::bind("http.listen", listen)?;
        Ok(Self { door })
    }

    /// Answers as long as it is polled.
    pub(crate) async fn serve(self, sources: Sources) {
        tracing::info!("health and metrics are on http://{}", self.door.address());
        let refusals = Arc::clone(&sources.refusals);
        let (desk, looking) = Desk::new(sources);
        let router = routes(desk);
        let admit = move |address: SocketAddr| Guest {
            owner: source(address).to_string(),
            router: router.clone(),
        };
        tokio::select! {
            () = self.door.serve(admit, refusals) => {}
            () = looking => {}
        }
    }
}

pub(super) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::answer))
        .method_not_allowed_fallback(only_get)
        .fallback(not_here)
        .with_state(desk)
}

/// One line of text, which is true now and no longer.
pub(super) fn line(status: StatusCode, words: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, format!("{words}\n")).into_response()
}

async fn not_here() -> Response {
    line(
        StatusCode::NOT_FOUND,
        "there is no such path; there are /healthz, /readyz and /metrics",
    )
}

async fn only_get() -> Response {
    let words = "it is asked by GET or HEAD";
    let mut response = line(StatusCode::METHOD_NOT_ALLOWED, words);
    let allow = header::HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(header::ALLOW, allow);
    response
}
