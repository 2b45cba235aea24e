//! The HA services' lines (pve-ha-manager: LRM.pm, CRM.pm, NodeStatus.pm, Manager.pm, Env/PVE2.pm).

use crate::fact::journal::{Event, HaDaemon};
use crate::parse::journal::scan::{Told, find, fit, number, unquoted};

pub(super) fn tell(daemon: HaDaemon, message: &str) -> Told {
    let message = message.trim();
    if let Some([from, to]) = fit(message, "status change {} => {}") {
        let (from, to) = (from.to_owned(), to.to_owned());
        return Ok(Some(Event::HaStatusChange { daemon, from, to }));
    }
    match of_lock(daemon.clone(), message)? {
        Some(event) => Ok(Some(event)),
        None => match of_node(message) {
            Some(event) => Ok(Some(event)),
            None => of_daemon(daemon, message),
        },
    }
}

/// The program opens a quote behind `lost lock` and never closes it: `lost lock 'ha_agent_pve1_lock - cfs lock
/// update failed - …`.
fn of_lock(daemon: HaDaemon, message: &str) -> Told {
    if let Some([lock]) = fit(message, "successfully acquired lock '{}") {
        let lock = unquoted(lock).to_owned();
        return Ok(Some(Event::HaLockAcquired { daemon, lock }));
    }
    if let Some([rest]) = fit(message, "lost lock {}") {
        let (lock, why) = match rest.split_once(" - ") {
            Some((lock, why)) => (lock, Some(why.trim().to_owned())),
            None => (rest, None),
        };
        let lock = unquoted(lock).to_owned();
        if lock.is_empty() {
            return Err("it names no lock".to_owned());
        }
        return Ok(Some(Event::HaLockLost { daemon, lock, why }));
    }
    // "need" before ha-manager 4.
    if message.starts_with("node need to be fenced")
        || message.starts_with("node needs to be fenced")
    {
        return Ok(Some(Event::HaFenceSelf { daemon }));
    }
    Ok(None)
}

fn of_node(message: &str) -> Option<Event> {
    // `FENCE: Try to fence node 'X'` is the same as a mail's subject.
    if let Some([node]) = find(message, "Try to fence node '{}'") {
        return Some(Event::HaFencing {
            node: node.to_owned(),
        });
    }
    // "acknowleged" before ha-manager 2.
    if message.contains("fencing: acknow")
        && let Some([node]) = find(message, "got agent lock for node '{}'")
    {
        return Some(Event::HaFenced {
            node: node.to_owned(),
        });
    }
    if let Some([node, from, to]) = fit(message, "node '{}': state changed from '{}' => '{}'") {
        let (node, from, to) = (node.to_owned(), from.to_owned(), to.to_owned());
        return Some(Event::HaNodeState { node, from, to });
    }
    if let Some([service, from, to]) = fit(message, "service '{}': state changed from '{}' to '{}'")
    {
        let (service, from, to) = (service.to_owned(), from.to_owned(), to.to_owned());
        return Some(Event::HaServiceState { service, from, to });
    }
    None
}

fn of_daemon(daemon: HaDaemon, message: &str) -> Told {
    let event = if message.starts_with("watchdog active") {
        Event::HaWatchdogOpened { daemon }
    } else if message.starts_with("watchdog closed (disabled)") {
        Event::HaWatchdogClosed { daemon }
    } else if message.contains("going idle") {
        Event::HaIdle { daemon }
    } else if let Some([seconds]) = fit(message, "loop take too long ({} seconds)") {
        Event::HaLoopSlow {
            daemon,
            seconds: number(seconds, "the time")?,
        }
    } else if let Some([why]) = fit(message, "unable to write lrm status file - {}") {
        Event::HaStatusWriteFailed {
            daemon,
            why: why.trim().to_owned(),
        }
    } else if let Some([policy]) = find(message, "shutdown policy '{}'") {
        Event::HaShutdownPolicy {
            policy: policy.to_owned(),
        }
    } else if let Some([action]) = fit(message, "{} LRM, ") {
        if !["shutdown", "reboot", "restart"].contains(&action) {
            return Ok(None);
        }
        Event::HaShutdown {
            action: action.to_owned(),
        }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}
