//! corosync.conf is not the same everywhere. It bites at the next restart: corosync there goes its own way, or exits.

use std::collections::BTreeMap;

use super::Scene;
use super::membership::listed;
use crate::cluster::FreshNode;
use crate::fact::corosync_conf::CorosyncConf;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

/// A change of the file arrives on one node after the other, and corosync takes it over after that.
const SETTLES_MS: u64 = 60_000;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes: Vec<FreshNode<'_>> = scene.nodes().collect();
    let shared = shared(&nodes);
    nodes
        .iter()
        .filter_map(|node| drift(node, shared))
        .collect()
}

/// The copy that most nodes have, if at least three have it and more than half do.
fn shared<'a>(nodes: &'a [FreshNode<'_>]) -> Option<&'a CorosyncConf> {
    let copies: Vec<&CorosyncConf> = nodes
        .iter()
        .filter_map(|node| node.corosync_conf()?.local.as_ref())
        .collect();
    let mut alike: Vec<(&CorosyncConf, usize)> = Vec::new();
    for copy in &copies {
        match alike.iter_mut().find(|(known, _)| known == copy) {
            Some((_, count)) => *count += 1,
            None => alike.push((copy, 1)),
        }
    }
    let (most, count) = alike.into_iter().max_by_key(|(_, count)| *count)?;
    (count >= 3 && count * 2 > copies.len()).then_some(most)
}

fn drift(node: &FreshNode<'_>, shared: Option<&CorosyncConf>) -> Option<Finding> {
    let name = node.name();
    let files = node.corosync_conf()?;
    let local = files.local.as_ref()?;
    let mut reasons = Vec::new();
    if let Some(cluster) = files.cluster.as_ref().filter(|cluster| *cluster != local) {
        reasons.push(format!(
            "its own copy is not the cluster's ({})",
            differences(local, cluster)
        ));
    }
    if let Some(shared) = shared.filter(|shared| *shared != local) {
        reasons.push(format!(
            "its own copy is not what most nodes have ({})",
            differences(local, shared)
        ));
    }
    let runs = node.corosync().and_then(|corosync| corosync.config_version);
    if let Some((runs, file)) = runs
        .zip(local.totem.config_version)
        .filter(|(runs, file)| runs != file)
    {
        reasons.push(format!(
            "corosync runs with version {runs}, and the file has {file}"
        ));
    }
    if reasons.is_empty() {
        return None;
    }
    let sentence = format!(
        "corosync.conf of {name} has drifted: {}",
        reasons.join("; ")
    );
    let found = Finding::new(Severity::Warning, Thing::Node(name.clone()), sentence)
        .settles_in(SETTLES_MS)
        .seen_in(name, Family::CorosyncConf, version(local))
        .remedy(format!(
            "On {name}: `diff /etc/pve/corosync.conf /etc/corosync/corosync.conf`. With quorum pmxcfs writes the second from \
             the first by itself when config_version rises; else copy it, then `corosync-cfgtool -R`."
        ))
        .way_back("Keep a copy of both files before (`cp -a FILE FILE.before`), and put it back.");
    Some(found)
}

fn version(conf: &CorosyncConf) -> String {
    conf.totem.config_version.map_or_else(
        || "no version".to_owned(),
        |version| format!("version {version}"),
    )
}

fn differences(own: &CorosyncConf, other: &CorosyncConf) -> String {
    if own.totem.config_version != other.totem.config_version {
        return format!("{} instead of {}", version(own), version(other));
    }
    let mut parts = BTreeMap::new();
    parts.insert("totem", own.totem != other.totem);
    parts.insert("nodelist", own.nodes != other.nodes);
    parts.insert("quorum", own.quorum != other.quorum);
    parts.insert("other sections", own.other != other.other);
    let differ = parts
        .into_iter()
        .filter(|(_, differ)| *differ)
        .map(|(part, _)| part);
    format!("same version, another content: {}", listed(differ))
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};

    const RULE: &str = "corosync-config-drift";

    #[test]
    fn a_node_with_another_copy_is_named_with_what_differs() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit("pve-06", |report| {
            let local = value(&mut report.corosync_conf).local.as_mut().unwrap();
            local.nodes[2].addresses.insert(0, "10.0.0.99".to_owned());
        });
        let expect = "warning pve-06: corosync.conf of pve-06 has drifted: its own copy is not the cluster's (same \
                      version, another content: nodelist); its own copy is not what most nodes have (same version, \
                      another content: nodelist)";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn corosync_that_runs_with_an_older_file_is_told() {
        let mut world = World::of(2);
        world.edit("pve-02", |report| {
            value(&mut report.corosync).config_version = Some(7)
        });
        let expect = "warning pve-02: corosync.conf of pve-02 has drifted: corosync runs with version 7, and the file has 8";
        assert_eq!(world.found(RULE), [expect]);
    }
}
