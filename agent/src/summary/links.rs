//! Bonds with their ports, and links that matter.

use model::fact::bond::{Bond, BondPort, MiiStatus};
use model::fact::link::{Link, OperState};
use model::name::IfaceName;
use model::report::NodeReport;

use super::page::{Cell, Mark, Page, known, plain};

pub(super) fn bonds(page: &mut Page, report: &NodeReport) {
    let Some(bonds) = report.bonds.known() else {
        return;
    };
    page.heading("Bonds");
    for bond in bonds {
        let line = bond_line(bond);
        page.line(&line);
        if bond.slaves.is_empty() {
            page.line(&[Cell::bad("  it has no port")]);
        }
        let rows: Vec<Vec<Cell>> = bond.slaves.iter().map(port).collect();
        page.table(&rows);
    }
}

fn bond_line(bond: &Bond) -> Vec<Cell> {
    let mut cells = vec![
        plain(format!("{}:", bond.name)),
        known(bond.mode.as_ref()),
        mii(bond.mii_status.as_ref()),
    ];
    if let Some(active) = &bond.active_slave {
        cells.push(plain(format!("· active port {active}")));
    }
    if let Some(lacp) = &bond.lacp {
        cells.push(Cell::labelled("· LACP rate", lacp.rate.as_ref()));
        if lacp.no_active_aggregator {
            cells.push(Cell::bad("· no active aggregator"));
        } else {
            cells.push(partner("· partner", bond.partner_mac.as_ref()));
        }
    }
    cells
}

fn port(port: &BondPort) -> Vec<Cell> {
    let speed = match (port.speed_mbps, port.speed_unknown) {
        (Some(speed), _) => plain(format!("{speed} Mb/s")),
        (None, _) => Cell::new("speed unknown", Mark::Unknown),
    };
    let duplex = match &port.duplex {
        Some(duplex) => plain(duplex),
        None => Cell::new("duplex unknown", Mark::Unknown),
    };
    let failures = match port.failures {
        Some(1) => plain("1 failure"),
        Some(count) => plain(format!("{count} failures")),
        None => Cell::new("failures unknown", Mark::Unknown),
    };
    let aggregator = port.aggregator_id.map(|id| format!("aggregator {id}"));
    let heard = match &port.partner_mac {
        Some(mac) => partner("partner", Some(mac)),
        None => plain(""),
    };
    let churned = [
        ("actor", &port.actor_churn),
        ("partner", &port.partner_churn),
    ]
    .into_iter()
    .filter(|(_, churn)| {
        churn
            .as_ref()
            .is_some_and(|churn| churn.as_str() == "churned")
    })
    .map(|(who, _)| format!("{who} churned"))
    .collect::<Vec<_>>()
    .join(", ");
    vec![
        plain(&port.name),
        mii(port.mii_status.as_ref()),
        speed,
        duplex,
        failures,
        plain(aggregator.unwrap_or_default()),
        heard,
        Cell::bad(churned),
    ]
}

fn mii(status: Option<&MiiStatus>) -> Cell {
    match status {
        Some(MiiStatus::Up) => Cell::good("up"),
        Some(other) => Cell::bad(other),
        None => Cell::new("MII status unknown", Mark::Unknown),
    }
}

/// All zero: nobody answers LACP.
fn partner(label: &str, mac: Option<&model::fact::hardware_address::HardwareAddress>) -> Cell {
    match mac {
        Some(mac) if mac.is_zero() => Cell::bad(format!("{label} none (nobody answers LACP)")),
        mac => Cell::labelled(label, mac),
    }
}

pub(super) fn links(page: &mut Page, report: &NodeReport) {
    let Some(links) = report.links.known() else {
        return;
    };
    page.heading("Links");
    let shown: Vec<&Link> = links.iter().filter(|link| matters(link)).collect();
    let rows: Vec<Vec<Cell>> = shown.iter().map(|link| row(link)).collect();
    page.table(&rows);
    let others = links.len() - shown.len();
    if others > 0 {
        page.say(format!("and {others} of guests, which are up"));
    }
    for name in not_as_configured(report, links) {
        page.line(&[Cell::bad(name)]);
    }
}

/// Links of guests come by the hundred: they are shown only if something is odd.
fn matters(link: &Link) -> bool {
    let name = link.name.as_str();
    let is_guests = ["tap", "veth", "fwbr", "fwpr", "fwln"]
        .iter()
        .any(|begin| name.starts_with(begin));
    let is_up = link.admin_up == Some(true) && link.carrier == Some(true);
    !(is_guests && is_up)
}

fn row(link: &Link) -> Vec<Cell> {
    let mtu = match link.mtu_bytes {
        Some(mtu) => plain(format!("MTU {mtu}")),
        None => Cell::new("MTU unknown", Mark::Unknown),
    };
    let place = match (&link.master, &link.link) {
        (Some(master), _) => format!("in {master}"),
        (None, Some(below)) => format!("on {below}"),
        (None, None) => String::new(),
    };
    let vlan = link.vlan.as_ref().and_then(|vlan| vlan.id);
    let kind = match (vlan, &link.kind) {
        (Some(id), _) => format!("VLAN {id}"),
        (None, Some(kind)) => kind.clone(),
        (None, None) => String::new(),
    };
    let addresses: Vec<String> = link
        .addresses
        .iter()
        .flatten()
        .filter(|address| address.scope.as_deref() != Some("link"))
        .map(|address| match address.prefix_len {
            Some(prefix) => format!("{}/{prefix}", address.address),
            None => address.address.to_string(),
        })
        .collect();
    vec![
        plain(&link.name),
        state(link),
        mtu,
        plain(kind),
        plain(place),
        plain(addresses.join(" ")),
    ]
}

fn state(link: &Link) -> Cell {
    match (link.admin_up, link.carrier, &link.operstate) {
        (Some(false), ..) => plain("not set up"),
        (_, Some(false), _) => Cell::bad("NO CARRIER"),
        (_, _, Some(OperState::Down | OperState::LowerLayerDown)) => Cell::bad("DOWN"),
        (_, Some(true), _) | (_, _, Some(OperState::Up)) => Cell::good("up"),
        (_, _, Some(OperState::Other(word))) => plain(word),
        _ => Cell::unknown(),
    }
}

/// What `/etc/network/interfaces` wants up at boot, and is not.
fn not_as_configured(report: &NodeReport, links: &[Link]) -> Vec<String> {
    let interfaces = report.interfaces.known();
    let Some(current) = interfaces.and_then(|interfaces| interfaces.current.as_ref()) else {
        return Vec::new();
    };
    let mut said = Vec::new();
    for wanted in current.interfaces.iter().filter(|interface| interface.auto) {
        let name = wanted.name.as_str();
        let is_named = |link: &&Link| {
            link.name.as_str() == name || link.altnames.iter().any(|altname| altname == name)
        };
        match links.iter().find(is_named) {
            Some(link) if link.admin_up == Some(false) => {
                said.push(format!("{name} is configured to be up, but is not set up"));
            }
            // An alias (`eth0:1`) is an address, and a pattern no name.
            None if IfaceName::new(name).is_ok() && !name.contains([':', '*', '[']) => {
                said.push(format!(
                    "{name} is configured to be up, but there is no such link"
                ));
            }
            _ => {}
        }
    }
    said
}
