//! The kernel's lines about bonds (drivers/net/bonding/bond_main.c and bond_3ad.c). Since Linux 4.19 they read
//! `bond0: (slave eno1): what`; before, the port stood within the sentence: `bond0: link status definitely down for
//! interface eno1, disabling it`; and before 3.16 `bonding: ` stood in front.

use crate::fact::journal::Event;
use crate::name::IfaceName;
use crate::parse::journal::scan::{Told, duplex, fit, iface, leading_number, speed_mbps};

pub(super) fn tell(message: &str) -> Told {
    let message = message.strip_prefix("bonding: ").unwrap_or(message);
    if let Some([bond, port, what]) = fit(message, "{}: (slave {}): {}") {
        // A bond's name has no blank; a longer beginning belongs to another driver's line.
        return if bond.contains(' ') {
            Ok(None)
        } else {
            of_port(bond, port, what)
        };
    }
    let Some((bond, what)) = message.split_once(": ") else {
        return Ok(None);
    };
    if bond.contains(' ') {
        return Ok(None);
    }
    match of_bond(bond, what)? {
        Some(event) => Ok(Some(event)),
        None => before_4_19(bond, what),
    }
}

fn of_bond(bond: &str, what: &str) -> Told {
    let bond = || iface(bond);
    let event = if what.starts_with("now running without any active interface") {
        Event::BondNoActivePort { bond: bond()? }
    } else if what.starts_with("active interface up")
        || what.starts_with("first active interface up")
    {
        Event::BondActivePortUp { bond: bond()? }
    } else if what.contains("No 802.3ad response from the link partner") {
        Event::BondNoLacpPartner { bond: bond()? }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}

fn of_port(bond: &str, port: &str, what: &str) -> Told {
    let names = || Ok::<_, String>((iface(bond)?, iface(port)?));
    if let Some([speed]) = fit(what, "link status definitely up, {}") {
        return up(names()?, speed);
    }
    if let Some([_, ms]) = fit(what, "link status down for {}, disabling it in {} ms") {
        return going_down(names()?, ms);
    }
    if let Some([ms]) = fit(what, "link status up, enabling it in {} ms") {
        return going_up(names()?, ms);
    }
    if let Some([ms]) = fit(what, "link status up again after {} ms") {
        return up_again(names()?, ms);
    }
    if let Some([ms]) = fit(what, "link status down again after {} ms") {
        return down_again(names()?, ms);
    }
    if let Some([role, link]) = fit(what, "Enslaving as {} interface with {} link") {
        return added(names()?, role, link);
    }
    let starts = |beginning| what.starts_with(beginning);
    let build: fn(IfaceName, IfaceName) -> Event = if starts("link status definitely down")
        || starts("interface is now down")
        || starts("backup interface is now down")
    {
        |bond, port| Event::BondPortDown { bond, port }
    } else if starts("link status definitely up") || starts("interface is now up") {
        // With ARP monitoring no speed is printed.
        |bond, port| Event::BondPortUp {
            bond,
            port,
            speed_mbps: None,
            duplex: None,
        }
    } else if starts("making interface the new active one") {
        |bond, port| Event::BondNewActivePort { bond, port }
    } else if starts("Releasing ") {
        |bond, port| Event::BondPortRemoved { bond, port }
    } else if starts("failed to get link speed/duplex") {
        |bond, port| Event::BondPortSpeedUnreadable { bond, port }
    } else if starts("An illegal loopback occurred") {
        |bond, port| Event::BondPortLoopback { bond, port }
    } else {
        return Ok(None);
    };
    let (bond, port) = names()?;
    Ok(Some(build(bond, port)))
}

/// The port within the sentence.
fn before_4_19(bond: &str, what: &str) -> Told {
    let names = |port: &str| Ok::<_, String>((iface(bond)?, iface(port)?));
    if let Some([port, speed]) = fit(what, "link status definitely up for interface {}, {}") {
        return up(names(port)?, speed);
    }
    if let Some([port]) = fit(what, "link status definitely up for interface {}") {
        let (bond, port) = names(port.trim_end_matches('.'))?;
        return Ok(Some(Event::BondPortUp {
            bond,
            port,
            speed_mbps: None,
            duplex: None,
        }));
    }
    if let Some([port, _]) = fit(what, "link status definitely down for interface {}, {}") {
        let (bond, port) = names(port)?;
        return Ok(Some(Event::BondPortDown { bond, port }));
    }
    if let Some([_, port, ms]) = fit(
        what,
        "link status down for {}interface {}, disabling it in {} ms",
    ) {
        return going_down(names(port)?, ms);
    }
    if let Some([port, ms]) = fit(
        what,
        "link status up for interface {}, enabling it in {} ms",
    ) {
        return going_up(names(port)?, ms);
    }
    if let Some([ms, port]) = fit(what, "link status up again after {} ms for interface {}") {
        return up_again(names(port.trim_end_matches('.'))?, ms);
    }
    if let Some([ms, port]) = fit(what, "link status down again after {} ms for interface {}") {
        return down_again(names(port.trim_end_matches('.'))?, ms);
    }
    if let Some([port]) = fit(what, "making interface {} the new active one") {
        let (bond, port) = names(port)?;
        return Ok(Some(Event::BondNewActivePort { bond, port }));
    }
    if let Some([port, role, link]) = fit(what, "Enslaving {} as {} interface with {} link") {
        return added(names(port)?, role, link);
    }
    if let Some([_, port]) = fit(what, "Releasing {} interface {}") {
        let (bond, port) = names(port)?;
        return Ok(Some(Event::BondPortRemoved { bond, port }));
    }
    Ok(None)
}

/// `1000 Mbps full duplex`.
fn up((bond, port): (IfaceName, IfaceName), speed: &str) -> Told {
    let after_unit = speed.split_once("bps").map(|(_, rest)| rest);
    Ok(Some(Event::BondPortUp {
        bond,
        port,
        speed_mbps: speed_mbps(speed)?,
        duplex: after_unit.and_then(duplex),
    }))
}

fn going_down((bond, port): (IfaceName, IfaceName), ms: &str) -> Told {
    let delay_ms = leading_number(ms, "the delay")?;
    Ok(Some(Event::BondPortGoingDown {
        bond,
        port,
        delay_ms,
    }))
}

fn going_up((bond, port): (IfaceName, IfaceName), ms: &str) -> Told {
    let delay_ms = leading_number(ms, "the delay")?;
    Ok(Some(Event::BondPortGoingUp {
        bond,
        port,
        delay_ms,
    }))
}

fn up_again((bond, port): (IfaceName, IfaceName), ms: &str) -> Told {
    let after_ms = leading_number(ms, "the time")?;
    Ok(Some(Event::BondPortUpAgain {
        bond,
        port,
        after_ms,
    }))
}

fn down_again((bond, port): (IfaceName, IfaceName), ms: &str) -> Told {
    let after_ms = leading_number(ms, "the time")?;
    Ok(Some(Event::BondPortDownAgain {
        bond,
        port,
        after_ms,
    }))
}

/// `a backup interface with an up link`, `an active interface with a down link`.
fn added((bond, port): (IfaceName, IfaceName), role: &str, link: &str) -> Told {
    Ok(Some(Event::BondPortAdded {
        bond,
        port,
        backup: role.ends_with("backup"),
        link_up: link.ends_with("up"),
    }))
}
