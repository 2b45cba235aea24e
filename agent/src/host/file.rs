//! Files and directories: what is read is bounded, is a file, and lies below the root; what is written appears whole.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use super::HostError;
use jiff::Timestamp;

/// The largest text that is taken into memory; a larger one is refused by name.
pub(super) const MAX_TEXT_BYTES: u64 = 32 << 20;
/// What systemd's files are linked to when they are masked.
const NOTHING: &str = "/dev/null";
/// As in the kernel (MAXSYMLINKS).
const MAX_LINKS: usize = 40;

/// Where a path below the root lies. In a captured tree a symbolic link is followed as it would be on its own node:
/// an absolute one begins at the root of the tree, and none leads out of it. One that leads to nothing is an error: what
/// it stands for was there on the node, and was not captured. `/dev/null` is the same everywhere.
pub(super) fn locate(root: &Path, path: &str) -> Result<PathBuf, HostError> {
    let failed = |why: String| HostError::Read {
        path: root.join(path),
        source: io::Error::other(why),
    };
    let mut last_target = None;
    let mut found = root.to_owned();
    let mut depth = 0_usize;
    let mut links = 0;
    let mut ahead: Vec<PathBuf> = parts(Path::new(path));
    while let Some(part) = ahead.pop() {
        match part.components().next() {
            Some(Component::RootDir) => {
                found = root.to_owned();
                depth = 0;
                continue;
            }
            Some(Component::ParentDir) => {
                if depth > 0 {
                    found.pop();
                    depth -= 1;
                }
                continue;
            }
            Some(Component::Normal(name)) => found.push(name),
            Some(Component::CurDir | Component::Prefix(_)) | None => continue,
        }
        match fs::read_link(&found) {
            Ok(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(failed("it leads in a circle of symbolic links".to_owned()));
                }
                found.pop();
                ahead.extend(parts(&target));
                last_target = Some(target);
            }
            // Not a link, or not there: which of the two, whoever opens it will see.
            Err(_) => depth += 1,
        }
    }
    match last_target {
        Some(target) if target == Path::new(NOTHING) => Ok(target),
        Some(target) if fs::symlink_metadata(&found).is_err_and(|error| is_absence(&error)) => {
            let target = target.display();
            Err(failed(format!(
                "it is a symbolic link to {target}, which is not in the captured tree"
            )))
        }
        _ => Ok(found),
    }
}

/// The components of a path, the first one last.
fn parts(path: &Path) -> Vec<PathBuf> {
    let mut parts: Vec<PathBuf> = path
        .components()
        .map(|part| PathBuf::from(part.as_os_str()))
        .collect();
    parts.reverse();
    parts
}

/// Opens a file; `None` if there is none. Whatever else it is (a directory, a pipe that nobody writes to, a device)
/// is an error: opening it could wait for ever.
pub(super) fn open(path: &Path) -> Result<Option<File>, HostError> {
    let failed = |source| HostError::Read {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path) {
        Ok(about) if about.is_file() => {}
        Ok(about) => {
            let what = if about.is_dir() {
                "it is a directory"
            } else {
                "it is not a regular file"
            };
            return Err(failed(io::Error::other(what)));
        }
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    Leave,
    Write(Vec<u8>),
    Remove,
}

/// Does to a file what `edit` says of its text. The directory it lies in is made if need be, and no other one: where the
/// one above is missing, what should be mounted is not.
pub(super) fn edit<T>(
    path: &Path,
    edit: impl FnOnce(Option<&str>) -> (Edit, T),
) -> Result<T, HostError> {
    let text = read(path)?.map(into_text);
    let (what, told) = edit(text.as_deref());
    let done = match what {
        Edit::Leave => Ok(()),
        Edit::Write(bytes) => replace(path, &bytes),
        Edit::Remove => match fs::remove_file(path) {
            Err(error) if !is_absence(&error) => Err(error),
            _ => Ok(()),
        },
    };
    done.map_err(|source| HostError::Write {
        path: path.to_owned(),
        source,
    })?;
    Ok(told)
}

/// As pmxcfs lets it be done: create, write, rename; it knows no links, no O_TMPFILE, and no mode but 0600 here.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent()
        && !dir.is_dir()
    {
        fs::DirBuilder::new().mode(0o700).create(dir)?;
    }
    let new = path.with_extension("new");
    let mut open = File::options();
    open.write(true).create(true).truncate(true).mode(0o600);
    let written = open.open(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&new, path));
    if moved.is_err() {
        // What is half written is in nobody's way, and is written over the next time.
        let _ = fs::remove_file(&new);
    }
    moved
}

pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, HostError> {
    if fs::canonicalize(path).is_ok_and(|real| real == Path::new(NOTHING)) {
        return Ok(Some(Vec::new()));
    }
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(MAX_TEXT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| HostError::Read {
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        return Err(HostError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(Some(bytes))
}

/// The end of a file of any size, and whether something stands before it.
pub(super) fn read_end(path: &Path, max_bytes: u64) -> Result<Option<(Vec<u8>, bool)>, HostError> {
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    let mut read = || {
        let from = file.metadata()?.len().saturating_sub(max_bytes);
        file.seek(SeekFrom::Start(from))?;
        (&mut file).take(max_bytes).read_to_end(&mut bytes)?;
        Ok(from > 0)
    };
    let cut = read().map_err(|source| HostError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(Some((bytes, cut)))
}

/// The names in a directory in order; `None` if there is no such directory.
pub(super) fn list(path: &Path) -> Result<Option<Vec<String>>, HostError> {
    let failed = |source| HostError::Read {
        path: path.to_owned(),
        source,
    };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(Some(names))
}

/// When a file was last written to; `None` if there is none.
pub(super) fn written_at(path: &Path) -> Result<Option<Timestamp>, HostError> {
    let failed = |source| HostError::Read {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path).and_then(|about| about.modified()) {
        Ok(at) => match Timestamp::try_from(at) {
            Ok(at) => Ok(Some(at)),
            Err(error) => Err(failed(io::Error::other(error))),
        },
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Of what a file system holds, as statvfs(3) counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) size_bytes: u64,
    /// As `df` counts it, rounded up: of what is used and what is left to users other than root.
    pub(crate) used_percent: Option<u8>,
    /// `None`: it makes inodes as it needs them.
    pub(crate) used_inodes_percent: Option<u8>,
}

pub(super) fn room(mount_point: &Path) -> Result<Room, HostError> {
    let held = nix::sys::statvfs::statvfs(mount_point).map_err(|errno| HostError::Read {
        path: mount_point.to_owned(),
        source: errno.into(),
    })?;
    let used = held.blocks().saturating_sub(held.blocks_free());
    let used_inodes = held.files().saturating_sub(held.files_free());
    Ok(Room {
        size_bytes: held.blocks().saturating_mul(held.fragment_size()),
        used_percent: percent(used, held.blocks_available()),
        used_inodes_percent: percent(used_inodes, held.files_available()),
    })
}

/// The share of the one in both, rounded up; `None` if both are nothing.
fn percent(used: u64, left: u64) -> Option<u8> {
    let all = u128::from(used) + u128::from(left);
    let share = (u128::from(used) * 100).checked_add(all.checked_sub(1)?)?;
    u8::try_from(share / all).ok()
}

/// Not there, or not even a place where it could be.
pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Bytes that are not UTF-8 are replaced: interface aliases and switch names can hold anything.
pub(super) fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_of_a_captured_tree_never_leads_out_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("etc/pve/nodes/pve1")).unwrap();
        fs::write(root.join("etc/pve/nodes/pve1/lrm_status"), "").unwrap();
        fs::write(root.join("etc/hostname"), "").unwrap();
        symlink("nodes/pve1", root.join("etc/pve/local")).unwrap();
        symlink("/etc/hostname", root.join("etc/absolute")).unwrap();
        symlink("../../../../../../etc/hostname", root.join("etc/upwards")).unwrap();
        symlink("circle", root.join("etc/circle")).unwrap();
        symlink("/proc/version", root.join("etc/not-captured")).unwrap();
        let located = |path| locate(root, path).unwrap();
        assert_eq!(
            located("etc/pve/local/lrm_status"),
            root.join("etc/pve/nodes/pve1/lrm_status")
        );
        assert_eq!(located("etc/absolute"), root.join("etc/hostname"));
        assert_eq!(located("etc/upwards"), root.join("etc/hostname"));
        symlink("/dev/null", root.join("etc/masked")).unwrap();
        assert_eq!(read(&located("etc/masked")).unwrap(), Some(Vec::new()));
        assert!(locate(root, "etc/circle").is_err());
        assert!(locate(root, "etc/not-captured").is_err());
    }

    #[test]
    fn a_missing_file_is_no_error_but_one_that_is_no_file_is() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(&dir.path().join("no/such")).unwrap().is_none());
        let error = read(dir.path()).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "it is a directory");
    }

    #[test]
    fn room_is_counted_as_df_does() {
        for (used, left, expect) in [
            (0, 100, Some(0)),
            (1, 999, Some(1)),
            (999, 1, Some(100)),
            (50, 50, Some(50)),
            (u64::MAX, 0, Some(100)),
            (0, 0, None),
        ] {
            assert_eq!(
                percent(used, left),
                expect,
                "{used} of which {left} are left"
            );
        }
        let root = room(Path::new("/")).unwrap();
        assert!(root.size_bytes > 0 && root.used_percent.is_some());
        assert!(room(Path::new("/no/such/place")).is_err());
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert!(read(&pipe).is_err());
    }

    #[test]
    fn a_directory_that_is_a_file_is_an_error_and_not_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bonding");
        fs::write(&file, "").unwrap();
        assert!(list(&file).is_err());
        assert!(list(&dir.path().join("missing")).unwrap().is_none());
    }
}
