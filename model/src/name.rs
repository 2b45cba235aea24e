//! Names of things in a cluster, validated on construction, so that nothing else has to check them again.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error("{name:?} is not a node name: 1 to 63 letters, digits, '-', '_' or '.'")]
    Node { name: String },
    #[error("{name:?} is not an interface name: 1 to 15 bytes without '/' or blanks")]
    Iface { name: String },
    #[error("{id} is not a VLAN id: 1 to 4094")]
    Vlan { id: u64 },
    #[error(
        "{id:?} is not a node id: a whole number from 1 to 4294967295; of several, each is written out, as in 1,2,3"
    )]
    NodeId { id: String },
}

/// The name of a cluster node, as in corosync's nodelist and Proxmox VE's `.members`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

impl NodeName {
    /// Accepts what corosync accepts as a host name, dots included.
    pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
        let name = name.into();
        let fits = (1..=63).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if fits {
            Ok(Self(name))
        } else {
            Err(BadName::Node { name })
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A corosync node id: `1 <= id <= u32::MAX`. Zero is votequorum's own id for the qdevice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct NodeId(u32);

impl NodeId {
    pub fn new(id: u32) -> Result<Self, BadName> {
        if id == 0 {
            Err(BadName::NodeId { id: id.to_string() })
        } else {
            Ok(Self(id))
        }
    }

    pub fn get(self) -> u32 {
        self.0
    }
}

/// A network interface of the Linux kernel: at most 15 bytes (IFNAMSIZ less the final NUL).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IfaceName(String);

impl IfaceName {
    /// Follows the kernel's `dev_valid_name`: not empty, not "." or "..", no '/', ':' or white space.
    /// A colon is let through, because `ifupdown` writes alias interfaces as `eth0:1`.
    pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
        let name = name.into();
        let fits = (1..=15).contains(&name.len())
            && name != "."
            && name != ".."
            && !name
                .chars()
                .any(|letter| letter == '/' || letter.is_whitespace() || letter == '\0');
        if fits {
            Ok(Self(name))
        } else {
            Err(BadName::Iface { name })
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An 802.1Q VLAN id: `1 <= id <= 4094`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct VlanId(u16);

impl VlanId {
    pub fn new(id: u64) -> Result<Self, BadName> {
        match u16::try_from(id) {
            Ok(short) if (1..=4094).contains(&short) => Ok(Self(short)),
            _ => Err(BadName::Vlan { id }),
        }
    }

    pub fn get(self) -> u16 {
        self.0
    }
}

/// The number of a knet link (corosync 3) or a ring (corosync 2): 0 to 7.
pub type LinkNumber = u8;

macro_rules! text_name {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(name: String) -> Result<Self, BadName> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

macro_rules! number_name {
    ($name:ident, $wide:ty) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl TryFrom<$wide> for $name {
            type Error = BadName;

            fn try_from(id: $wide) -> Result<Self, BadName> {
                Self::new(id)
            }
        }

        impl From<$name> for $wide {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }
    };
}

text_name!(NodeName);
text_name!(IfaceName);
number_name!(NodeId, u32);
number_name!(VlanId, u64);

/// `pve-03`, `pve-03 and pve-04`, `pve-03, pve-04 and pve-05`
pub(crate) fn enumerated(names: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_name_is_what_the_kernel_would_take() {
        for name in ["eno1", "bond0.30", "vmbr0v30", "enp17s0f0np0", "eth0:1"] {
            assert!(IfaceName::new(name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "a/b", "has blank", "longer-than-fifteen"] {
            assert!(IfaceName::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_node_id_is_never_zero_because_zero_is_the_qdevice() {
        assert!(NodeId::new(0).is_err());
        assert_eq!(NodeId::new(1).unwrap().get(), 1);
    }

    #[test]
    fn vlan_ids_end_at_4094() {
        assert!(VlanId::new(0).is_err());
        assert!(VlanId::new(4095).is_err());
        assert!(VlanId::new(4094).is_ok());
    }

    #[test]
    fn a_bad_name_in_json_is_refused_by_name() {
        let refused = serde_json::from_str::<NodeName>("\"pve 3\"").unwrap_err();
        assert!(
            refused.to_string().contains("\"pve 3\" is not a node name"),
            "{refused}"
        );
    }
}
