//! What `grpc.health.v1` says: Fleet and Query serve as long as the collector runs, for what nodes report is taken and
//! told without a ledger as well. The collector as a whole, and the gate, do not while nothing can be promised.

use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// The name of the whole, and that of the gate.
const PROMISING: [&str; 2] = ["", "quorate.v1.Gate"];

/// Says it, for ever: `can_write` is whether the ledger can be written.
pub(crate) async fn follow(health: HealthReporter, mut can_write: watch::Receiver<bool>) {
    loop {
        let status = if *can_write.borrow_and_update() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for name in PROMISING {
            health.set_service_status(name, status).await;
        }
        if can_write.changed().await.is_err() {
            return;
        }
    }
}
