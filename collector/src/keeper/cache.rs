//! The latest report of each node as a file: a hint after a restart, for people, and never evidence.
//!
//! One file a node, written anew at most once a minute, renamed into place and not synced: what a power cut takes of
//! it, the agent tells again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use model::identity::ClusterId;
use model::name::NodeName;
use prost::Message as _;
use proto::v1;

use super::view::ClusterView;

/// A larger file is not one of ours.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// Between two copies of one cluster.
pub const COPY_EVERY: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("the copy {} of a report cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the copies of reports in {} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
}

/// The folder `reports/`.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
}

/// One node's copy.
#[derive(Debug, Clone, PartialEq)]
pub struct Copied {
    pub node: NodeName,
    pub copied: Timestamp,
    pub report: v1::Report,
}

impl Cache {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Writes the reports of all nodes that have one. Blocks: not for an async task.
    pub fn write(&self, view: &ClusterView) -> Result<(), CacheError> {
        let dir = self.dir.join(view.cluster.as_str());
        let failed = |path: &Path, source| CacheError::Write {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(&dir).map_err(|source| failed(&dir, source))?;
        for (name, node) in &view.nodes {
            if node.facts.is_empty() {
                continue;
            }
            let report = v1::Report {
                revision: 0,
                facts: node
                    .facts
                    .values()
                    .filter_map(|aged| aged.fact.to_wire())
                    .collect(),
            };
            // Node names hold no '/', and the suffix keeps "." and ".." away.
            let path = dir.join(format!("{name}.report"));
            let new = dir.join(format!("{name}.new"));
            fs::write(&new, report.encode_to_vec())
                .and_then(|()| fs::rename(&new, &path))
                .map_err(|source| failed(&path, source))?;
        }
        Ok(())
    }

    /// What was copied. A file that is not understood is left out: it is only a hint.
    pub fn read(&self, cluster: &ClusterId) -> Result<Vec<Copied>, CacheError> {
        let dir = self.dir.join(cluster.as_str());
        let failed = |source| CacheError::Read {
            path: dir.clone(),
            source,
        };
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            found.extend(copied(&entry.path()));
        }
        Ok(found)
    }
}

fn copied(path: &Path) -> Option<Copied> {
    let name = path.file_name()?.to_str()?.strip_suffix(".report")?;
    let about = fs::metadata(path).ok()?;
    if about.len() > MAX_FILE_BYTES {
        return None;
    }
    Some(Copied {
        node: NodeName::new(name).ok()?,
        copied: Timestamp::try_from(about.modified().ok()?).ok()?,
        report: v1::Report::decode(fs::read(path).ok()?.as_slice()).ok()?,
    })
}
