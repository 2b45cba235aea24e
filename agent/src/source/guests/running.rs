//! Which guests run, from the kernel and not from what Proxmox VE's statistics say.

use std::collections::{BTreeMap, BTreeSet};

use model::fact::guests::GuestKind;
use model::parse::guests;

use super::GuestFile;
use crate::host::Host;
use crate::source::gather::Gathering;

/// A machine writes the number of its process here.
const PID_FILES: &str = "run/qemu-server";
/// A container listens for commands on a socket that is seen here.
const SOCKETS: &str = "proc/net/unix";

/// Who runs; `None` where that could not be told.
#[derive(Debug, Default)]
pub(super) struct Running {
    machines: BTreeMap<u32, bool>,
    containers: Option<BTreeSet<u32>>,
}

impl Running {
    pub(super) fn look(host: &Host, files: &[GuestFile], gathering: &mut Gathering) -> Self {
        let mut running = Self::default();
        // A captured tree holds no processes.
        if host.is_captured() {
            return running;
        }
        let machines = files.iter().filter(|file| file.kind == GuestKind::Machine);
        for file in machines {
            if let Some(runs) = machine(host, file.id, gathering) {
                running.machines.insert(file.id, runs);
            }
        }
        if files.iter().any(|file| file.kind == GuestKind::Container) {
            let sockets = gathering.found(SOCKETS, host.read(SOCKETS));
            running.containers = sockets.map(|text| guests::running_containers(&text.text));
        }
        running
    }

    pub(super) fn of(&self, id: u32, kind: &GuestKind) -> Option<bool> {
        match kind {
            GuestKind::Machine => self.machines.get(&id).copied(),
            GuestKind::Container => Some(self.containers.as_ref()?.contains(&id)),
            GuestKind::Other(_) => None,
        }
    }
}

/// Is there a pid file, and is the process that it names this machine?
fn machine(host: &Host, id: u32, gathering: &mut Gathering) -> Option<bool> {
    let path = format!("{PID_FILES}/{id}.pid");
    let text = match host.read(&path) {
        Ok(None) => return Some(false),
        found => gathering.found(&path, found)?,
    };
    let pid: u32 = text.text.trim().parse().ok()?;
    let path = format!("proc/{pid}/cmdline");
    match host.read(&path) {
        Ok(None) => Some(false),
        found => Some(guests::is_machine(&gathering.found(&path, found)?.text, id)),
    }
}
