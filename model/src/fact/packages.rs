//! Versions of the packages that matter, and whether dpkg brought all of them to an end: dpkg's own list, or
//! `pveversion`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::word::words;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    pub running_kernel: Option<String>,
    /// The installed pve-manager.
    pub manager_version: Option<String>,
    /// The pve-manager that the tool was run from: it differs from the installed one in the middle of an upgrade.
    pub manager_running_version: Option<String>,
    /// The commit that the running one was built from.
    pub manager_commit: Option<String>,
    /// Packages with their versions: those that `pveversion` prints, or that `parse::dpkg_status` lists. Empty where only the
    /// short form of `pveversion` was asked.
    pub versions: BTreeMap<String, String>,
    /// `not correctly installed`: missing, or half configured.
    pub not_correctly_installed: BTreeSet<String>,
    /// `residual config`: removed, its configuration left behind.
    pub residual_config: BTreeSet<String>,
    /// Packages that an upgrade stopped halfway of: the node may not come up as it is. Of all packages, not only of those
    /// that matter. `None`: dpkg's list was not read.
    #[serde(default)]
    pub unsettled: Option<Vec<Unsettled>>,
    /// How many more there were than a report may hold.
    #[serde(default)]
    pub unsettled_not_kept: u32,
    /// Packages that matter, and that no upgrade may touch.
    #[serde(default)]
    pub on_hold: BTreeSet<String>,
    /// What stands in brackets behind a version or its absence, by package.
    pub notes: BTreeMap<String, String>,
}

/// A package between two states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsettled {
    pub package: String,
    pub version: Option<String>,
    pub state: DpkgState,
    /// It is broken so that only installing it anew helps.
    pub reinstall_required: bool,
}

words! {
    /// dpkg(1), "Package states".
    pub enum DpkgState {
        NotInstalled = "not-installed",
        ConfigFiles = "config-files",
        HalfInstalled = "half-installed",
        Unpacked = "unpacked",
        HalfConfigured = "half-configured",
        TriggersAwaited = "triggers-awaited",
        TriggersPending = "triggers-pending",
        Installed = "installed",
    }
}

impl DpkgState {
    /// Nothing is left to be done. Of a state that is not known nobody can say so.
    pub fn is_settled(&self) -> bool {
        matches!(
            self,
            Self::NotInstalled | Self::ConfigFiles | Self::Installed
        )
    }
}
