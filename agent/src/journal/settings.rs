//! Which journal is followed, and where its files lie.

use std::path::{Path, PathBuf};

/// How many directories of one journal are watched.
const MAX_DIRS: usize = 16;
const MACHINE_ID_CHARS: usize = 32;

/// `journal.directory` and `journal.namespace` of the configuration. With neither it is the system's own journal; with
/// a directory the namespace has no meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) directory: Option<PathBuf>,
    pub(crate) namespace: Option<String>,
}

impl Settings {
    /// What `journalctl` is told about it.
    pub(super) fn args(&self) -> Vec<String> {
        match (&self.directory, &self.namespace) {
            (Some(directory), _) => vec![format!("--directory={}", directory.display())],
            (None, Some(namespace)) => vec![format!("--namespace={namespace}")],
            (None, None) => Vec::new(),
        }
    }

    /// The directories in which its files may lie. Which of them are there can change at any time: a journal begins
    /// in `/run` and moves to `/var`.
    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        if let Some(directory) = &self.directory {
            let mut dirs = vec![directory.clone()];
            dirs.extend(machines_below(directory));
            dirs.truncate(MAX_DIRS);
            return dirs;
        }
        let Ok(machine) = std::fs::read_to_string("/etc/machine-id") else {
            return Vec::new();
        };
        let mut name = machine.trim().to_owned();
        if let Some(namespace) = &self.namespace {
            name = format!("{name}.{namespace}");
        }
        let places = ["/var/log/journal", "/run/log/journal"];
        places.map(|place| Path::new(place).join(&name)).into()
    }
}

/// journalctl looks into the directories that are called like a machine, too.
fn machines_below(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let is_machine = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let id = name.split('.').next().unwrap_or_default();
        id.len() == MACHINE_ID_CHARS && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(is_machine).collect()
}
