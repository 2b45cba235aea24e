//! A room: one set of kernel namespaces, held open by an init process of its own.
//!
//! The rack's room is a PID namespace with everything else in it: network, mounts, host name, IPC. Its init reads a
//! pipe from the process that built the rack. When that process ends, however it ends, the pipe closes, init ends, and
//! the kernel itself kills what runs in the room and lets the namespaces go, with every bridge, cable, mount and file
//! in them: files of a rack lie on a tmpfs that is mounted in the room only. Nothing has a name outside, so nothing can
//! collide and nothing has to be found again to be cleaned up.
//!
//! A node is a room within that room, so that it can lose its power alone.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

/// The name under which mounts of a rack are listed.
pub(crate) const MOUNT_SOURCE: &str = "quorate-rack";

/// The fabric's init. `/proc` stays the one of outside: by it the init of a node learns its number as seen from there.
const FABRIC: &str = r#"
set -e
cd /
read -r pid rest </proc/self/stat
mount -t tmpfs "$1" /run
ip link set lo up
echo "$pid"
cat >/dev/null
exit
"#;

/// A node's init: its own host name, and its own /etc, /var, /run and /dev/shm. What is written to /etc and /var stays
/// on the node's disk (a directory of the fabric) when the node loses its power.
const NODE: &str = r#"
set -e
cd /
read -r pid rest </proc/self/stat
source=$1 name=$2 disk=/run/disk/$2
echo "$name" >/proc/sys/kernel/hostname
mkdir -p "$disk/log"
for dir in etc var; do
  mkdir -p "$disk/$dir" "$disk/$dir.work"
  mount -t overlay "$source" -o "lowerdir=/$dir,upperdir=$disk/$dir,workdir=$disk/$dir.work" "/$dir"
done
mount --bind "$disk/log" /var/log
mount -t tmpfs "$source" /dev/shm
mount -t tmpfs "$source" /run
mount -t sysfs sysfs /sys
mount -t proc proc /proc
ip link set lo up
# A card answers for its own address alone. Linux lets each answer for all, and after half a minute a node whose cables are
# swapped is reached over the wrong network.
echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
mkdir -p /etc/corosync /var/lib/corosync /var/log/corosync
rm -f /etc/machine-id
printf '%s' "$name" | md5sum | cut -d' ' -f1 >/etc/machine-id
echo "$name" >/etc/hostname
echo "$pid"
cat >/dev/null
exit
"#;

/// Namespaces, and the init process that holds them.
#[derive(Debug)]
pub(crate) struct Room {
    /// `unshare`, or `nsenter` around it: ends when init has ended.
    holder: Child,
    /// While it is open, init lives.
    pipe: Option<ChildStdin>,
    /// As seen from this process.
    init: Pid,
}

impl Room {
    /// The room in which a whole rack stands.
    pub(crate) fn fabric() -> Result<Self> {
        ensure!(
            geteuid().is_root(),
            "a rack is made of network namespaces and mounts: only root can build one"
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["--fork", "--kill-child", "--propagation", "private"]);
        unshare.args(["--pid", "--mount", "--net", "--uts", "--ipc"]);
        unshare.args(["sh", "-c", FABRIC, "fabric", MOUNT_SOURCE]);
        Self::open(&mut unshare, "the fabric")
    }

    /// A node's room within this one.
    pub(crate) fn node(&self, name: &str) -> Result<Self> {
        let mut enter = self.entered(&["--mount", "--root", "--pid"]);
        enter.args(["unshare", "--fork", "--kill-child"]);
        enter.args(["--propagation", "private"]);
        enter.args(["--pid", "--mount", "--net", "--uts", "--ipc"]);
        enter.args(["sh", "-c", NODE, "node", MOUNT_SOURCE, name]);
        Self::open(&mut enter, name)
    }

    fn open(command: &mut Command, name: &str) -> Result<Self> {
        let mut holder = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("unshare and nsenter (Debian package util-linux) cannot be run")?;
        let pipe = holder.stdin.take().context("init has no standard input")?;
        let stdout = holder
            .stdout
            .take()
            .context("init has no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        match line.trim().parse() {
            Ok(init) => Ok(Self {
                holder,
                pipe: Some(pipe),
                init: Pid::from_raw(init),
            }),
            Err(_) => {
                drop(pipe);
                let mut said = String::new();
                if let Some(mut stderr) = holder.stderr.take() {
                    stderr.read_to_string(&mut said)?;
                }
                let status = holder.wait()?;
                bail!("{name} could not be set up ({status}): {}", said.trim())
            }
        }
    }

    /// The init process, as seen from outside.
    pub(crate) fn init(&self) -> Pid {
        self.init
    }

    /// A path in this room, as a path of outside.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.init.to_string())
            .join("root")
            .join(path.trim_start_matches('/'))
    }

    /// A command that will run in this room, as a process of it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.entered(&[
            "--mount", "--root", "--wd", "--uts", "--ipc", "--net", "--pid",
        ]);
        command.arg(program);
        command
    }

    /// An `ip` that sees this room's network; the rest of it stays outside.
    pub(crate) fn ip(&self) -> Command {
        self.tool("ip")
    }

    /// The same of another tool of iproute2.
    pub(crate) fn tool(&self, name: &str) -> Command {
        let mut command = self.entered(&["--net"]);
        command.arg(name);
        command
    }

    /// With `--mount` belongs `--root`: of a rack that is built in a chroot, the root of the mounts is the one outside of it.
    fn entered(&self, namespaces: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.init.to_string());
        command.args(namespaces).arg("--");
        command
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Init's end is the end of every process in the room; the holder ends after the last of them. The pipe ends it, too,
        // whatever number it has.
        drop(self.pipe.take());
        let _ = kill(self.init, Signal::SIGKILL);
        let _ = self.holder.wait();
    }
}
