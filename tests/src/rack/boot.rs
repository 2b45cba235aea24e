//! What a node of a rack says of its boot, where the plan wants it: rooms have no systemd and one kernel for all, so both
//! are played. A `systemctl` says that the node is up, a shutdown can be scheduled, every start has a boot id of its own, and
//! /etc/network/interfaces says what the cards are. It is a fake, and the only one of a rack.

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};

use crate::corosync::address;
use crate::plan::Plan;
use crate::room::{MOUNT_SOURCE, Room};

const SYSTEMCTL: &str = r#"#!/bin/sh
case "$1" in
  show) printf 'Version=257 (rack)\nSystemState=running\nNFailedUnits=0\nNJobs=0\n' ;;
  list-jobs) echo "No jobs running." ;;
  reboot) : >/run/told-to-reboot ;;
  *) exit 1 ;;
esac
"#;
const PATH: &str = "/run/systemctl";
/// What is left of `systemctl reboot`.
const TOLD: &str = "/run/told-to-reboot";
/// Programs that lie over those of /usr/bin.
const BIN: &str = "/run/bin";
/// What systemd-logind writes for `shutdown +10`.
const SCHEDULED: &str = "/run/systemd/shutdown/scheduled";
const BOOT_ID: &str = "/run/boot-id";

/// Must be done before anything else runs in the room.
pub(super) fn play(room: &Room, plan: &Plan, number: usize) -> Result<()> {
    write(room, PATH, SYSTEMCTL)?;
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(room.path(PATH), executable)?;
    let id = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    write(room, BOOT_ID, &id)?;
    // sd_booted(3)
    std::fs::create_dir_all(room.path("/run/systemd/system"))?;
    std::fs::create_dir_all(room.path("/run/systemd/shutdown"))?;
    mount(room, PATH, "/usr/bin/systemctl")?;
    mount(room, BOOT_ID, "/proc/sys/kernel/random/boot_id")?;
    write(room, "/etc/network/interfaces", &interfaces(plan, number))
}

pub(super) fn is_told_to_reboot(room: &Room) -> bool {
    room.path(TOLD).exists()
}

/// Puts a program into /usr/bin, which is everybody's: over it, for this room alone. The systemctl that was there lies below
/// that, and is put there again.
pub(super) fn install(room: &Room, program: &Path) -> Result<()> {
    let bin = room.path(BIN);
    std::fs::create_dir_all(&bin)?;
    let name = program.file_name().context("a program has a name")?;
    symlink(program, bin.join(name))?;
    symlink(PATH, bin.join("systemctl"))?;
    let over = format!("lowerdir={BIN}:/usr/bin");
    run(room
        .command("mount")
        .args(["-t", "overlay", MOUNT_SOURCE, "-o", &over, "/usr/bin"]))
}

pub(super) fn schedule_reboot(room: &Room, in_s: u64) -> Result<()> {
    let at = SystemTime::now().duration_since(UNIX_EPOCH)? + Duration::from_secs(in_s);
    let text = format!("USEC={}\nWARN_WALL=1\nMODE=reboot\n", at.as_micros());
    write(room, SCHEDULED, &text)
}

pub(super) fn take_back(room: &Room) -> Result<()> {
    let path = room.path(SCHEDULED);
    std::fs::remove_file(&path).with_context(|| format!("{} is not there", path.display()))
}

fn interfaces(plan: &Plan, number: usize) -> String {
    let mut text = String::from("auto lo\niface lo inet loopback\n");
    for link in 0..plan.links {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\nauto eth{link}\niface eth{link} inet static\n    address {}/24\n",
            address(number, link)
        );
    }
    text
}

fn write(room: &Room, path: &str, text: &str) -> Result<()> {
    let path = room.path(path);
    // A Debian in a container may have no /etc/network.
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn mount(room: &Room, what: &str, over: &str) -> Result<()> {
    run(room.command("mount").args(["--bind", what, over]))
}

fn run(command: &mut Command) -> Result<()> {
    let done = command.output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{command:?}: {said}");
    Ok(())
}
