//! The numbers that rules compare with. The defaults need no tuning; what differs on a node or an interface is an
//! override.

use serde::{Deserialize, Serialize};

use crate::name::{IfaceName, NodeName};

/// Makes of one table the thresholds, their defaults, and what an override may name.
macro_rules! thresholds {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $default:expr;)+) => {
        /// Every threshold, with its unit in its name.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Thresholds {
            $($(#[$doc])* pub $name: $kind,)+
            #[serde(skip)]
            pub overrides: Vec<Override>,
        }

        impl Default for Thresholds {
            fn default() -> Self {
                Self { $($name: $default,)+ overrides: Vec::new() }
            }
        }

        impl Thresholds {
            /// What each is called in collector.toml.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($name)),+];

            /// False if there is no such threshold.
            pub fn set(&mut self, key: &str, value: u32) -> bool {
                match key {
                    $(stringify!($name) => self.$name = value,)+
                    _ => return false,
                }
                true
            }
        }

        /// Other thresholds for one node, or one interface of it; the last that fits holds.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Override {
            /// On all nodes if it is not named.
            pub node: Option<NodeName>,
            /// For all of the node if it is not named.
            pub interface: Option<IfaceName>,
            $(pub $name: Option<$kind>,)+
        }

        impl Override {
            /// Where it holds, and every threshold.
            pub const KEYS: &'static [&'static str] = &["node", "interface", $(stringify!($name)),+];

            /// False if there is no such threshold.
            pub fn set(&mut self, key: &str, value: u32) -> bool {
                match key {
                    $(stringify!($name) => self.$name = Some(value),)+
                    _ => return false,
                }
                true
            }

            /// It changes nothing.
            pub fn is_empty(&self) -> bool {
                true $(&& self.$name.is_none())+
            }
        }

        impl Tuned<'_> {
            $($(#[$doc])* pub fn $name(&self) -> $kind {
                let fits = self.fitting().filter_map(|row| row.$name).next_back();
                fits.unwrap_or(self.thresholds.$name)
            })+
        }
    };
}

thresholds! {
    /// How often a thing goes down or comes up within the window until it flaps.
    flaps: u32 = 6;
    flap_window_s: u32 = 600;
    /// The latency of a corosync link that is worth a warning.
    latency_warning_us: u32 = 2_000;
    latency_critical_us: u32 = 5_000;
    /// Messages that totem sends again within ten minutes.
    retransmits: u32 = 100;
    /// Damaged frames or carrier changes of a port within ten minutes.
    port_errors: u32 = 10;
    /// How long a network card that the kernel called hung is told of.
    nic_hang_window_s: u32 = 1_800;
    /// How long the cluster may take to form anew before the watchdogs are near.
    reforming_warning_ms: u32 = 25_000;
    clock_skew_ms: u32 = 1_000;
    certificate_days: u32 = 14;
    /// How long HA may be disarmed or a node in maintenance without a lease.
    maintenance_without_lease_s: u32 = 3_600;
}

/// The thresholds as they are for one node, or one interface of it.
#[derive(Debug, Clone, Copy)]
pub struct Tuned<'a> {
    thresholds: &'a Thresholds,
    node: &'a NodeName,
    interface: Option<&'a IfaceName>,
}

impl Thresholds {
    pub fn of<'a>(&'a self, node: &'a NodeName) -> Tuned<'a> {
        Tuned {
            thresholds: self,
            node,
            interface: None,
        }
    }
}

impl<'a> Tuned<'a> {
    #[must_use]
    pub fn interface(self, interface: &'a IfaceName) -> Self {
        Self {
            interface: Some(interface),
            ..self
        }
    }

    fn fitting(&self) -> impl DoubleEndedIterator<Item = &'a Override> {
        let (node, interface) = (self.node, self.interface);
        self.thresholds.overrides.iter().filter(move |row| {
            row.node.as_ref().is_none_or(|named| named == node)
                && row
                    .interface
                    .as_ref()
                    .is_none_or(|named| Some(named) == interface)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_override_that_fits_holds() {
        let (node, other) = (
            NodeName::new("pve-03").unwrap(),
            NodeName::new("pve-04").unwrap(),
        );
        let iface = IfaceName::new("eno1").unwrap();
        let rows = r#"[{"node": "pve-03", "flaps": 7}, {"node": "pve-03", "interface": "eno1", "flaps": 9}]"#;
        let thresholds = Thresholds {
            overrides: serde_json::from_str(rows).unwrap(),
            ..Thresholds::default()
        };
        assert_eq!(thresholds.of(&other).flaps(), 6);
        assert_eq!(thresholds.of(&node).flaps(), 7);
        assert_eq!(thresholds.of(&node).interface(&iface).flaps(), 9);
        assert_eq!(thresholds.of(&other).interface(&iface).flaps(), 6);
    }
}
