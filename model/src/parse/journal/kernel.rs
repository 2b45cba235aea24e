//! The kernel's lines: bonds, cards, bridges, and what it says of the node itself.

use crate::fact::journal::Event;
use crate::fact::link::BridgePortState;
use crate::parse::journal::scan::{Told, find, fit, iface, leading_number, number};
use crate::parse::journal::{bond, nic};

pub(super) fn tell(message: &str) -> Told {
    let message = without_stamp(message);
    for family in [bond::tell, bridge, nic::tell, node] {
        if let Some(event) = family(message)? {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

/// rsyslog leaves the kernel's own stamp in front: `[12345.678901] bond0: …`.
fn without_stamp(message: &str) -> &str {
    let stripped = message
        .trim_start()
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    match stripped {
        Some((stamp, rest))
            if stamp
                .trim()
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.') =>
        {
            rest
        }
        _ => message,
    }
}

/// net/bridge/br_stp.c, br_fdb.c.
fn bridge(message: &str) -> Told {
    if let Some([bridge, port_number, port, state]) =
        fit(message, "{}: port {}({}) entered {} state")
    {
        return Ok(Some(Event::BridgePortState {
            bridge: iface(bridge)?,
            port: iface(port)?,
            port_number: number(port_number, "the port")?,
            state: BridgePortState::from_word(state),
        }));
    }
    // Where a log was shortened, the bridge before the colon is missing.
    let own_address = fit(
        message,
        "{}: received packet on {} with own address as source address{}",
    )
    .map(|[bridge, port, rest]| (Some(bridge), port, rest))
    .or_else(|| {
        let [port, rest] = fit(
            message,
            "received packet on {} with own address as source address{}",
        )?;
        Some((None, port, rest))
    });
    if let Some((bridge, port, rest)) = own_address {
        let [address, vlan] = find(rest, "(addr:{}, vlan:{}")
            .map_or([None, None], |found: [&str; 2]| found.map(Some));
        return Ok(Some(Event::BridgeOwnAddress {
            bridge: bridge.map(iface).transpose()?,
            port: iface(port)?,
            address: address.map(str::to_owned),
            vlan: vlan
                .map(|vlan| leading_number(vlan, "the VLAN"))
                .transpose()?,
        }));
    }
    match fit(message, "{}: topology change detected") {
        Some([bridge]) if !bridge.contains(' ') => Ok(Some(Event::BridgeTopologyChange {
            bridge: iface(bridge)?,
        })),
        _ => Ok(None),
    }
}

fn node(message: &str) -> Told {
    if let Some([version]) = fit(message, "Linux version {}") {
        let version = version.split(' ').next().unwrap_or(version);
        return Ok(Some(Event::KernelStarted {
            version: version.to_owned(),
        }));
    }
    if message.starts_with("softdog: Initiating ") {
        return Ok(Some(Event::WatchdogReset));
    }
    if let Some([device]) = fit(message, "watchdog: {}: watchdog did not stop!") {
        return Ok(Some(Event::WatchdogNotStopped {
            device: device.to_owned(),
        }));
    }
    if let Some([task, seconds]) = fit(message, "INFO: task {} blocked for more than {} seconds") {
        // A task's name can hold colons itself: `kworker/u8:2:1234`.
        let (task, pid) = task.rsplit_once(':').unwrap_or((task, ""));
        return Ok(Some(Event::TaskHung {
            task: task.to_owned(),
            task_pid: number(pid, "the process id")?,
            seconds: number(seconds, "the time")?,
        }));
    }
    if let Some([cpu, seconds]) = find(message, "soft lockup - CPU#{} stuck for {}s") {
        return Ok(Some(Event::CpuStuck {
            cpu: number(cpu, "the CPU")?,
            seconds: number(seconds, "the time")?,
        }));
    }
    if let Some([pid, task]) = find(message, "Killed process {} ({})") {
        return Ok(Some(Event::OutOfMemoryKill {
            task: task.to_owned(),
            task_pid: number(pid.trim_end_matches(','), "the process id")?,
        }));
    }
    Ok(None)
}
