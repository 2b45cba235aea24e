//! A node that is on its way down, or was told to go down at a time. It keeps its vote until corosync stops.

use std::collections::BTreeSet;

use super::Scene;
use super::membership::{between, nodelist};
use crate::cluster::{FreshNode, Node, Recall};
use crate::fact::power::{Power, PowerState, ShutdownKind};
use crate::finding::{Finding, Severity, Thing};
use crate::lease::{Lease, clock};
use crate::report::{Fact, Family};

/// A shutdown and a start take so long at most. Until then that the node is away is no news; after that it is.
const RETURNS_WITHIN_MS: u64 = 900_000;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    scene
        .cluster
        .nodes
        .values()
        .filter_map(|node| going(scene, node))
        .collect()
}

fn going(scene: &Scene<'_>, node: &Node) -> Option<Finding> {
    // Of a node that is off it is its last word, or what was written down of that.
    let power = power(node);
    let down = node.going_down();
    let state = match power {
        Some(power) => power.state,
        None => down.map(|_| PowerState::ShuttingDown)?,
    };
    let (name, lease) = (&node.name, lease_of(scene, node));
    let (severity, sentence) = match state {
        PowerState::ShuttingDown => (Severity::Warning, told(scene, node)?),
        PowerState::ShutdownScheduled if node.is_speaking(scene.now) => {
            let scheduled = power.and_then(|power| power.scheduled.as_ref());
            let at = scheduled.and_then(|scheduled| scheduled.at);
            let at = at.map(|at| format!(" for {at:.0}")).unwrap_or_default();
            (
                Severity::Info,
                format!("a shutdown of {name} is scheduled{at}"),
            )
        }
        PowerState::Running
        | PowerState::Booting
        | PowerState::Unknown
        | PowerState::ShutdownScheduled => return None,
    };
    let mut found = Finding::new(severity, Thing::Node(name.clone()), sentence)
        .seen_in(name, Family::Power, state.to_string())
        .remedy(format!("Touch no other node until {name} is back. `systemctl list-jobs` there shows what it waits for."))
        .way_back("`shutdown -c` takes back one that is only scheduled.");
    if let Some(down) = down {
        found = found.recalls(name, Recall::GoingDown(down.clone()));
    }
    if is_announced(power) {
        // It is certain, and soon nobody can tell it any more.
        found = found.settles_in(0);
    }
    if state == PowerState::ShuttingDown {
        // That it leaves its peers, and falls silent, is what a shutdown is.
        let heard: Vec<FreshNode<'_>> = scene.nodes().collect();
        let links =
            nodelist(&heard).map(|(_, conf)| between(conf, &BTreeSet::from([name.clone()])));
        // With a lease that is by plan, and otherwise nobody's doing but its own.
        if !lease.is_some_and(Lease::excuses) {
            found = found.is_loss_of([]);
        }
        found = found
            .takes(links.unwrap_or_default())
            .takes([Thing::Node(name.clone())]);
    }
    Some(found)
}

/// The sentence of a node on its way down; nothing once it has been away for too long to be called that.
fn told(scene: &Scene<'_>, node: &Node) -> Option<String> {
    let (name, down) = (&node.name, node.going_down());
    let since_ms = down.map_or(scene.now.unix_ms, |down| down.since_unix_ms);
    let kind = down.map_or(ShutdownKind::Unknown, |down| down.kind);
    let has_lease = lease_of(scene, node).is_some_and(|lease| lease.covers(name, kind));
    // Where which leases are held cannot be read, nobody is said to have none.
    let is_unleased = scene.leases.is_some() && !has_lease && is_announced(power(node));
    let kind = match kind {
        ShutdownKind::Unknown => String::new(),
        kind => format!("{kind}, "),
    };
    let announced = format!("({kind}announced at {})", clock(since_ms));
    if node.is_speaking(scene.now) {
        let going = if is_unleased {
            format!("{name} is going down without a lease {announced}")
        } else {
            format!("{name} is shutting down")
        };
        return Some(format!(
            "{going}: it votes until corosync stops there, which can take minutes"
        ));
    }
    // One that was not heard since the collector started has been away since it was written down.
    let silent_ms = node.silent_for_ms(scene.now).unwrap_or_else(|| {
        u64::try_from(scene.now.unix_ms.saturating_sub(since_ms)).unwrap_or_default()
    });
    if silent_ms >= RETURNS_WITHIN_MS {
        return None;
    }
    let went = if is_unleased {
        format!("{name} went down without a lease {announced}")
    } else {
        format!("{name} was shutting down when it was heard last")
    };
    Some(format!("{went}, and is not back yet"))
}

fn lease_of<'a>(scene: &Scene<'a>, node: &Node) -> Option<&'a Lease> {
    scene.leases?.of(&node.name)
}

fn is_announced(power: Option<&Power>) -> bool {
    power.is_some_and(|power| power.announced.is_some())
}

fn power(node: &Node) -> Option<&Power> {
    match &*node.held(Family::Power)?.fact {
        Fact::Power(power) => power.known(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::cluster::testing::{World, known, name};
    use crate::cluster::{Cluster, Recall};
    use crate::fact::power::{AnnouncedShutdown, Power, PowerState, ShutdownKind, ShutdownMode};
    use crate::fleet::Hearing;
    use crate::incident::{Incidents, Watch};
    use crate::lease::Unleased;
    use crate::lease::testing::take;
    use crate::rule;

    const RULE: &str = "node-shutting-down";

    fn power(world: &mut World, state: PowerState) {
        world.edit("pve-02", |report| {
            report.power = known(Power {
                state,
                ..Power::default()
            })
        });
    }

    fn announce(world: &mut World, mode: ShutdownMode) {
        world.edit("pve-02", |report| {
            let mut power = Power::default();
            power.announce(Some(AnnouncedShutdown {
                at: Timestamp::UNIX_EPOCH,
                mode: Some(mode),
            }));
            report.power = known(power);
        });
    }

    #[test]
    fn a_node_on_its_way_down_is_told_and_a_running_one_is_not() {
        let mut world = World::of(3);
        power(&mut world, PowerState::Running);
        assert!(world.found(RULE).is_empty());
        power(&mut world, PowerState::ShuttingDown);
        let expect = "warning pve-02: pve-02 is shutting down: it votes until corosync stops there, which can take minutes";
        assert_eq!(world.found(RULE), [expect]);
        power(&mut world, PowerState::ShutdownScheduled);
        assert_eq!(
            world.found(RULE),
            ["info pve-02: a shutdown of pve-02 is scheduled"]
        );
    }

    #[test]
    fn who_announced_it_and_has_no_lease_is_told_so() {
        let mut world = World::of(3);
        announce(&mut world, ShutdownMode::Reboot);
        let expect = "warning pve-02: pve-02 is going down without a lease (reboot, announced at 2027-01-15 08:00 UTC): \
                      it votes until corosync stops there, which can take minutes";
        assert_eq!(world.found(RULE), [expect]);
        world.hearing("pve-02", Hearing::Silent);
        let expect = "warning pve-02: pve-02 went down without a lease (reboot, announced at 2027-01-15 08:00 UTC), and is \
                      not back yet";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn with_a_lease_for_it_nothing_new_is_told() {
        let mut world = World::of(3);
        take(&mut world, "pve-02");
        let leased = "warning pve-02: pve-02 is shutting down: it votes until corosync stops there, which can take minutes";
        announce(&mut world, ShutdownMode::Reboot);
        assert_eq!(world.found(RULE), [leased]);
        // A lease of a reboot is none for staying away.
        announce(&mut world, ShutdownMode::PowerOff);
        let told = world.found(RULE);
        assert!(told[0].contains("without a lease (shutdown, "), "{told:?}");
    }

    /// What the list of maintenance shows, once all that was found is written down.
    fn unleased(world: &World, watch: &mut Watch, incidents: &mut Incidents) -> Vec<Unleased> {
        let found = rule::findings(&world.scene());
        for step in watch.look(incidents, &found, &world.scene()) {
            incidents.fold(&step);
        }
        let leases = world.leases.as_ref().unwrap();
        Unleased::all(incidents, leases, &world.cluster, world.now)
    }

    #[test]
    fn it_is_listed_until_another_kernel_speaks_also_by_a_collector_that_starts_anew() {
        let (mut world, mut incidents) = (World::of(3), Incidents::default());
        let mut watch = Watch::waiting(0);
        power(&mut world, PowerState::Running);
        assert_eq!(unleased(&world, &mut watch, &mut incidents), []);
        announce(&mut world, ShutdownMode::PowerOff);
        let listed = unleased(&world, &mut watch, &mut incidents);
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].kind, ShutdownKind::Shutdown);
        assert_eq!(
            listed[0].sentence,
            "pve-02 is away or going down without a lease (a shutdown), since 2027-01-15 08:00 UTC"
        );

        world.leave(2).hearing("pve-02", Hearing::Silent);
        world.advance_s(7_200);
        assert_eq!(unleased(&world, &mut watch, &mut incidents), listed);

        // Nothing is left of what was seen, but what the ledger has.
        world.cluster = Cluster::default();
        world.hearing("pve-02", Hearing::NeverHeard);
        world.cluster.nodes.remove(&name("pve-02"));
        world.cluster.recall(incidents.recalls());
        world.advance_s(1);
        let mut watch = Watch::default();
        assert_eq!(unleased(&world, &mut watch, &mut incidents), listed);

        world.hearing("pve-02", Hearing::Connected).reboot("pve-02");
        power(&mut world, PowerState::Running);
        world.all_are_members();
        assert_eq!(unleased(&world, &mut watch, &mut incidents), []);
        let going = &world.cluster.nodes[&name("pve-02")].past.going_down;
        assert!(going.is_none());
        let mut recalls = incidents.recalls();
        assert!(recalls.any(|(_, recall)| matches!(recall, Recall::GoingDown(_))));
    }
}
