//! A bond that has fewer ports than its node's configuration names, or than it had: a port that never came is not down,
//! so nothing else tells of it.

use super::{Tuned, configured, lacp, stack};
use crate::cluster::{FreshNode, Recall};
use crate::fact::bond::Bond;
use crate::fact::interfaces::ConfBond;
use crate::fact::link::Link;
use crate::finding::{Finding, Severity, Thing};
use crate::name::IfaceName;
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let bonds = node.bonds().into_iter().flatten();
    bonds.filter_map(|bond| fewer(node, bond)).collect()
}

fn fewer(node: &FreshNode<'_>, bond: &Bond) -> Option<Finding> {
    match ports_named(node, bond) {
        Some(names) => missing(node, bond, names),
        None => lost(node, bond),
    }
}

/// The ports that the configuration in force names one by one.
fn ports_named<'a>(node: &'a FreshNode<'_>, bond: &Bond) -> Option<Vec<&'a str>> {
    let conf = node.interfaces()?.current.as_ref()?;
    let interface = conf.interface(bond.name.as_str())?;
    let own: Option<&ConfBond> = interface.bond.as_ref();
    if own.is_some_and(|bond| !bond.slave_patterns.is_empty()) {
        return None;
    }
    let named = own
        .into_iter()
        .flat_map(|bond| &bond.slaves)
        .map(String::as_str);
    let naming = conf.interfaces.iter();
    let naming = naming.filter(|port| port.bond_master.as_deref() == Some(bond.name.as_str()));
    let mut names: Vec<&str> = named.chain(naming.map(|port| port.name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then_some(names)
}

fn missing(node: &FreshNode<'_>, bond: &Bond, named: Vec<&str>) -> Option<Finding> {
    let links = node.links()?;
    let count = named.len();
    let missing: Vec<(&str, Option<&Link>)> = named
        .into_iter()
        .map(|named| (named, configured::called(links, named)))
        .filter(|(named, link)| {
            let is_it = |port: &IfaceName| {
                port.as_str() == *named || link.is_some_and(|link| link.name == *port)
            };
            !bond.slaves.iter().any(|port| is_it(&port.name))
        })
        .collect();
    let (first, link) = *missing.first()?;
    let name = node.name();
    let names: Vec<&str> = missing.iter().map(|(named, _)| *named).collect();
    let why = match (&link, missing.len()) {
        (None, 1) => format!("; no interface is called {first}"),
        (None, _) | (Some(_), _) => String::new(),
    };
    let sentence = format!(
        "{} of {name} has {} of the {count} ports that its configuration names: {} {} missing{why}",
        bond.name,
        count - missing.len(),
        names.join(", "),
        if missing.len() == 1 { "is" } else { "are" },
    );
    let things = missing.iter().filter_map(|(named, link)| {
        let iface = link.map_or_else(
            || IfaceName::new(*named).ok(),
            |link| Some(link.name.clone()),
        );
        Some(Thing::Iface(name.clone(), iface?))
    });
    let found = told(node, bond, sentence)
        .seen_in(
            name,
            Family::Interfaces,
            format!("{}: ports {}", bond.name, names.join(" ")),
        )
        .seen_in(
            name,
            Family::Links,
            format!(
                "{first}: {}",
                if link.is_some() { "there" } else { "not there" }
            ),
        );
    let things: Vec<Thing> = things.collect();
    Some(if things.is_empty() {
        found
    } else {
        found.is_loss_of(things)
    })
}

/// Without a configuration to ask, the bond's own past. That no port at all is left has its own rule.
fn lost(node: &FreshNode<'_>, bond: &Bond) -> Option<Finding> {
    let had = node.node.past.bonds.get(&bond.name)?.most_ports;
    let has = bond.slaves.len();
    if has >= had || has == 0 {
        return None;
    }
    let name = node.name();
    let sentence = format!(
        "{} of {name} has {has} {}; it has had {had}",
        bond.name,
        if has == 1 { "port" } else { "ports" }
    );
    let recall = Recall::Ports {
        bond: bond.name.clone(),
        most: had,
    };
    Some(told(node, bond, sentence).recalls(name, recall))
}

fn told(node: &FreshNode<'_>, bond: &Bond, sentence: String) -> Finding {
    let name = node.name();
    let ports: Vec<_> = bond.slaves.iter().collect();
    let found = Finding::new(Severity::Warning, Thing::Iface(name.clone(), bond.name.clone()), sentence)
        .seen_in(name, Family::Bonds, format!("{}: ports {}", bond.name, lacp::names(&ports)))
        .remedy(format!(
            "`ip -br link` on {name}: is the port there, under another name perhaps? `journalctl -b -k` tells of cards \
             that did not start. `ifquery -a -c` holds what runs against the configuration.",
        ));
    // What stands on a bond without any port is lost for the same reason.
    if ports.is_empty() {
        found.takes(stack::taken_with(node, &bond.name))
    } else {
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known, value};
    use crate::fact::interfaces::{ConfBond, Configuration, Interface, Interfaces};
    use crate::report::NodeReport;

    const RULE: &str = "bond-ports-missing";

    fn configure(report: &mut NodeReport, slaves: &[&str]) {
        let bond = Interface {
            name: "bond0".to_owned(),
            auto: true,
            bond: Some(ConfBond {
                slaves: slaves.iter().map(|name| (*name).to_owned()).collect(),
                ..ConfBond::default()
            }),
            ..Interface::default()
        };
        report.interfaces = known(Interfaces {
            current: Some(Configuration {
                interfaces: vec![bond],
                ..Configuration::default()
            }),
            pending: None,
            not_sourced: None,
        });
    }

    #[test]
    fn a_port_that_never_came_is_missed_by_the_configuration() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| configure(report, &["eno1", "eno2"]));
        assert!(world.found(RULE).is_empty());
        world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].slaves.pop();
            value(&mut report.links).remove(1);
        });
        let expect = "warning pve-03/bond0: bond0 of pve-03 has 1 of the 2 ports that its configuration names: eno2 is \
                      missing; no interface is called eno2";
        assert_eq!(world.found(RULE), [expect]);
    }

    #[test]
    fn a_bond_with_one_port_on_purpose_and_a_port_by_its_other_name_are_nothing() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            configure(report, &["eno1"]);
            value(&mut report.bonds)[0].slaves.pop();
        });
        world.edit("pve-04", |report| {
            configure(report, &["eno1", "enx001122334455"]);
            value(&mut report.links)[1].altnames = vec!["enx001122334455".to_owned()];
        });
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn without_a_configuration_the_past_is_asked() {
        let mut world = World::healthy();
        world.edit("pve-03", |report| {
            value(&mut report.bonds)[0].slaves.pop();
        });
        let expect = "warning pve-03/bond0: bond0 of pve-03 has 1 port; it has had 2";
        assert_eq!(world.found(RULE), [expect]);
    }
}
