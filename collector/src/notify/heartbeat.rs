//! The dead man's switch: an address that is called while all is well. Whoever answers there says so when the calls stop: a
//! collector that is dead cannot.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::fleet::Hearing;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::health::Health;
use super::{Carrier, Hidden, Http, Request};
use crate::keeper::view::ClusterView;
use crate::keepers::Keepers;

/// A receiver may be away for so long: its service was restarted.
const RECEIVER_MAY_FAIL_MS: i64 = 600_000;

/// Where, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Heartbeat {
    pub(crate) url: Hidden,
    pub(crate) every: Duration,
}

/// What must be well.
pub(super) struct Body {
    pub(super) keepers: Arc<Keepers>,
    pub(super) carrier: Carrier,
    pub(super) health: Arc<Health>,
    /// Whether the ledger can be written.
    pub(super) can_write: watch::Receiver<bool>,
}

impl Body {
    /// Until it is dropped.
    pub(super) async fn beat(self, heartbeat: Heartbeat) {
        let mut pace = interval(heartbeat.every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let request = Request::Http(Http {
            method: "GET",
            url: heartbeat.url.get().to_owned(),
            headers: Vec::new(),
            body: String::new(),
        });
        let mut said = None;
        loop {
            pace.tick().await;
            let why = match self.ailment().await {
                Some(why) => Some(format!("the heartbeat is held back: {why}")),
                None => self
                    .call(&request)
                    .await
                    .map(|why| format!("the heartbeat is not taken: {why}")),
            };
            if why != said {
                match &why {
                    Some(why) => tracing::error!("{why}"),
                    None => tracing::info!("the heartbeat goes on"),
                }
            }
            said = why;
        }
    }

    async fn call(&self, request: &Request) -> Option<String> {
        match self.carrier.carry(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => None,
            Ok(answer) => Some(format!("answered {}", answer.status)),
            Err(why) => Some(why),
        }
    }

    /// Why not all is well.
    async fn ailment(&self) -> Option<String> {
        if !*self.can_write.borrow() {
            return Some("the ledger cannot be written".to_owned());
        }
        let oldest = Timestamp::now().as_millisecond() - RECEIVER_MAY_FAIL_MS;
        let fails = self
            .health
            .all()
            .into_iter()
            .find(|receiver| (1..oldest).contains(&receiver.failing_since_unix_ms));
        if let Some(receiver) = fails {
            return Some(format!("nothing arrives at receiver {}", receiver.name));
        }
        let keepers = self.keepers.all().await;
        let mut views = keepers.iter().map(|(_, keeper)| keeper.view());
        let silent = views.find(|view| is_out_of_sight(view))?;
        Some(format!("no agent of cluster {} is heard", silent.name))
    }
}

/// There are nodes, and none of them is heard.
fn is_out_of_sight(view: &ClusterView) -> bool {
    let nodes = view.nodes.values();
    let enrolled: Vec<Hearing> = nodes
        .map(|node| node.hearing)
        .filter(|hearing| *hearing != Hearing::Revoked)
        .collect();
    !enrolled.is_empty() && !enrolled.contains(&Hearing::Connected)
}
