//! The bonds of each node in a few words: ports that are up of those that there are, the mode, and what is wrong.

use std::fmt;

use crate::cluster::{FreshNode, Node, Now, limit_ms};
use crate::fact::bond::Bond;
use crate::fact::ovs::OvsBond;
use crate::finding::{Finding, Severity, Thing};
use crate::fleet::Hearing;
use crate::report::{Fact, Facts as _, Family};

/// These say of a bond what its ports say already.
const OF_PORTS: [&str; 2] = ["bond-degraded", "bond-no-active-port"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bonds {
    /// Empty: the node has none.
    Known(Vec<BondState>),
    Unknown {
        why: String,
    },
}

/// One bond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BondState {
    pub name: String,
    pub mode: Option<String>,
    pub ports: usize,
    pub up: usize,
    /// Ports of which it is not known.
    pub unknown: usize,
    /// `eno2 down`, and the rules that find something else: `bond-partners-differ`.
    pub wrong: Vec<String>,
}

/// `bond0 1/2 802.3ad: eno2 down, bond-partners-differ`
impl fmt::Display for BondState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = self.mode.as_deref().unwrap_or("mode unknown");
        write!(f, "{} {}/{} {mode}", self.name, self.up, self.ports)?;
        if !self.wrong.is_empty() {
            write!(f, ": {}", self.wrong.join(", "))?;
        }
        Ok(())
    }
}

impl BondState {
    /// All ports are up, and no rule finds anything.
    pub fn is_whole(&self) -> bool {
        self.ports > 0 && self.up == self.ports && self.wrong.is_empty()
    }
}

impl Bonds {
    pub(super) fn of(node: &Node, found: &[Finding], now: Now) -> Self {
        let unknown = |why: &str| Self::Unknown {
            why: why.to_owned(),
        };
        if node.seen.hearing != Hearing::Connected {
            return unknown("the node is not heard");
        }
        let Some(held) = node.held(Family::Bonds) else {
            return unknown("not told yet");
        };
        if held.age_ms(now) > limit_ms(Family::Bonds) {
            return unknown("told too long ago");
        }
        let Fact::Bonds(reading) = &*held.fact else {
            return unknown("not told yet");
        };
        let mut states = match reading {
            crate::reading::Reading::Known { value, .. } => value.iter().map(of_kernel).collect(),
            crate::reading::Reading::Absent => Vec::new(),
            crate::reading::Reading::Failed { why } => return unknown(why),
            crate::reading::Reading::NeverHeard => return unknown("not told yet"),
        };
        let fresh = FreshNode { node, now };
        let ovs = fresh.ovs().and_then(|ovs| ovs.bonds.as_ref());
        states.extend(ovs.into_iter().flatten().map(of_ovs));
        for state in &mut states {
            state.wrong.extend(rules(node, &state.name, found));
        }
        Self::Known(states)
    }
}

fn of_kernel(bond: &Bond) -> BondState {
    let ports = bond.slaves.iter();
    let ports = ports.map(|port| {
        let status = port.mii_status.as_ref().map(|status| status.as_str());
        (port.name.as_str(), port.is_up(), status)
    });
    let mode = bond.mode.as_ref().map(|mode| mode.as_str());
    state(bond.name.as_str(), mode, ports)
}

fn of_ovs(bond: &OvsBond) -> BondState {
    let ports = bond.members.iter().map(|member| {
        let status = member
            .enabled
            .map(|enabled| if enabled { "up" } else { "disabled" });
        (member.name.as_str(), member.enabled == Some(true), status)
    });
    let mode = bond.mode.as_ref().map(|mode| mode.as_str());
    state(&bond.name, mode, ports)
}

fn state<'a>(
    name: &str,
    mode: Option<&str>,
    ports: impl Iterator<Item = (&'a str, bool, Option<&'a str>)>,
) -> BondState {
    let mut state = BondState {
        name: name.to_owned(),
        mode: mode.map(str::to_owned),
        ports: 0,
        up: 0,
        unknown: 0,
        wrong: Vec::new(),
    };
    for (port, is_up, status) in ports {
        state.ports += 1;
        state.up += usize::from(is_up);
        state.unknown += usize::from(status.is_none());
        if !is_up {
            let status = status.unwrap_or("unknown");
            state.wrong.push(format!("{port} {status}"));
        }
    }
    if state.ports == 0 {
        state.wrong.push("no port".to_owned());
    }
    state
}

/// What else is found about the bond.
fn rules<'a>(
    node: &'a Node,
    bond: &'a str,
    found: &'a [Finding],
) -> impl Iterator<Item = String> + 'a {
    let is_of_it = move |found: &&Finding| {
        let is_subject = matches!(&found.subject, Thing::Iface(of, iface)
            if *of == node.name && iface.as_str() == bond);
        is_subject && found.severity > Severity::Info && !OF_PORTS.contains(&found.rule)
    };
    found
        .iter()
        .filter(is_of_it)
        .map(|found| found.rule.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{World, name, value};
    use crate::fact::bond::MiiStatus;
    use crate::reading::Reading;

    #[track_caller]
    fn check(world: &World, node: &str, expect: &str) {
        let found = crate::rule::findings(&world.scene());
        let node = &world.cluster.nodes[&name(node)];
        let said = match Bonds::of(node, &found, world.now) {
            Bonds::Unknown { why } => format!("unknown: {why}"),
            Bonds::Known(bonds) => {
                let bonds: Vec<String> = bonds.iter().map(ToString::to_string).collect();
                bonds.join("; ")
            }
        };
        assert_eq!(said, expect);
    }

    #[test]
    fn a_whole_bond_is_its_ports_and_its_mode() {
        check(&World::healthy(), "pve-01", "bond0 2/2 802.3ad");
    }

    #[test]
    fn a_port_that_is_down_or_unknown_is_named() {
        let mut world = World::healthy();
        world.edit("pve-01", |report| {
            let ports = &mut value(&mut report.bonds)[0].slaves;
            ports[1].mii_status = Some(MiiStatus::Down);
        });
        check(&world, "pve-01", "bond0 1/2 802.3ad: eno2 down");
        world.edit("pve-01", |report| {
            value(&mut report.bonds)[0].slaves[0].mii_status = None;
        });
        check(
            &world,
            "pve-01",
            "bond0 0/2 802.3ad: eno1 unknown, eno2 down",
        );
    }

    #[test]
    fn what_a_rule_finds_about_the_bond_is_named_by_the_rule() {
        let mut world = World::healthy();
        world.edit("pve-01", |report| {
            value(&mut report.bonds)[0].slaves[1].aggregator_id = Some(2);
        });
        check(
            &world,
            "pve-01",
            "bond0 2/2 802.3ad: bond-aggregators-differ",
        );
    }

    #[test]
    fn what_cannot_be_known_is_no_good_bond() {
        let mut world = World::healthy();
        world.edit("pve-01", |report| {
            report.bonds = Reading::Failed {
                why: "permission denied".to_owned(),
            };
        });
        check(&world, "pve-01", "unknown: permission denied");
        world.hearing("pve-02", Hearing::Silent);
        check(&world, "pve-02", "unknown: the node is not heard");
        world.now.mono_ms += limit_ms(Family::Bonds) + 1;
        check(&world, "pve-03", "unknown: told too long ago");
        world.edit("pve-04", |report| report.bonds = Reading::Absent);
        check(&world, "pve-04", "");
    }
}
