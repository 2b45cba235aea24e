//! A node that is on its way down, or was told to go down at a time. It keeps its vote until corosync stops.

use super::Tuned;
use crate::cluster::FreshNode;
use crate::fact::power::PowerState;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let Some(power) = node.power() else {
        return Vec::new();
    };
    let name = node.name();
    let (severity, sentence) = match power.state {
        PowerState::ShuttingDown => (
            Severity::Warning,
            format!("{name} is shutting down: it votes until corosync stops there, which can take minutes"),
        ),
        PowerState::ShutdownScheduled => {
            let at = power.scheduled.as_ref().and_then(|scheduled| scheduled.at);
            let at = at.map(|at| format!(" for {at:.0}")).unwrap_or_default();
            (Severity::Info, format!("a shutdown of {name} is scheduled{at}"))
        }
        PowerState::Running | PowerState::Booting | PowerState::Unknown => return Vec::new(),
    };
    let found = Finding::new(severity, Thing::Node(name.clone()), sentence)
        .seen_in(name, Family::Power, power.state.to_string())
        .remedy(format!("Touch no other node until {name} is back. `systemctl list-jobs` there shows what it waits for."))
        .way_back("`shutdown -c` takes back one that is only scheduled.");
    vec![found]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known};
    use crate::fact::power::{Power, PowerState};

    const RULE: &str = "node-shutting-down";

    fn power(world: &mut World, state: PowerState) {
        world.edit("pve-02", |report| report.power = known(Power { state, ..Power::default() }));
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
        assert_eq!(world.found(RULE), ["info pve-02: a shutdown of pve-02 is scheduled"]);
    }
}
