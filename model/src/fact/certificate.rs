//! The certificates that a Proxmox VE node shows to others, and what the cluster's own authority calls the cluster.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One certificate. Its key is never looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The file's name: `pve-root-ca.pem`, `pve-ssl.pem`, `pveproxy-ssl.pem`.
    pub name: String,
    /// As RFC 2253 writes it: `O=…,OU=…,CN=…`.
    pub subject: Option<String>,
    /// The unit (OU) of the subject. That of the cluster's authority is a UUID made when the cluster was, the same on all
    /// its nodes and in no other cluster.
    pub unit: Option<String>,
    pub expires: Option<Timestamp>,
}
