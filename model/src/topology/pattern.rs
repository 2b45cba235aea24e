//! Which ports a declaration means: `pve-0[1-8]/eno1`, `*/enp65s0f?`.
//!
//! Two patterns, of a node and of an interface, with `/` between them; no sign in them reaches over the `/`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{IfaceName, NodeName};
use crate::pattern::{self, MAX_LETTERS, Pattern};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    #[error("{text:?} names no port: write NODE/INTERFACE, as in pve-0[1-8]/eno1")]
    NoPort { text: String },
    #[error(transparent)]
    Pattern(#[from] pattern::BadPattern),
}

/// A pattern that ports match or do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortPattern {
    node: Pattern,
    iface: Pattern,
}

impl PortPattern {
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        if text.chars().count() > MAX_LETTERS {
            return Err(pattern::BadPattern::TooLong.into());
        }
        let no_port = || BadPattern::NoPort {
            text: text.to_owned(),
        };
        let (node, iface) = text.split_once('/').ok_or_else(no_port)?;
        if node.is_empty() || iface.is_empty() || iface.contains('/') {
            return Err(no_port());
        }
        Ok(Self {
            node: Pattern::new(node)?,
            iface: Pattern::new(iface)?,
        })
    }

    pub fn fits(&self, node: &NodeName, iface: &IfaceName) -> bool {
        self.node.fits(node.as_str()) && self.iface.fits(iface.as_str())
    }
}

impl fmt::Display for PortPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.iface)
    }
}

impl TryFrom<String> for PortPattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        Self::new(&text)
    }
}

impl From<PortPattern> for String {
    fn from(pattern: PortPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{iface, name};

    #[track_caller]
    fn check(pattern: &str, fitting: &[(&str, &str)], others: &[(&str, &str)]) {
        let pattern = PortPattern::new(pattern).unwrap();
        for (node, port) in fitting {
            assert!(pattern.fits(&name(node), &iface(port)), "{node}/{port}");
        }
        for (node, port) in others {
            assert!(!pattern.fits(&name(node), &iface(port)), "{node}/{port}");
        }
    }

    #[test]
    fn ports_match_by_letters_sets_and_stars() {
        check(
            "pve-0[1-8]/eno1",
            &[("pve-01", "eno1"), ("pve-08", "eno1")],
            &[("pve-09", "eno1"), ("pve-01", "eno12"), ("pve-1", "eno1")],
        );
        check(
            "*/en*f?",
            &[("a", "enp65s0f0"), ("b.c", "enf1")],
            &[("a", "enp65s0f")],
        );
        check(
            "pve-[ac5-]/e",
            &[("pve-a", "e"), ("pve-5", "e"), ("pve--", "e")],
            &[("pve-b", "e")],
        );
        check("**a*/x", &[("banana", "x")], &[("bnn", "x")]);
    }

    #[test]
    fn what_names_no_port_is_refused() {
        for bad in [
            "pve-01",
            "/eno1",
            "pve-01/",
            "a/b/c",
            "pve-[1/eno1",
            "pve-[]/eno1",
        ] {
            assert!(PortPattern::new(bad).is_err(), "{bad}");
        }
        assert!(PortPattern::new(&"a".repeat(300)).is_err());
    }
}
