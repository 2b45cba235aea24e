//! Who is who: the id of a cluster, and the name that a certificate carries.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{BadName, NodeName};

const SCHEME: &str = "quorate://";
/// In place of a cluster: whoever it is, is it for every cluster of the collector.
const EVERYWHERE: &str = "all";
const DIGEST_PREFIX: &str = "sha256-";
const DIGEST_DIGITS: usize = 64;
/// Where a UUID has its dashes.
const DASHES: [usize; 4] = [8, 13, 18, 23];
const UUID_LETTERS: usize = 36;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadIdentity {
    #[error(
        "{text:?} is not the id of a cluster: a UUID in small letters, or sha256- and 64 hex digits"
    )]
    Cluster { text: String },
    #[error("{text:?} is not quorate://CLUSTER/ROLE/NAME")]
    Shape { text: String },
    #[error("{role:?} is not a role: node, operator or viewer")]
    Role { role: String },
    #[error("a node belongs to one cluster, not to all")]
    NodeOfAll,
    #[error(transparent)]
    Name(#[from] BadName),
}

/// What a cluster is known by: many clusters have the same name.
///
/// The UUID in the subject of Proxmox VE's own CA, else `sha256-` and the digest of that CA's public key; without
/// Proxmox VE a UUID minted at the first join.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterId(String);

impl ClusterId {
    pub fn new(text: impl Into<String>) -> Result<Self, BadIdentity> {
        let text = text.into();
        let fits = match text.strip_prefix(DIGEST_PREFIX) {
            Some(digest) => digest.len() == DIGEST_DIGITS && digest.bytes().all(is_small_hex),
            None => is_uuid(&text),
        };
        if fits {
            Ok(Self(text))
        } else {
            Err(BadIdentity::Cluster { text })
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for ClusterId {
    type Error = BadIdentity;

    fn try_from(text: String) -> Result<Self, BadIdentity> {
        Self::new(text)
    }
}

impl From<ClusterId> for String {
    fn from(id: ClusterId) -> Self {
        id.0
    }
}

/// A UUID of the kind that this project writes: 8-4-4-4-12 small hex digits.
pub fn is_uuid(text: &str) -> bool {
    text.len() == UUID_LETTERS
        && text.bytes().enumerate().all(|(at, byte)| {
            if DASHES.contains(&at) {
                byte == b'-'
            } else {
                is_small_hex(byte)
            }
        })
}

fn is_small_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// The kind of certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The agent of one node.
    Node,
    /// A person who may change things.
    Operator,
    /// A person or program that may look.
    Viewer,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }

    fn from_word(word: &str) -> Result<Self, BadIdentity> {
        [Self::Node, Self::Operator, Self::Viewer]
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| BadIdentity::Role {
                role: word.to_owned(),
            })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who speaks, as its certificate's URI name says: `quorate://CLUSTER/ROLE/NAME`, with `all` in place of the cluster
/// for a person who is welcome in every one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identity {
    /// `None`: every cluster of the collector. Never so for a node.
    cluster: Option<ClusterId>,
    role: Role,
    name: NodeName,
}

impl Identity {
    pub fn node(cluster: ClusterId, name: NodeName) -> Self {
        Self {
            cluster: Some(cluster),
            role: Role::Node,
            name,
        }
    }

    /// A person or a program; its name follows the rules of node names.
    pub fn person(
        cluster: Option<ClusterId>,
        role: Role,
        name: NodeName,
    ) -> Result<Self, BadIdentity> {
        if role == Role::Node && cluster.is_none() {
            return Err(BadIdentity::NodeOfAll);
        }
        Ok(Self {
            cluster,
            role,
            name,
        })
    }

    pub fn cluster(&self) -> Option<&ClusterId> {
        self.cluster.as_ref()
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// Whether it may see this cluster at all.
    pub fn belongs_to(&self, cluster: &ClusterId) -> bool {
        self.cluster.as_ref().is_none_or(|own| own == cluster)
    }

    pub fn parse(text: &str) -> Result<Self, BadIdentity> {
        let shape = || BadIdentity::Shape {
            text: text.to_owned(),
        };
        let rest = text.strip_prefix(SCHEME).ok_or_else(shape)?;
        let mut parts = rest.split('/');
        let (Some(cluster), Some(role), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(shape());
        };
        let cluster = match cluster {
            EVERYWHERE => None,
            id => Some(ClusterId::new(id)?),
        };
        Self::person(cluster, Role::from_word(role)?, NodeName::new(name)?)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cluster = self.cluster.as_ref().map_or(EVERYWHERE, ClusterId::as_str);
        write!(f, "{SCHEME}{cluster}/{}/{}", self.role, self.name)
    }
}

impl TryFrom<String> for Identity {
    type Error = BadIdentity;

    fn try_from(text: String) -> Result<Self, BadIdentity> {
        Self::parse(&text)
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";

    #[track_caller]
    fn check(text: &str) {
        assert_eq!(Identity::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn what_is_written_is_read_again() {
        check(&format!("quorate://{UUID}/node/pve-03"));
        check(&format!("quorate://{UUID}/viewer/grafana"));
        check("quorate://all/operator/anna");
        check(&format!("quorate://sha256-{}/node/pve-03", "0f".repeat(32)));
    }

    #[track_caller]
    fn refuse(text: &str, why: &str) {
        assert_eq!(Identity::parse(text).unwrap_err().to_string(), why);
    }

    #[test]
    fn what_is_no_identity_is_refused_by_name() {
        refuse(
            "https://all/operator/anna",
            "\"https://all/operator/anna\" is not quorate://CLUSTER/ROLE/NAME",
        );
        refuse(
            "quorate://all/operator/anna/x",
            "\"quorate://all/operator/anna/x\" is not quorate://CLUSTER/ROLE/NAME",
        );
        refuse(
            "quorate://all/node/pve-03",
            "a node belongs to one cluster, not to all",
        );
        refuse(
            "quorate://all/root/anna",
            "\"root\" is not a role: node, operator or viewer",
        );
        refuse(
            "quorate://all/operator/",
            "\"\" is not a node name: 1 to 63 letters, digits, '-', '_' or '.'",
        );
    }

    #[test]
    fn an_id_in_capitals_or_cut_short_is_none() {
        assert!(ClusterId::new(UUID.to_uppercase()).is_err());
        assert!(ClusterId::new(&UUID[1..]).is_err());
        assert!(ClusterId::new("sha256-00").is_err());
    }
}
