//! Versions of the packages that matter: `pveversion`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    pub running_kernel: Option<String>,
    /// The installed pve-manager.
    pub manager_version: Option<String>,
    /// The pve-manager that the tool was run from: it differs from the installed one in the middle of an upgrade.
    pub manager_running_version: Option<String>,
    /// The commit that the running one was built from.
    pub manager_commit: Option<String>,
    /// Every package with its version. Empty where only the short form was asked.
    pub versions: BTreeMap<String, String>,
    /// `not correctly installed`: missing, or half configured.
    pub not_correctly_installed: BTreeSet<String>,
    /// `residual config`: removed, its configuration left behind.
    pub residual_config: BTreeSet<String>,
    /// What stands in brackets behind a version or its absence, by package.
    pub notes: BTreeMap<String, String>,
}
