//! Nodes with different major versions of Proxmox VE: an upgrade is under way, or was left halfway.

use std::collections::BTreeMap;

use super::Scene;
use super::membership::listed;
use crate::cluster::FreshNode;
use crate::finding::{Finding, Severity, Thing};
use crate::name::NodeName;
use crate::report::{Facts as _, Family};

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let mut majors: BTreeMap<u32, Vec<&NodeName>> = BTreeMap::new();
    for node in &nodes {
        let version = node
            .packages()
            .and_then(|packages| packages.manager_version.as_deref());
        if let Some(major) = version.and_then(|version| version.split('.').next()?.parse().ok()) {
            majors.entry(major).or_default().push(node.name());
        }
    }
    if majors.len() < 2 {
        return Vec::new();
    }
    let part = |(major, names): (&u32, &Vec<&NodeName>)| format!("{major} on {}", listed(names));
    let parts: Vec<String> = majors.iter().map(part).collect();
    let sentence = format!("major versions of Proxmox VE differ: {}", parts.join("; "));
    let found = Finding::new(Severity::Info, Thing::Cluster, sentence)
        .remedy("Bring the upgrade to its end, one node after the other. Guests move from the older to the newer version only.");
    let words = |found: Finding, node: &FreshNode<'_>| match node.packages() {
        Some(packages) if packages.manager_version.is_some() => {
            let version = packages.manager_version.as_deref().unwrap_or_default();
            found.seen_in(
                node.name(),
                Family::Packages,
                format!("pve-manager {version}"),
            )
        }
        _ => found,
    };
    vec![nodes.iter().fold(found, words)]
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known};
    use crate::fact::packages::Packages;

    const RULE: &str = "node-versions-differ";

    #[test]
    fn another_major_version_is_told_and_another_minor_one_is_not() {
        let mut world = World::of(3);
        let runs = |world: &mut World, node: &str, version: &str| {
            let manager_version = Some(version.to_owned());
            world.edit(node, |report| {
                report.packages = known(Packages {
                    manager_version,
                    ..Packages::default()
                })
            });
        };
        runs(&mut world, "pve-01", "9.1.4");
        runs(&mut world, "pve-02", "9.0.1");
        assert!(world.found(RULE).is_empty());
        runs(&mut world, "pve-03", "8.4.1");
        let expect = "info the cluster: major versions of Proxmox VE differ: 8 on pve-03; 9 on pve-01, pve-02";
        assert_eq!(world.found(RULE), [expect]);
    }
}
