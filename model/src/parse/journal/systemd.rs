//! systemd's lines about the node as a whole and about the units that quorum stands on (src/core/unit.c, job.c,
//! src/shutdown/shutdown.c, src/login/logind-dbus.c).

use crate::fact::journal::{Event, PowerAction};
use crate::parse::journal::scan::{Told, fit};

/// The units whose coming and going is told.
const UNITS: [&str; 8] = [
    "corosync.service",
    "corosync-qdevice.service",
    "pve-cluster.service",
    "watchdog-mux.service",
    "pve-ha-lrm.service",
    "pve-ha-crm.service",
    "networking.service",
    "openvswitch-switch.service",
];

/// Whichever of systemd's programs speaks: the manager, `systemd-shutdown`, `systemd-logind`. `about` is the field
/// UNIT, which the manager sets and only the journal's own formats show.
pub(super) fn tell(about: Option<&str>, message: &str) -> Told {
    let message = message.trim();
    if let Some(action) = power(message) {
        return Ok(Some(Event::NodeGoingDown { action }));
    }
    if message.starts_with("Startup finished in ") {
        return Ok(Some(Event::NodeStarted));
    }
    Ok(unit(about, message))
}

fn power(message: &str) -> Option<PowerAction> {
    let action = match message.trim_end_matches(['.', '!']) {
        "Shutting down" | "System is shutting down" => PowerAction::ShutDown,
        "Rebooting" | "System is rebooting" | "The system will reboot now" => PowerAction::Reboot,
        "Powering off" | "System is powering down" | "The system will power off now" => {
            PowerAction::PowerOff
        }
        "Halting system" | "System is halting" | "The system will halt now" => PowerAction::Halt,
        "Rebooting with kexec" | "System is rebooting with kexec" => PowerAction::Kexec,
        _ => return None,
    };
    Some(action)
}

fn unit(about: Option<&str>, message: &str) -> Option<Event> {
    if let Some((name, what)) = message.split_once(": ")
        && UNITS.contains(&name)
    {
        let of_unit = name.to_owned();
        if let Some([code, status]) = fit(what, "Main process exited, code={}, status={}") {
            let (code, status) = (code.to_owned(), status.to_owned());
            return Some(Event::UnitExited {
                of_unit,
                code,
                status,
            });
        }
        if let Some([result]) = fit(what, "Failed with result '{}'") {
            return Some(Event::UnitFailed {
                of_unit,
                result: Some(result.to_owned()),
            });
        }
        return None;
    }
    let (verb, rest) = message.split_once(' ')?;
    // `Started corosync.service - Corosync Cluster Engine.` since systemd 249; before, only the description.
    let subject = rest.strip_prefix("to start ").unwrap_or(rest);
    let of_unit = UNITS
        .iter()
        .find(|unit| Some(**unit) == about || subject.starts_with(**unit))?;
    let of_unit = (*of_unit).to_owned();
    match verb {
        "Started" | "Finished" => Some(Event::UnitStarted { of_unit }),
        "Stopping" => Some(Event::UnitStopping { of_unit }),
        "Stopped" => Some(Event::UnitStopped { of_unit }),
        "Failed" => Some(Event::UnitFailed {
            of_unit,
            result: None,
        }),
        _ => None,
    }
}
