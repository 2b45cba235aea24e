//! What systemd is told of the running agent: that it is ready, how it is, and that it goes on.
//!
//! The sign of life is given by the loop that takes the news, between two pieces of news, and by nobody else: if that
//! loop stands still, so does the sign, and systemd starts the agent anew. A source, `/etc/pve` or a disk that hangs
//! stops a thread and not the loop: a new start would mend nothing there.

use std::time::Duration;

use model::report::Family;
use settings::systemd::Systemd;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::hub::Hub;
use crate::uplink::Uplinks;

/// How often it is said how the agent is, where systemd does not wait for signs of life.
const PACE: Duration = Duration::from_secs(10);

/// The agent's end of the line to systemd.
#[derive(Debug)]
pub(super) struct Supervised {
    systemd: Systemd,
    /// Nothing where nobody listens.
    pace: Option<Interval>,
    said: String,
}

impl Supervised {
    /// Says that the agent is ready: it listens, and looks. It does not wait for the first reading of every source: corosync
    /// starts after the agent, and sources wait for corosync. Must be called within the runtime.
    pub(super) fn begin() -> Self {
        let systemd = Systemd::of_the_environment();
        let pace = systemd.is_there().then(|| {
            let mut pace = interval(systemd.pace().unwrap_or(PACE));
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        let said = "Reads this node for the first time".to_owned();
        systemd.ready(&said);
        Self {
            systemd,
            pace,
            said,
        }
    }

    /// Waits until a sign of life is due.
    pub(super) async fn is_due(&mut self) {
        match &mut self.pace {
            Some(pace) => drop(pace.tick().await),
            None => std::future::pending().await,
        }
    }

    pub(super) fn goes_on(&mut self, hub: &Hub, uplinks: &Uplinks) {
        self.systemd.alive();
        let now = sentence(&hub.missing().collect::<Vec<_>>(), uplinks.connected());
        if now != self.said {
            self.systemd.status(&now);
            self.said = now;
        }
    }

    pub(super) fn ends(&self) {
        self.systemd.stopping("Told to end");
    }
}

/// `collectors`: how many are connected, of how many.
fn sentence(missing: &[Family], collectors: (usize, usize)) -> String {
    let reads = match missing {
        [] => "Watches this node".to_owned(),
        missing => {
            let names: Vec<_> = missing.iter().map(|family| family.key()).collect();
            format!("Waits for the first reading of {}", names.join(", "))
        }
    };
    match collectors {
        (_, 0) => format!("{reads}; it has joined no collector"),
        (connected, 1) => {
            let is = if connected == 1 { "is" } else { "is not" };
            format!("{reads}; its collector {is} connected")
        }
        (connected, all) => format!("{reads}; {connected} of {all} collectors are connected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_what_is_missing_and_how_many_collectors_hear() {
        let said = [
            sentence(&[], (0, 0)),
            sentence(&[], (1, 1)),
            sentence(&[], (0, 1)),
            sentence(&[Family::Bonds, Family::Ceph], (1, 2)),
        ];
        assert_eq!(
            said,
            [
                "Watches this node; it has joined no collector",
                "Watches this node; its collector is connected",
                "Watches this node; its collector is not connected",
                "Waits for the first reading of bonds, ceph; 1 of 2 collectors are connected",
            ]
        );
    }
}
