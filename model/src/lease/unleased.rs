//! Maintenance without a lease: a node that went down, or is about to, and nobody had asked.
//!
//! It comes of the incident, which stands in the ledger: a collector that starts anew while the node is away lists it too.

use serde::Serialize;

use super::{Leases, clock};
use crate::cluster::{Cluster, GoingDown, Now, Recall};
use crate::fact::power::ShutdownKind;
use crate::incident::Incidents;
use crate::name::NodeName;

/// The rule that tells of nodes on their way down.
const RULE: &str = "node-shutting-down";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unleased {
    pub node: NodeName,
    pub kind: ShutdownKind,
    pub since: String,
    pub since_unix_ms: i64,
    /// All of it as one finished sentence.
    pub sentence: String,
}

impl Unleased {
    /// Each, until it is heard with another kernel, says that it stays up after all, or leaves the cluster.
    pub fn all(incidents: &Incidents, leases: &Leases, cluster: &Cluster, now: Now) -> Vec<Self> {
        let open = incidents.open().filter(|open| open.rule == RULE);
        let recalled = open.flat_map(|open| &open.said.recalls);
        let going = recalled.filter_map(|(node, recall)| match recall {
            Recall::GoingDown(going) => Some((node, going)),
            Recall::Speed { .. } | Recall::Ports { .. } | Recall::Switch { .. } => None,
        });
        let is_away = |(node, going): &(&NodeName, &GoingDown)| {
            let is_leased = leases
                .of(node)
                .is_some_and(|lease| lease.covers(node, going.kind));
            let is_back = cluster.nodes.get(*node).is_some_and(|node| {
                node.is_speaking(now)
                    && node
                        .going_down()
                        .is_none_or(|is| is.boot_id != going.boot_id)
            });
            !is_leased && !is_back && !cluster.gone.contains(*node)
        };
        let told = going
            .filter(is_away)
            .map(|(node, going)| Self::of(node, going));
        told.collect()
    }

    fn of(node: &NodeName, going: &GoingDown) -> Self {
        let since = clock(going.since_unix_ms);
        Self {
            node: node.clone(),
            kind: going.kind,
            sentence: format!(
                "{node} is away or going down without a lease ({}), since {since}",
                what(going.kind)
            ),
            since,
            since_unix_ms: going.since_unix_ms,
        }
    }
}

/// What is known of where it goes.
fn what(kind: ShutdownKind) -> &'static str {
    match kind {
        ShutdownKind::Reboot => "a reboot",
        ShutdownKind::Shutdown => "a shutdown",
        ShutdownKind::Unknown => "a reboot or a shutdown",
    }
}
