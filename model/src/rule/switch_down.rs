//! A switch that is down, or keeps its links up and passes nothing, or is the one thing that silent nodes have in common.
//!
//! No switch says so itself: all ports of nodes that are plugged into it do. Which switch that is, is remembered of each
//! port (declared, LLDP, LACP), because a dark port hears nobody. Where it is not known, ports of several nodes that
//! went dark at the same moment have one in common.

use std::collections::{BTreeMap, BTreeSet};

use super::membership::{between, counted, listed, nodelist};
use super::{Scene, lacp, link_flapping, stack};
use crate::cluster::{FreshNode, Node, PortPast, Recall};
use crate::fact::link::Link;
use crate::finding::{Finding, Severity, Thing};
use crate::fleet::Hearing;
use crate::name::{IfaceName, NodeName};
use crate::report::{Fact, Facts as _, Family};

/// Ports that go dark within this time go together.
const TOGETHER_MS: u64 = 5_000;
/// Nodes whose last words are so near to each other fell silent together.
const SILENT_TOGETHER_MS: u64 = 10_000;
/// So long LACP may take to agree on a port that has its link back.
const AGREES_MS: u64 = 60_000;
/// So many nodes that lose a port together are no accident, also where other ports of the switch are well.
const MANY: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Since when, if that was seen.
    Dark(Option<u64>),
    /// Up, and LACP is not answered any more.
    Mute,
    Up,
    /// Its node is not heard.
    Silent,
}

#[derive(Debug, Clone)]
struct Port<'a> {
    node: &'a NodeName,
    fresh: Option<FreshNode<'a>>,
    iface: &'a IfaceName,
    standing: Standing,
    /// It loses its link and finds it again, over and over.
    flaps: bool,
}

type Switches<'a> = BTreeMap<Option<String>, Vec<Port<'a>>>;

pub(super) fn look(scene: &Scene<'_>) -> Vec<Finding> {
    let mut switches: Switches<'_> = BTreeMap::new();
    let labels = labels(scene);
    for node in scene
        .cluster
        .nodes
        .values()
        .filter(|node| node.seen.hearing != Hearing::Revoked)
    {
        for port in ports(scene, node, &labels) {
            let switch = switch_of(scene, node, port.iface, &labels);
            switches.entry(switch).or_default().push(port);
        }
    }
    let unknown = switches.remove(&None).unwrap_or_default();
    let is_dark = |port: &Port<'_>| matches!(port.standing, Standing::Dark(_));
    let dark: Vec<Port<'_>> = unknown.into_iter().filter(is_dark).collect();
    let mut strays = together(&dark);
    let mut found = Vec::new();
    for (switch, ports) in &switches {
        let Some(switch) = switch else {
            continue;
        };
        found.extend(judged(scene, switch, ports, &mut strays));
    }
    let of_silence = |finding: &Finding| {
        finding
            .evidence
            .iter()
            .all(|seen| seen.family == Family::Agent)
    };
    if found.iter().filter(|finding| of_silence(finding)).count() > 1 {
        found.retain(|finding| !of_silence(finding));
    }
    if nodes(&strays) >= MANY {
        let sentence = format!(
            "{} lost their links within {} s, and which switch is behind them is not known: {}",
            counted(strays.len() as u64, "port"),
            TOGETHER_MS / 1_000,
            places(&strays),
        );
        found.push(finding(
            scene,
            "not known",
            Severity::Critical,
            sentence,
            &strays,
        ));
    }
    found
}

#[allow(
    clippy::too_many_lines,
    reason = "one manner of failing after the other, the surest first"
)]
fn judged<'a>(
    scene: &Scene<'_>,
    switch: &str,
    ports: &[Port<'a>],
    strays: &mut Vec<Port<'a>>,
) -> Option<Finding> {
    let of = |is: fn(&Standing) -> bool| -> Vec<Port<'a>> {
        ports
            .iter()
            .filter(|port| is(&port.standing))
            .cloned()
            .collect()
    };
    let dark = of(|is| matches!(is, Standing::Dark(_)));
    let mute = of(|is| *is == Standing::Mute);
    let up = of(|is| *is == Standing::Up);
    let silent = of(|is| *is == Standing::Silent);
    if nodes(&dark) >= 2 && up.is_empty() && mute.is_empty() {
        let mut lost = dark.clone();
        let at = together(&dark);
        if at
            .iter()
            .chain(strays.iter())
            .all(|port| matches!(port.standing, Standing::Dark(Some(_))))
            && !strays.is_empty()
            && together(&at.iter().chain(strays.iter()).cloned().collect::<Vec<_>>()).len()
                == at.len() + strays.len()
        {
            lost.append(strays);
        }
        let sentence = format!(
            "switch {switch} is down: none of its ports at the nodes has a link any more: {}{}",
            places(&lost),
            also_silent(&silent),
        );
        let lost: Vec<Port<'a>> = lost.into_iter().chain(silent).collect();
        return Some(finding(scene, switch, Severity::Critical, sentence, &lost).settles_in(0));
    }
    if nodes(&mute) >= 2 && dark.is_empty() && up.iter().all(|port| !speaks_lacp(port)) {
        let sentence = format!(
            "switch {switch} keeps its links up and does not answer LACP any more on any port: {}",
            places(&mute)
        );
        let lost: Vec<Port<'a>> = mute.into_iter().chain(up).collect();
        return Some(finding(scene, switch, Severity::Critical, sentence, &lost));
    }
    if nodes(&silent) >= 2
        && dark.is_empty()
        && up.is_empty()
        && mute.is_empty()
        && are_the_silent(scene, &silent)
    {
        let names: BTreeSet<&NodeName> = silent.iter().map(|port| port.node).collect();
        let sentence = format!(
            "the {} that are plugged into switch {switch} fell silent together, and no other did: {}; that switch is down, or \
             what else they share (uplink, power, rack)",
            counted(names.len() as u64, "node"),
            listed(names),
        );
        return Some(finding(
            scene,
            switch,
            Severity::Critical,
            sentence,
            &silent,
        ));
    }
    let flapping: Vec<Port<'a>> = ports.iter().filter(|port| port.flaps).cloned().collect();
    if nodes(&flapping) >= MANY {
        let sentence = format!(
            "{} of {} of switch {switch} lose their links and find them again, over and over: {}",
            flapping.len(),
            counted(ports.len() as u64, "port"),
            places(&flapping),
        );
        return Some(finding(
            scene,
            switch,
            Severity::Critical,
            sentence,
            &flapping,
        ));
    }
    let at_once = together(&dark);
    if nodes(&at_once) >= MANY {
        let sentence = format!(
            "{} of {} of switch {switch} lost their links within {} s: {}",
            at_once.len(),
            counted(ports.len() as u64, "port"),
            TOGETHER_MS / 1_000,
            places(&at_once),
        );
        return Some(finding(
            scene,
            switch,
            Severity::Warning,
            sentence,
            &at_once,
        ));
    }
    None
}

/// The ports of a node that have had a link, with what is known of them now.
fn ports<'a>(
    scene: &Scene<'a>,
    node: &'a Node,
    labels: &BTreeMap<&str, BTreeSet<&str>>,
) -> Vec<Port<'a>> {
    let fresh = node.is_speaking(scene.now).then_some(FreshNode {
        node,
        now: scene.now,
    });
    let links = match node.held(Family::Links).map(|held| &*held.fact) {
        Some(Fact::Links(links)) => links.known().map_or(&[][..], Vec::as_slice),
        _ => &[],
    };
    // A NIC, and whatever else a switch is known to be behind: a card can be of any kind.
    let is_known = |link: &Link| switch_of(scene, node, &link.name, labels).is_some();
    let ports = links
        .iter()
        .filter(|link| link.admin_up != Some(false) && (stack::is_nic(link) || is_known(link)));
    let port = |link: &'a Link| {
        let past = node.past.ports.get(&link.name)?;
        let standing = match (&fresh, link.carrier) {
            (None, _) => Standing::Silent,
            (Some(_), Some(false)) => Standing::Dark(past.lost_carrier_ms),
            (Some(fresh), Some(true)) if is_mute(fresh, &link.name, past) => Standing::Mute,
            (Some(_), Some(true)) => Standing::Up,
            (Some(_), None) => return None,
        };
        let had_link =
            past.lost_carrier_ms.is_some() || past.chassis.is_some() || past.lacp_partner.is_some();
        let is_told = had_link || link.carrier == Some(true);
        let tuned = scene.tuned(&node.name).interface(&link.name);
        let flaps = fresh.is_some_and(|fresh| link_flapping::times(&fresh, link, &tuned).is_some());
        is_told.then_some(Port {
            node: &node.name,
            fresh,
            iface: &link.name,
            standing,
            flaps,
        })
    };
    ports.filter_map(port).collect()
}

/// LACP was answered there and is not any more; a port that has just come back is given the time to agree.
fn is_mute(node: &FreshNode<'_>, iface: &IfaceName, past: &PortPast) -> bool {
    let is_new = past
        .got_carrier_ms
        .is_some_and(|at| node.now.mono_ms < at.saturating_add(AGREES_MS));
    if is_new || past.lacp_partner.is_none() {
        return false;
    }
    let bonds = node
        .bonds()
        .into_iter()
        .flatten()
        .filter(|bond| lacp::is_lacp(bond));
    let mut slaves = bonds.flat_map(lacp::up);
    slaves.any(|port| {
        port.name == *iface && port.partner_mac.as_ref().is_some_and(|mac| mac.is_zero())
    })
}

fn speaks_lacp(port: &Port<'_>) -> bool {
    let bonds = port
        .fresh
        .as_ref()
        .and_then(|node| node.bonds())
        .into_iter()
        .flatten();
    let mut slaves = bonds
        .filter(|bond| lacp::is_lacp(bond))
        .flat_map(|bond| &bond.slaves);
    slaves.any(|slave| slave.name == *port.iface)
}

/// As declared, else as it called itself by LLDP, else as the system that answered LACP.
fn switch_of(
    scene: &Scene<'_>,
    node: &Node,
    iface: &IfaceName,
    labels: &BTreeMap<&str, BTreeSet<&str>>,
) -> Option<String> {
    if let Some(declared) = scene.site.switch_of(&node.name, iface) {
        return Some(declared.name.clone());
    }
    let past = node.past.ports.get(iface)?;
    if let Some(chassis) = &past.chassis {
        let name = chassis
            .name
            .as_ref()
            .filter(|name| labels.get(name.as_str()).is_some_and(|ids| ids.len() == 1));
        return Some(name.unwrap_or(&chassis.id).clone());
    }
    past.lacp_partner.as_ref().map(ToString::to_string)
}

fn labels<'a>(scene: &Scene<'a>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let ports = scene
        .cluster
        .nodes
        .values()
        .flat_map(|node| node.past.ports.values());
    for chassis in ports.filter_map(|port| port.chassis.as_ref()) {
        if let Some(name) = &chassis.name {
            labels.entry(name).or_default().insert(&chassis.id);
        }
    }
    labels
}

/// Those that went dark at about the same moment: of several such moments, the one with the most nodes.
fn together<'a>(ports: &[Port<'a>]) -> Vec<Port<'a>> {
    let since = |port: &Port<'_>| match port.standing {
        Standing::Dark(since) => since,
        Standing::Mute | Standing::Up | Standing::Silent => None,
    };
    let from = |first: u64| -> Vec<Port<'a>> {
        let is_with = |port: &&Port<'_>| {
            since(port).is_some_and(|at| at >= first && at <= first + TOGETHER_MS)
        };
        ports.iter().filter(is_with).cloned().collect()
    };
    let moments: BTreeSet<u64> = ports.iter().filter_map(since).collect();
    let groups = moments.into_iter().map(from);
    groups.max_by_key(|group| nodes(group)).unwrap_or_default()
}

fn nodes(ports: &[Port<'_>]) -> usize {
    let nodes: BTreeSet<&NodeName> = ports.iter().map(|port| port.node).collect();
    nodes.len()
}

/// `eno2, eno3 of pve-01, pve-02; eno1 of pve-03`
fn places(ports: &[Port<'_>]) -> String {
    let mut of_nodes: BTreeMap<&NodeName, BTreeSet<&IfaceName>> = BTreeMap::new();
    for port in ports {
        of_nodes.entry(port.node).or_default().insert(port.iface);
    }
    let mut alike: Vec<(BTreeSet<&IfaceName>, Vec<&NodeName>)> = Vec::new();
    for (node, ifaces) in of_nodes {
        match alike.iter_mut().find(|(of, _)| *of == ifaces) {
            Some((_, nodes)) => nodes.push(node),
            None => alike.push((ifaces, vec![node])),
        }
    }
    let part = |(ifaces, nodes): &(BTreeSet<&IfaceName>, Vec<&NodeName>)| {
        format!("{} of {}", listed(ifaces), listed(nodes))
    };
    alike.iter().map(part).collect::<Vec<_>>().join("; ")
}

fn also_silent(silent: &[Port<'_>]) -> String {
    let names: BTreeSet<&NodeName> = silent.iter().map(|port| port.node).collect();
    match names.len() {
        0 => String::new(),
        _ => format!("; also at it, and silent: {}", listed(names)),
    }
}

/// Are these nodes all that are silent, and fell silent together, while others are heard?
fn are_the_silent(scene: &Scene<'_>, silent: &[Port<'_>]) -> bool {
    let behind: BTreeSet<&NodeName> = silent.iter().map(|port| port.node).collect();
    let expected = || {
        scene
            .cluster
            .nodes
            .values()
            .filter(|node| node.seen.hearing != Hearing::Revoked)
    };
    let quiet = || expected().filter(|node| !node.is_speaking(scene.now));
    let heard: BTreeSet<u64> = quiet().filter_map(|node| node.seen.heard_at_ms).collect();
    let span = heard
        .last()
        .zip(heard.first())
        .map(|(last, first)| last - first);
    quiet().all(|node| behind.contains(&node.name))
        && expected().count() > behind.len()
        && quiet().all(|node| node.seen.heard_at_ms.is_some())
        && span.is_some_and(|span| span <= SILENT_TOGETHER_MS)
}

fn finding(
    scene: &Scene<'_>,
    switch: &str,
    severity: Severity,
    sentence: String,
    lost: &[Port<'_>],
) -> Finding {
    let takes = taken(lost);
    let networks = networks(scene, &takes);
    let sentence = match networks.len() {
        0 => sentence,
        1 => format!(
            "{sentence}; corosync network {} goes with it",
            listed(networks)
        ),
        _ => format!(
            "{sentence}; corosync networks {} go with it",
            listed(networks)
        ),
    };
    let found = Finding::new(severity, Thing::Switch(switch.to_owned()), sentence)
        .takes([Thing::Switch(switch.to_owned())])
        .takes(takes)
        .remedy(format!(
            "Look at switch {switch}: power, console, uplinks, its log. Reboot or update no node before it is back. \
             `quorate what-if --switch` of the other switch says what its loss would cost now."
        ));
    let words = |found: Finding, port: &Port<'_>| {
        let (family, what) = match port.standing {
            Standing::Dark(_) => (Family::Links, "no carrier"),
            Standing::Mute => (Family::Bonds, "LACP is not answered"),
            Standing::Up => (Family::Links, "carrier, at the same switch"),
            Standing::Silent => return found,
        };
        let past = port
            .fresh
            .as_ref()
            .and_then(|fresh| fresh.node.past.ports.get(port.iface));
        let found = match past {
            Some(past) => found.recalls(
                port.node,
                Recall::Switch {
                    port: port.iface.clone(),
                    chassis: past.chassis.clone(),
                    lacp_partner: past.lacp_partner.clone(),
                },
            ),
            None => found,
        };
        found.seen_in(port.node, family, format!("{}: {what}", port.iface))
    };
    let found = lost.iter().fold(found, words);
    if found.evidence.is_empty() {
        let silent = |found: Finding, port: &Port<'_>| {
            found.seen_in(port.node, Family::Agent, "nothing is heard of its agent")
        };
        return lost.iter().fold(found, silent);
    }
    found
}

/// The ports, what stands on nothing else, and the nodes that are silent behind it.
fn taken(lost: &[Port<'_>]) -> BTreeSet<Thing> {
    let mut things = BTreeSet::new();
    let mut of_nodes: BTreeMap<&NodeName, Vec<&Port<'_>>> = BTreeMap::new();
    for port in lost {
        of_nodes.entry(port.node).or_default().push(port);
    }
    for (node, ports) in of_nodes {
        let Some(fresh) = ports.first().and_then(|port| port.fresh.as_ref()) else {
            things.insert(Thing::Node(node.clone()));
            continue;
        };
        let taken = stack::taken_with_all(fresh, ports.iter().map(|port| port.iface));
        let is_taken = |name: &IfaceName| taken.contains(&Thing::Iface(node.clone(), name.clone()));
        let links = fresh.links().into_iter().flatten();
        let ports =
            links.filter(|link| link.master.as_ref().is_some_and(is_taken) && stack::is_nic(link));
        let ports: Vec<Thing> = ports
            .map(|link| Thing::Iface(node.clone(), link.name.clone()))
            .collect();
        things.extend(taken);
        things.extend(ports);
    }
    things
}

/// The networks of corosync that lose every path between nodes that are heard.
fn networks(scene: &Scene<'_>, takes: &BTreeSet<Thing>) -> BTreeSet<crate::name::LinkNumber> {
    let heard: Vec<FreshNode<'_>> = scene.nodes().collect();
    let Some((_, conf)) = nodelist(&heard) else {
        return BTreeSet::new();
    };
    let mut left = BTreeSet::new();
    let mut all = BTreeSet::new();
    for node in &heard {
        for path in between(conf, &BTreeSet::from([node.name().clone()])) {
            let Thing::Knet { link, .. } = &path else {
                continue;
            };
            all.insert(*link);
            if !takes.contains(&path) {
                left.insert(*link);
            }
        }
    }
    &all - &left
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fleet::Hearing;
    use crate::report::NodeReport;

    const RULE: &str = "switch-down";

    fn dark(report: &mut NodeReport, places: &[usize]) {
        for place in places {
            value(&mut report.links)[*place].carrier = Some(false);
            let neighbours = value(&mut report.lldp);
            let gone = ["eno1", "eno2", "eno3"][*place];
            neighbours.retain(|neighbour| {
                neighbour
                    .interface
                    .as_ref()
                    .is_none_or(|on| on.as_str() != gone)
            });
        }
    }

    #[test]
    fn a_switch_whose_every_port_is_dark_is_named_although_no_port_hears_it_any_more() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        world.edit_all(|_, report| dark(report, &[1, 2]));
        let expect = "critical switch sw-b: switch sw-b is down: none of its ports at the nodes has a link any more: eno2, eno3 of \
                      pve-01, pve-02, pve-03, pve-04, pve-05, pve-06, pve-07, pve-08; corosync network 1 goes with it";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_cable_or_a_node_without_power_is_no_switch() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| dark(report, &[1, 2]));
        assert!(world.found(RULE).is_empty());
        world.edit("pve-04", |report| dark(report, &[1]));
        assert!(world.found(RULE).is_empty());
        world
            .hearing("pve-05", Hearing::Silent)
            .hearing("pve-06", Hearing::Silent);
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn ports_that_go_dark_at_once_have_a_switch_in_common_also_if_nobody_knows_which() {
        let mut world = World::healthy();
        let forget = |world: &mut World| {
            for node in world.cluster.nodes.values_mut() {
                for port in node.past.ports.values_mut() {
                    (port.chassis, port.lacp_partner) = (None, None);
                }
            }
        };
        forget(&mut world);
        for node in ["pve-01", "pve-02", "pve-03"] {
            world.edit(node, |report| dark(report, &[2]));
        }
        forget(&mut world);
        let found = world.found(RULE);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("3 ports lost their links within 5 s"),
            "{found:?}"
        );
    }

    #[test]
    fn a_switch_that_answers_lacp_nowhere_any_more_is_mute() {
        let mut world = World::healthy();
        world.edit_all(|_, report| {
            let port = &mut value(&mut report.bonds)[0].slaves[0];
            port.partner_mac = Some("00:00:00:00:00:00".parse().unwrap());
        });
        let found = world.found(RULE);
        assert!(
            found[0].starts_with("critical switch sw-a: switch sw-a keeps its links up"),
            "{found:?}"
        );
        assert_eq!(found.len(), 1);
    }
}
