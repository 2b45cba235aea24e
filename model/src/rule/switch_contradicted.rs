//! A declaration of switches (`[[switch]]`) that LLDP contradicts: the cable is in another switch, or the declaration is
//! wrong, and then forecasts about that switch are.

use std::collections::BTreeMap;

use super::Scene;
use crate::finding::{Finding, Severity, Thing};
use crate::report::Family;
use crate::topology::contradictions;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    // Of one switch all stands in one finding, so that it has one identity.
    let mut of_switch: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for found in contradictions(scene.cluster, scene.now, scene.site) {
        of_switch
            .entry(found.switch.clone())
            .or_default()
            .push(found);
    }
    let finding = |(switch, found): (String, Vec<crate::topology::Contradiction>)| {
        let sentences: Vec<String> = found.iter().map(|one| one.sentence.clone()).collect();
        let seen = found.into_iter().flat_map(|one| one.seen);
        let finding = Finding::new(
            Severity::Warning,
            Thing::Switch(switch),
            sentences.join("; "),
        );
        seen.fold(finding, |finding, ((node, iface), chassis)| {
            finding.seen_in(&node, Family::Lldp, format!("{iface}: chassis {chassis}"))
        })
        .remedy(
            "Follow the cable of the port that is alone with its chassis. If it is where it belongs, correct [[switch]] in \
             collector.toml, and restart the collector.",
        )
        .way_back("Put the former [[switch]] back.")
    };
    of_switch.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::World;
    use crate::topology::{DeclaredSwitch, PortPattern};

    const RULE: &str = "switch-contradicted";

    fn declare(world: &mut World, rows: &[(&str, &str)]) {
        world.site.switches = rows
            .iter()
            .map(|(name, ports)| DeclaredSwitch {
                name: (*name).to_owned(),
                ports: vec![PortPattern::new(ports).unwrap()],
            })
            .collect();
    }

    #[test]
    fn a_declaration_that_fits_or_that_nobody_contradicts_is_silent() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        declare(&mut world, &[("left", "*/eno1"), ("right", "*/eno[23]")]);
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn a_declaration_that_lldp_contradicts_is_one_finding_of_the_switch() {
        let mut world = World::healthy();
        declare(&mut world, &[("left", "*/eno[12]"), ("right", "*/eno3")]);
        let expect = "warning switch left: switch left is declared as one, but LLDP shows 2 chassis behind its ports: \
                      00:1c:73:aa:01:10 at pve-01/eno1 and 7 more, 00:1c:73:aa:01:11 at pve-01/eno2 and 7 more";
        assert_eq!(world.found(RULE), [expect]);
    }
}
