//! What says which guests there are: `/etc/pve/.vmlist` (pve-cluster, src/pmxcfs/status.c: cfs_create_vmlist_msg), the
//! files of machines and containers ([`config`]), and the sockets of running containers.

pub mod config;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::fact::guests::{GuestKind, GuestList, ListedGuest};
use crate::parse::json::{Fields, object_of};
use crate::text::{BadLines, Parsed, Unreadable};

/// How many guests of a cluster are kept.
const MAX_GUESTS: usize = 20_000;

/// Reads `.vmlist`. Without a guest it holds only `version`.
pub fn parse_list(text: &str) -> Result<Parsed<GuestList>, Unreadable> {
    let object = object_of(text)?;
    if !object.contains_key("version") {
        return Err(Unreadable::foreign(text));
    }
    let mut bad_lines = BadLines::default();
    let mut fields = Fields::new(object, &mut bad_lines);
    let mut list = GuestList {
        version: fields.number("version"),
        ..GuestList::default()
    };
    for (id, value) in fields.members("ids").unwrap_or_default() {
        let Some(number) = id.parse::<u32>().ok() else {
            fields.refuse(&id, &value, "its key is not a guest's id");
            continue;
        };
        if list.guests.len() >= MAX_GUESTS {
            let why = format!("only the first {MAX_GUESTS} guests are kept");
            fields.refuse(&id, &value, &why);
            continue;
        }
        if let Some(mut guest) = fields.inside(&id, value) {
            let kind = guest.text("type").map(GuestKind::from);
            if let (Some(node), Some(kind)) = (guest.node("node"), kind) {
                let version = guest.number("version");
                let listed = ListedGuest {
                    node,
                    kind,
                    version,
                };
                list.guests.insert(number, listed);
            }
        }
    }
    Ok(bad_lines.with(list))
}

/// The containers that run, by the sockets in `/proc/net/unix` on which LXC takes commands, as Proxmox VE itself knows
/// them (pve-container, PVE/LXC.pm: list_active_containers).
pub fn running_containers(proc_net_unix: &str) -> BTreeSet<u32> {
    let socket = |line: &str| {
        let path = line.split_ascii_whitespace().nth(7)?;
        let id = path
            .strip_prefix("@/var/lib/lxc/")?
            .strip_suffix("/command")?;
        id.parse().ok()
    };
    proc_net_unix.lines().filter_map(socket).collect()
}

/// Is this the command line of the machine with this id, and not of a process that came by its number later?
/// Its arguments end with NUL bytes, and it names its own pid file (qemu-server, PVE/QemuServer/Helpers.pm).
pub fn is_machine(cmdline: &str, id: u32) -> bool {
    let mut args = cmdline.split('\0');
    let program = args.next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    let pid_file = format!("/qemu-server/{id}.pid");
    (program == "kvm" || program.starts_with("qemu-system-"))
        && args
            .skip_while(|arg| arg.trim_start_matches('-') != "pidfile")
            .nth(1)
            .is_some_and(|path| path.ends_with(&pid_file))
}
