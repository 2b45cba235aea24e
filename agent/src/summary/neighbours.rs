//! Switches on the wire, and Open vSwitch.

use model::fact::lldp::{Identifier, Neighbour};
use model::fact::ovs::{OvsBridge, OvsPort};
use model::report::NodeReport;

use super::page::{Cell, Page, known, plain};

pub(super) fn show(page: &mut Page, report: &NodeReport) {
    if let Some(neighbours) = report.lldp.known() {
        page.heading("LLDP neighbours");
        if neighbours.is_empty() {
            page.say("none is heard");
        }
        let rows: Vec<Vec<Cell>> = neighbours.iter().map(neighbour).collect();
        page.table(&rows);
    }
    if let Some(ovs) = report.ovs.known() {
        page.heading("Open vSwitch");
        page.line(&[Cell::labelled("version", ovs.version.as_ref())]);
        for bridge in &ovs.bridges {
            show_bridge(page, bridge);
        }
    }
}

fn neighbour(neighbour: &Neighbour) -> Vec<Cell> {
    let value = |id: &Option<Identifier>| id.as_ref().and_then(|id| id.value.clone());
    let chassis = match (&neighbour.chassis.name, value(&neighbour.chassis.id)) {
        (Some(name), Some(id)) if *name != id => Some(format!("{name} ({id})")),
        (Some(name), _) => Some(name.clone()),
        (None, id) => id,
    };
    let port = value(&neighbour.port.id).or_else(|| neighbour.port.description.clone());
    let vlans: Vec<String> = neighbour
        .vlans
        .iter()
        .filter_map(|vlan| Some(vlan.id?.to_string()))
        .collect();
    let vlans = if vlans.is_empty() {
        "announces no VLAN".to_owned()
    } else {
        format!("announces VLAN {}", vlans.join(","))
    };
    vec![
        known(neighbour.interface.as_ref()),
        Cell::labelled("to", chassis),
        Cell::labelled("port", port),
        plain(vlans),
    ]
}

fn show_bridge(page: &mut Page, bridge: &OvsBridge) {
    page.line(&[Cell::labelled("bridge", bridge.name.as_ref())]);
    let rows: Vec<Vec<Cell>> = bridge.ports.iter().map(port).collect();
    page.table(&rows);
}

fn port(port: &OvsPort) -> Vec<Cell> {
    let vlans = match (port.tag, &port.trunks) {
        (Some(tag), _) => format!("VLAN {tag}"),
        (None, Some(trunks)) => {
            let trunks: Vec<String> = trunks.iter().map(ToString::to_string).collect();
            format!("trunk {}", trunks.join(","))
        }
        (None, None) => String::new(),
    };
    let members = if port.interfaces.len() > 1 {
        let names: Vec<&str> = port
            .interfaces
            .iter()
            .map(|interface| interface.name.as_deref().unwrap_or("unknown"))
            .collect();
        format!("bond of {}", names.join(", "))
    } else {
        String::new()
    };
    let errors: Vec<&str> = port
        .interfaces
        .iter()
        .filter_map(|interface| interface.error.as_deref())
        .collect();
    vec![
        known(port.name.as_ref()),
        plain(vlans),
        plain(members),
        Cell::bad(errors.join("; ")),
    ]
}
