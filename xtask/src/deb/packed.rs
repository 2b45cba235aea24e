//! The finished packages.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

/// What a package may weigh, in bytes.
const LIMITS: [(&str, u64); 3] = [
    ("quorate-agent", 4_000_000),
    ("quorate-collector", 10_000_000),
    ("quorate", 10_000_000),
];

#[derive(Debug)]
pub(super) struct Packed {
    pub(super) path: PathBuf,
    name: &'static str,
    bytes: u64,
    limit: u64,
}

/// Takes the packages out of the folder that dpkg left them in; what an earlier build left there goes.
pub(super) fn take(from: &Path, to: &Path) -> Result<Vec<Packed>> {
    for path in packages(to)? {
        fs::remove_file(path)?;
    }
    let mut packed = Vec::new();
    for path in packages(from)? {
        let file = path.file_name().context("a package has no name")?;
        let to = to.join(file);
        fs::rename(&path, &to)?;
        packed.push(Packed::of(to)?);
    }
    ensure!(packed.len() == LIMITS.len(), "dpkg made {packed:?}");
    Ok(packed)
}

pub(super) fn packages(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    paths.sort();
    Ok(paths)
}

impl Packed {
    fn of(path: PathBuf) -> Result<Self> {
        let file = path.file_name().and_then(|name| name.to_str());
        let name = file.and_then(|file| file.split('_').next());
        let row = LIMITS.iter().find(|(known, _)| Some(*known) == name);
        let Some((name, limit)) = row else {
            bail!("{} is no package of ours", path.display());
        };
        let bytes = fs::metadata(&path)?.len();
        Ok(Self {
            path,
            name,
            bytes,
            limit: *limit,
        })
    }

    pub(super) fn check_size(&self) -> Result<()> {
        ensure!(self.bytes <= self.limit, "too large: {self}");
        Ok(())
    }
}

impl fmt::Display for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:.2} MB (limit {} MB), {}",
            self.name,
            self.bytes as f64 / 1e6,
            self.limit / 1_000_000,
            self.path.display()
        )
    }
}

/// Are they the same, byte for byte?
pub(super) fn compare(one: &[Packed], other: &[Packed]) -> Result<String> {
    for (one, other) in one.iter().zip(other) {
        let is_same = fs::read(&one.path)? == fs::read(&other.path)?;
        ensure!(
            is_same,
            "{} and {} differ: diffoscope shows where",
            one.path.display(),
            other.path.display()
        );
    }
    Ok("built twice, in two folders: the same bytes".to_owned())
}
