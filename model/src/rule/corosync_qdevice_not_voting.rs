//! A qdevice that is configured and casts no vote: the cluster looks complete and stands on fewer votes.

use super::Scene;
use super::membership::{listed, nodelist, reforming_ms};
use crate::cluster::FreshNode;
use crate::fact::corosync::Corosync;
use crate::finding::{Finding, Severity, Thing};
use crate::name::NodeName;
use crate::report::{Facts as _, Family};
use crate::topology::{Place, Service, place};

const SETTLES_MS: u64 = 10_000;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let is_configured = nodelist(&nodes).is_some_and(|(_, conf)| conf.quorum.device.is_some());
    let silent: Vec<(&NodeName, String)> = nodes
        .iter()
        .filter_map(|node| Some((node.name(), why(node.corosync()?, is_configured)?)))
        .collect();
    if silent.is_empty() {
        return Vec::new();
    }
    let sentence = format!(
        "the qdevice casts no vote for {}: {}",
        listed(silent.iter().map(|(name, _)| name)),
        silent
            .first()
            .map(|(_, why)| why.as_str())
            .unwrap_or_default(),
    );
    let found = Finding::new(Severity::Warning, Thing::Qdevice, sentence).remedy(
        "`corosync-qdevice-tool -sv` and `systemctl status corosync-qdevice` on those nodes; does the qnetd's port 5403 \
         answer? Its certificates may be another cluster's.",
    );
    let words = |found: Finding, (name, why): &(&NodeName, String)| {
        found.seen_in(name, Family::Corosync, why.clone())
    };
    // A device that goes with its node is missed before the node is.
    let found = silent
        .iter()
        .fold(found, words)
        .settles_in(SETTLES_MS.saturating_add(reforming_ms(&nodes)))
        .takes([Thing::Qdevice]);
    // With the node that it runs on it is gone, and that is told of the node.
    let host = match place(scene.cluster, scene.now, scene.site, Service::Qdevice) {
        Some(Place::Node(node)) => Some(node),
        _ => None,
    };
    let is_away = |host: &NodeName| scene.node(host).is_none();
    vec![match host.filter(is_away) {
        Some(host) => found.is_loss_of([Thing::Node(host)]),
        None => found,
    }]
}

/// In corosync's own flags: `A` alive, `V` voting, `NA`, `NV` not, `NR` not registered.
fn why(corosync: &Corosync, is_configured: bool) -> Option<String> {
    let device = corosync.qdevice.as_ref();
    let members = corosync.members.iter().flatten();
    let local = members
        .filter(|member| member.local == Some(true))
        .find_map(|member| member.qdevice_flags.as_ref());
    let flags = device.and_then(|device| device.flags.as_ref()).or(local);
    let says =
        |word: &str| flags.is_some_and(|flags| flags.split(',').any(|flag| flag.trim() == word));
    let flags = flags.map_or("", String::as_str);
    if says("NA") {
        Some(format!("it is not alive there ({flags})"))
    } else if says("NV") {
        Some(format!("it is there and does not vote ({flags})"))
    } else if is_configured && says("NR") {
        Some(format!("it is configured and not registered ({flags})"))
    } else if device
        .is_some_and(|device| device.votes == Some(0) && device.votes_if_cast != Some(0))
    {
        Some("it has 0 votes".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fact::corosync::Qdevice;

    const RULE: &str = "corosync-qdevice-not-voting";

    fn device(world: &mut World, votes: u32, flags: &str) {
        world.edit_all(|_, report| {
            value(&mut report.corosync).qdevice = Some(Qdevice {
                votes: Some(votes),
                flags: Some(flags.to_owned()),
                ..Qdevice::default()
            });
        });
    }

    #[test]
    fn a_qdevice_that_is_there_and_does_not_vote_is_told() {
        let mut world = World::of(2);
        assert!(world.found(RULE).is_empty());
        device(&mut world, 1, "A,V,NMW");
        assert!(world.found(RULE).is_empty());
        device(&mut world, 0, "A,NV,NMW");
        let expect = "warning qdevice: the qdevice casts no vote for pve-01, pve-02: it is there and does not vote \
                      (A,NV,NMW)";
        assert_eq!(world.found(RULE), [expect]);
    }
}
