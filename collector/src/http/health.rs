//! Whether the collector lives, and whether it can do its work: the same as `grpc.health.v1` says of it ([`crate::health`]).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::door::line;
use super::metrics::Desk;

/// Whoever reads this was answered.
pub(super) async fn healthz() -> Response {
    line(StatusCode::OK, "alive: the collector answers")
}

/// A collector that cannot write still watches, and is not ready: nothing that it says is kept.
pub(super) async fn readyz(State(desk): State<Arc<Desk>>) -> Response {
    if desk.can_write() {
        return line(StatusCode::OK, "ready: the ledger can be written");
    }
    line(
        StatusCode::SERVICE_UNAVAILABLE,
        "not ready: the ledger cannot be written, so that no event is kept and no lease is given; the collector's log says why",
    )
}
