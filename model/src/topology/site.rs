//! What no node can tell: what the operator declares of his site, and which machine the collector runs on.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::PortPattern;
use crate::fact::hardware_address::HardwareAddress;
use crate::name::{IfaceName, NodeName};

/// `[[switch]]` and `[[dependency]]` of collector.toml, and the collector's machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Site {
    #[serde(rename = "switch")]
    pub switches: Vec<DeclaredSwitch>,
    #[serde(rename = "dependency")]
    pub dependencies: Vec<Dependency>,
    pub machine: Machine,
}

/// What the collector sees of the machine, the container or the guest that it runs in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Machine {
    pub boot_id: Option<String>,
    pub hardware_addresses: BTreeSet<HardwareAddress>,
}

/// A switch by a name of the operator's, with the ports of nodes that are plugged into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredSwitch {
    pub name: String,
    pub ports: Vec<PortPattern>,
}

/// Where something runs that the cluster leans on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    pub service: Service,
    pub on: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    Qdevice,
    Collector,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qdevice => "qdevice",
            Self::Collector => "collector",
        })
    }
}

/// `"external"`, `"guest 105"`, or the name of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// Nothing of the cluster takes it along.
    External,
    /// On this node, or in a guest of it.
    Node(NodeName),
    /// In this guest, on whichever node it runs.
    Guest(u32),
}

impl TryFrom<String> for Place {
    type Error = crate::name::BadName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "external" {
            Ok(Self::External)
        } else if let Some(id) = text.strip_prefix("guest ").and_then(|id| id.parse().ok()) {
            Ok(Self::Guest(id))
        } else {
            NodeName::new(text).map(Self::Node)
        }
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        match place {
            Place::External => "external".to_owned(),
            Place::Node(node) => node.into(),
            Place::Guest(id) => format!("guest {id}"),
        }
    }
}

impl Site {
    /// The first whose patterns fit.
    pub fn switch_of(&self, node: &NodeName, iface: &IfaceName) -> Option<&DeclaredSwitch> {
        self.switches_of(node, iface).next()
    }

    pub(super) fn switches_of(
        &self,
        node: &NodeName,
        iface: &IfaceName,
    ) -> impl Iterator<Item = &DeclaredSwitch> {
        let fits = |switch: &&DeclaredSwitch| switch.ports.iter().any(|it| it.fits(node, iface));
        self.switches.iter().filter(fits)
    }

    /// `None`: nobody declared it.
    pub fn place_of(&self, service: Service) -> Option<&Place> {
        let rows = self.dependencies.iter();
        rows.filter(|row| row.service == service)
            .map(|row| &row.on)
            .next_back()
    }
}
