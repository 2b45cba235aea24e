//! What will be in force after the next boot: the network that waits for it, the names that network cards will get, the
//! kernel, and whether there is room left for it all.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::fact::hardware_address::HardwareAddress;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// `/etc/network/interfaces.new` is there: Proxmox VE puts it in force at the next boot.
    /// `None` where that could not be seen.
    pub network_pending: Option<bool>,
    /// All `.link` files in the order in which udev asks them: the first whose `[Match]` fits a card names it.
    pub link_files: Vec<LinkFile>,
    pub kernels: Kernels,
    /// `None`: not to be seen in a captured tree without `/proc/mounts`.
    pub file_systems: Option<Vec<FileSystem>>,
}

/// `systemd.link(5)`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFile {
    /// Below the root: `etc/systemd/network/10-eno1.link`.
    pub path: String,
    /// A file of the same name in a directory that comes before: this one is never read by udev.
    pub overridden_by: Option<String>,
    pub matches: LinkMatch,
    /// The name that the card gets, unless the policy finds one first.
    pub name: Option<String>,
    pub name_policy: Vec<String>,
    pub alternative_names: Vec<String>,
    pub alternative_names_policy: Vec<String>,
    pub mtu_bytes: Option<String>,
    pub mac_address_policy: Option<String>,
}

/// What a card must be like; each list is "one of these", and a list that is empty asks nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkMatch {
    pub mac_addresses: Vec<HardwareAddress>,
    pub permanent_mac_addresses: Vec<HardwareAddress>,
    /// Shell globs, `!` in front of the first turns the list round; so with the following.
    pub paths: Vec<String>,
    pub drivers: Vec<String>,
    pub types: Vec<String>,
    pub kinds: Vec<String>,
    /// The kernel's name, before anything renamed the card.
    pub original_names: Vec<String>,
    /// `Host`, `Virtualization`, `KernelCommandLine`, `Property` and whatever comes: as written.
    pub others: Vec<String>,
}

impl LinkMatch {
    /// systemd never applies a file that asks nothing of a card.
    pub fn asks_nothing(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernels {
    pub running: Option<String>,
    /// By the `vmlinuz` in `/boot`, newest last. `None` where it could not be listed.
    pub installed: Option<Vec<String>>,
    /// `proxmox-boot-tool kernel pin`: booted until it is unpinned.
    pub pinned: Option<String>,
    /// `proxmox-boot-tool kernel pin --next-boot`: booted once.
    pub pinned_once: Option<String>,
    /// `GRUB_DEFAULT`, where it is something else than the newest.
    pub grub_default: Option<String>,
    /// `next_entry` or `saved_entry` of grub's environment.
    pub grub_saved: Option<String>,
    /// A file that chooses among the kernels is there and could not be read: which one is booted next is not known.
    #[serde(default)]
    pub not_read: bool,
}

/// The kernel that the next boot brings, as far as the files tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextKernel {
    /// This one, because it is pinned for one boot.
    PinnedOnce(String),
    Pinned(String),
    /// grub was told an entry of its menu, which only grub can resolve.
    GrubEntry(String),
    Newest(String),
    Unknown,
}

impl Kernels {
    pub fn next(&self) -> NextKernel {
        if self.not_read {
            return NextKernel::Unknown;
        }
        if let Some(pinned) = &self.pinned_once {
            return NextKernel::PinnedOnce(pinned.clone());
        }
        if let Some(pinned) = &self.pinned {
            return NextKernel::Pinned(pinned.clone());
        }
        let entry = match self.grub_default.as_deref() {
            Some("saved") => self.grub_saved.as_ref(),
            _ => self.grub_default.as_ref(),
        };
        if let Some(entry) = entry {
            return NextKernel::GrubEntry(entry.clone());
        }
        let newest = self
            .installed
            .as_ref()
            .and_then(|installed| installed.last());
        newest.map_or(NextKernel::Unknown, |newest| {
            NextKernel::Newest(newest.clone())
        })
    }
}

impl NextKernel {
    /// Its version, where the files tell.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::PinnedOnce(version) | Self::Pinned(version) | Self::Newest(version) => {
                Some(version)
            }
            Self::GrubEntry(_) | Self::Unknown => None,
        }
    }
}

/// A file system that the node cannot boot, or log, without.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    pub mount_point: String,
    pub device: String,
    /// `ext4`, `zfs`, `vfat`.
    pub kind: String,
    /// Mounted so on purpose, or made so by the kernel after an error.
    pub read_only: bool,
    /// As `df` counts it, rounded up. `None` in a captured tree, as the following.
    pub used_percent: Option<u8>,
    pub used_inodes_percent: Option<u8>,
    pub size_mib: Option<u64>,
}

/// Orders versions as `sort -V` does: numbers by their value, all else by its letters.
pub fn by_version(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (words, rest) = split(one, |sign| !sign.is_ascii_digit());
        let (other_words, other_rest) = split(other, |sign| !sign.is_ascii_digit());
        let (number, rest) = split(rest, |sign| sign.is_ascii_digit());
        let (other_number, other_rest) = split(other_rest, |sign| sign.is_ascii_digit());
        let ordered = words
            .cmp(other_words)
            .then_with(|| by_value(number, other_number));
        if ordered != Ordering::Equal || (rest.is_empty() && other_rest.is_empty()) {
            return ordered.then_with(|| rest.cmp(other_rest));
        }
        (one, other) = (rest, other_rest);
    }
}

/// Of any length: a number in a name need not fit any integer.
fn by_value(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let at = text.find(|sign| !belongs(sign)).unwrap_or(text.len());
    text.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let mut versions = [
            "6.8.12-10-pve",
            "6.14.0-1-pve",
            "6.8.12-9-pve",
            "6.8.4-2-pve",
            "5.15.0",
        ];
        versions.sort_by(|one, other| by_version(one, other));
        assert_eq!(
            versions,
            [
                "5.15.0",
                "6.8.4-2-pve",
                "6.8.12-9-pve",
                "6.8.12-10-pve",
                "6.14.0-1-pve"
            ]
        );
        assert_eq!(by_version("6.8", "6.8"), Ordering::Equal);
        assert_eq!(by_version("6.8", "6.8-rc"), Ordering::Less);
    }

    #[test]
    fn a_pin_outweighs_grub_and_grub_outweighs_the_newest() {
        let mut kernels = Kernels {
            installed: Some(vec!["6.8.4-2-pve".to_owned(), "6.8.12-9-pve".to_owned()]),
            ..Kernels::default()
        };
        assert_eq!(kernels.next().version(), Some("6.8.12-9-pve"));
        kernels.grub_default = Some("saved".to_owned());
        assert_eq!(kernels.next().version(), Some("6.8.12-9-pve"));
        kernels.grub_saved = Some("1>2".to_owned());
        assert_eq!(kernels.next(), NextKernel::GrubEntry("1>2".to_owned()));
        kernels.pinned = Some("6.8.4-2-pve".to_owned());
        assert_eq!(kernels.next().version(), Some("6.8.4-2-pve"));
        kernels.pinned_once = Some("6.5".to_owned());
        assert_eq!(kernels.next(), NextKernel::PinnedOnce("6.5".to_owned()));
        assert_eq!(Kernels::default().next(), NextKernel::Unknown);
    }
}
