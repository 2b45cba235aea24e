//! watchdog-mux's lines (pve-ha-manager: watchdog-mux.c). Since ha-manager 5.1.2 a client is named:
//! `client (PID 1234) watchdog expired - disable watchdog updates`.

use crate::fact::journal::Event;
use crate::parse::journal::scan::{Told, fit, number};

pub(super) fn tell(message: &str) -> Told {
    let message = message.trim();
    if let Some([rest]) = fit(message, "client {}") {
        return of_client(rest);
    }
    let event = if let Some([rest]) = fit(message, "added new client{}") {
        let client_pid =
            fit(rest.trim_start(), "(PID {})").map(|[pid]| number(pid, "the process id"));
        Event::WatchdogClientAdded {
            client_pid: client_pid.transpose()?,
        }
    } else if message.starts_with("all watchdog client connections") {
        Event::WatchdogClientsClosed
    } else if message.starts_with("exit watchdog-mux with active connections") {
        Event::WatchdogMuxExitActive
    } else if message == "clean exit" {
        Event::WatchdogMuxExitClean
    } else if let Some([why]) = fit(message, "watchdog update failed: {}") {
        Event::WatchdogUpdateFailed {
            why: why.to_owned(),
        }
    } else if let Some([device, version]) = fit(message, "Watchdog driver '{}', version {}") {
        Event::WatchdogMuxStarted {
            device: device.to_owned(),
            version: version.to_owned(),
        }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}

fn of_client(rest: &str) -> Told {
    let (client_pid, what) = match fit(rest, "(PID {}) {}") {
        Some([pid, what]) => (Some(number(pid, "the process id")?), what),
        None => (None, rest),
    };
    let event = if what.starts_with("watchdog is about to expire") {
        Event::WatchdogAboutToExpire { client_pid }
    } else if what.starts_with("watchdog was updated before expiring") {
        Event::WatchdogUpdatedInTime { client_pid }
    } else if what.starts_with("watchdog expired") {
        Event::WatchdogExpired { client_pid }
    } else if what.starts_with("did not stop watchdog") {
        Event::WatchdogClientDidNotStop { client_pid }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}
