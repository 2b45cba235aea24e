//! What a rule finds: one finished sentence with its numbers, about one subject, with what it rests on.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::cluster::Recall;
use crate::lease::{NEVER_PLANNED, RULES};
use crate::name::{IfaceName, LinkNumber, NodeName};
use crate::report::Family;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nobody is called.
    Info,
    /// Something is worse than it should be; nothing has stopped.
    Warning,
    /// Guests, quorum or a node are lost, or the next failure loses them.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// A thing of the cluster that findings are about, and that a cause can take with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    Cluster,
    Node(NodeName),
    /// A network interface of any kind: port, bond, bridge, VLAN.
    Iface(NodeName, IfaceName),
    /// One VLAN on one interface, as a bridge or its port carries it.
    Vlan(NodeName, IfaceName, u16),
    /// A corosync network: link N of all nodes.
    Network(LinkNumber),
    /// What `from` sees of `to` over one corosync link.
    Knet {
        from: NodeName,
        to: NodeName,
        link: LinkNumber,
    },
    /// By its identity: declared name, LLDP chassis or LACP system.
    Switch(String),
    Qdevice,
    /// The votes that may still be lost.
    Margin,
    /// A service of the HA manager: `vm:100`.
    Service(String),
    /// A guest by its number.
    Guest(u32),
    /// An OSD, monitor or other daemon of Ceph, `osd.3`, or one of its complaints: `OSD_DOWN`.
    Ceph(String),
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("the cluster"),
            Self::Node(node) => write!(f, "{node}"),
            Self::Iface(node, iface) => write!(f, "{node}/{iface}"),
            Self::Vlan(node, iface, vlan) => write!(f, "{node}/{iface} VLAN {vlan}"),
            Self::Network(link) => write!(f, "corosync network {link}"),
            Self::Knet { from, to, link } => write!(f, "{from} to {to} over link {link}"),
            Self::Switch(name) => write!(f, "switch {name}"),
            Self::Qdevice => f.write_str("qdevice"),
            Self::Margin => f.write_str("the margin of votes"),
            Self::Service(service) => f.write_str(service),
            Self::Guest(number) => write!(f, "guest {number}"),
            Self::Ceph(daemon) => f.write_str(daemon),
        }
    }
}

impl Thing {
    /// Whether losing `self` loses `other` with it.
    pub fn holds(&self, other: &Self) -> bool {
        if self == other || *self == Self::Cluster {
            return true;
        }
        match (self, other) {
            (Self::Node(node), Self::Iface(of, _) | Self::Vlan(of, _, _)) => node == of,
            (Self::Node(node), Self::Knet { from, to, .. }) => node == from || node == to,
            (Self::Network(network), Self::Knet { link, .. }) => network == link,
            (Self::Iface(node, iface), Self::Vlan(of, on, _)) => (node, iface) == (of, on),
            _ => false,
        }
    }
}

/// One reading that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    pub node: NodeName,
    pub family: Family,
    /// What was read there, in few words: `eno2: MII status down`. A line of the journal as it stands there.
    pub words: String,
}

/// Of a rule that there is. An alias, because serde would borrow a plain `&'static str` from what it reads.
pub type RuleName = &'static str;

/// What one rule says of one subject now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its page is `docs/rules/RULE.md`.
    #[serde(deserialize_with = "name_of_a_rule")]
    pub rule: RuleName,
    pub severity: Severity,
    /// With the rule, its identity: it stays the same as long as the thing is the same, whatever the numbers are.
    pub subject: Thing,
    /// Finished, with its numbers.
    pub sentence: String,
    pub evidence: Vec<Evidence>,
    /// The things that are lost or impaired; a cause that takes all of them hides this finding.
    pub symptoms: BTreeSet<Thing>,
    /// The things that are lost because of this one.
    pub takes: BTreeSet<Thing>,
    /// What to do.
    pub remedy: String,
    /// How to undo it; empty where the remedy changes nothing.
    pub way_back: String,
    /// It is worth telling only once it has been found for so long without a break: what is on its way to another state
    /// is neither.
    pub settles_ms: u64,
    /// To be over it is enough that anything of what it rests on is read again. Otherwise all of it must be.
    pub is_over_by_any: bool,
    /// What of the nodes' past it was compared with.
    pub recalls: BTreeSet<(NodeName, Recall)>,
}

/// Nodes do not tell of one thing at the same moment, and a fault grows: a link is missed by one node before the other,
/// and by one pair before the next.
pub const SETTLES_MS: u64 = 3_000;

impl Finding {
    /// A rule gives its name when it hands the finding out.
    pub fn new(severity: Severity, subject: Thing, sentence: String) -> Self {
        Self {
            rule: "",
            severity,
            symptoms: BTreeSet::from([subject.clone()]),
            subject,
            sentence,
            evidence: Vec::new(),
            takes: BTreeSet::new(),
            remedy: String::new(),
            way_back: String::new(),
            settles_ms: SETTLES_MS,
            is_over_by_any: false,
            recalls: BTreeSet::new(),
        }
    }

    /// In place of [`SETTLES_MS`].
    #[must_use]
    pub fn settles_in(mut self, settles_ms: u64) -> Self {
        self.settles_ms = settles_ms;
        self
    }

    #[must_use]
    pub fn recalls(mut self, node: &NodeName, recall: Recall) -> Self {
        self.recalls.insert((node.clone(), recall));
        self
    }

    #[must_use]
    pub fn is_over_by_any(mut self) -> Self {
        self.is_over_by_any = true;
        self
    }

    #[must_use]
    pub fn seen_in(mut self, node: &NodeName, family: Family, words: impl Into<String>) -> Self {
        self.evidence.push(Evidence {
            node: node.clone(),
            family,
            words: words.into(),
        });
        self
    }

    /// In place of the subject: what is lost or impaired.
    #[must_use]
    pub fn is_loss_of(mut self, things: impl IntoIterator<Item = Thing>) -> Self {
        self.symptoms = things.into_iter().collect();
        self
    }

    #[must_use]
    pub fn takes(mut self, things: impl IntoIterator<Item = Thing>) -> Self {
        self.takes.extend(things);
        self
    }

    #[must_use]
    pub fn remedy(mut self, what_to_do: impl Into<String>) -> Self {
        self.remedy = what_to_do.into();
        self
    }

    #[must_use]
    pub fn way_back(mut self, how: impl Into<String>) -> Self {
        self.way_back = how.into();
        self
    }

    /// Whether this one is why `other` is there: it takes all that `other` is the loss of, and more than it.
    pub fn explains(&self, other: &Self) -> bool {
        let is_taken = |thing| self.takes.iter().any(|taken| taken.holds(thing));
        self.key() != other.key()
            && !self.spares(other)
            && !other.symptoms.is_empty()
            && other.symptoms.iter().all(is_taken)
            && !other.takes_all_of(self)
    }

    /// Whether it is a plan that does not cover this, whatever it takes.
    pub fn spares(&self, other: &Self) -> bool {
        RULES.contains(&self.rule) && NEVER_PLANNED.contains(&other.rule)
    }

    /// What is the loss of nothing (somebody shuts a node down) is taken by nothing.
    fn takes_all_of(&self, other: &Self) -> bool {
        let holds_all = |taken: &Thing| other.symptoms.iter().all(|thing| taken.holds(thing));
        !other.symptoms.is_empty() && self.takes.iter().any(holds_all)
    }

    pub fn key(&self) -> (&'static str, &Thing) {
        (self.rule, &self.subject)
    }
}

/// A rule that this version does not have found nothing that it can weigh.
fn name_of_a_rule<'de, D: Deserializer<'de>>(json: D) -> Result<&'static str, D::Error> {
    let name = String::deserialize(json)?;
    let rule = crate::rule::named(&name).map(|rule| rule.name);
    rule.ok_or_else(|| D::Error::custom(format!("this version has no rule {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    fn iface(of: &str, name: &str) -> Thing {
        Thing::Iface(node(of), IfaceName::new(name).unwrap())
    }

    fn finding(subject: Thing) -> Finding {
        Finding::new(Severity::Warning, subject, String::new())
    }

    #[test]
    fn a_cause_explains_what_it_takes_and_not_itself() {
        let ports = [iface("pve-01", "eno1"), iface("pve-02", "eno1")];
        let switch = finding(Thing::Switch("a".to_owned())).takes(ports.clone());
        let bond = finding(iface("pve-01", "bond0")).is_loss_of([ports[0].clone()]);
        let other = finding(iface("pve-01", "bond1")).is_loss_of([iface("pve-01", "eno9")]);
        assert!(switch.explains(&bond));
        assert!(!switch.explains(&other));
        assert!(!bond.explains(&switch));
        assert!(!switch.explains(&switch));
    }

    #[test]
    fn a_node_takes_its_interfaces_and_the_links_to_it() {
        let down = finding(Thing::Node(node("pve-04"))).takes([Thing::Node(node("pve-04"))]);
        let link = LinkNumber::try_from(0).unwrap();
        let knet = |from, to| Thing::Knet {
            from: node(from),
            to: node(to),
            link,
        };
        assert!(down.explains(&finding(knet("pve-01", "pve-04"))));
        assert!(!down.explains(&finding(knet("pve-01", "pve-02"))));
    }

    #[test]
    fn two_causes_that_take_each_other_hide_neither() {
        let one = finding(iface("pve-01", "bond0")).takes([iface("pve-01", "eno1")]);
        let other = finding(iface("pve-01", "eno1")).takes([iface("pve-01", "bond0")]);
        assert!(!one.explains(&other));
        assert!(!other.explains(&one));
    }
}
