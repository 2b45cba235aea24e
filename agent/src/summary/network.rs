//! Bridges with their VLANs, and what the configuration has waiting.

use model::fact::bridge::{Bridge, BridgePort, VlanRange};
use model::fact::interfaces::Configuration;
use model::fact::link::BridgePortState;
use model::report::NodeReport;

use super::page::{Cell, Mark, Page, plain};

/// How many ranges are shown of one port.
const MAX_RANGES: usize = 24;

pub(super) fn show(page: &mut Page, report: &NodeReport) {
    if let Some(bridges) = report.bridges.known() {
        page.heading("Bridges");
        for bridge in bridges {
            show_bridge(page, bridge);
        }
    }
    if let Some(interfaces) = report.interfaces.known() {
        page.heading("Configured network");
        match &interfaces.current {
            Some(current) => page.say(format!(
                "{} interfaces in {}",
                current.interfaces.len(),
                current.files.join(", ")
            )),
            None => page.line(&[plain("in force:"), Cell::unknown()]),
        }
        if let Some(pending) = &interfaces.pending {
            page.line(&[Cell::bad(format!(
                "changes wait and come into force at the next boot: {}",
                files(pending)
            ))]);
        }
        if let Some(stray) = &interfaces.not_sourced {
            let text = format!("named by no source line: {}", files(stray));
            page.line(&[Cell::new(text, Mark::Unknown)]);
        }
    }
}

fn files(configuration: &Configuration) -> String {
    configuration.files.join(", ")
}

fn show_bridge(page: &mut Page, bridge: &Bridge) {
    let name = match &bridge.name {
        Some(name) => plain(format!("{name}:")),
        None => Cell::new("of an unknown bridge:", Mark::Unknown),
    };
    let mut cells = vec![name];
    if bridge.name.is_some() {
        cells.push(match bridge.vlan_filtering {
            Some(true) => plain("VLAN-aware"),
            Some(false) => plain("not VLAN-aware"),
            None => Cell::new("VLAN-aware unknown", Mark::Unknown),
        });
    }
    if let Some(own) = &bridge.vlans {
        cells.push(plain(format!("· itself in VLAN {}", vlans(own))));
    }
    if bridge.ports.is_empty() {
        cells.push(plain("· no port"));
    }
    page.line(&cells);
    let aware = bridge.vlan_filtering != Some(false);
    let rows: Vec<Vec<Cell>> = bridge.ports.iter().map(|port| row(port, aware)).collect();
    page.table(&rows);
}

fn row(port: &BridgePort, vlan_aware: bool) -> Vec<Cell> {
    let state = match &port.state {
        Some(BridgePortState::Forwarding) => Cell::good("forwarding"),
        Some(other) => Cell::bad(other),
        None => Cell::new("state unknown", Mark::Unknown),
    };
    let carried = match &port.vlans {
        _ if !vlan_aware => plain(""),
        Some(ranges) => plain(format!("VLAN {}", vlans(ranges))),
        None => Cell::new("VLANs unknown", Mark::Unknown),
    };
    vec![plain(&port.name), state, carried]
}

/// `1-4094 (untagged 1)`: ranges that differ only in how frames leave are joined.
fn vlans(ranges: &[VlanRange]) -> String {
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for range in ranges {
        let (first, last) = (range.first.get(), range.last.get());
        match joined.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
            _ => joined.push((first, last)),
        }
    }
    if joined.is_empty() {
        return "none".to_owned();
    }
    let mut said: Vec<String> = joined
        .iter()
        .take(MAX_RANGES)
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    if joined.len() > MAX_RANGES {
        said.push(format!("and {} more", joined.len() - MAX_RANGES));
    }
    let mut text = said.join(",");
    let native = ranges.iter().find(|range| range.pvid);
    if let Some(native) = native {
        text.push_str(&format!(" (untagged {})", native.first));
    }
    text
}

#[cfg(test)]
mod tests {
    use model::name::VlanId;

    use super::*;

    #[test]
    fn ranges_that_follow_each_other_are_one() {
        let range = |first, last, pvid| VlanRange {
            first: VlanId::new(first).unwrap(),
            last: VlanId::new(last).unwrap(),
            pvid,
            untagged: pvid,
        };
        assert_eq!(
            vlans(&[range(1, 1, true), range(2, 4094, false)]),
            "1-4094 (untagged 1)"
        );
        assert_eq!(vlans(&[range(5, 5, false), range(7, 9, false)]), "5,7-9");
        assert_eq!(vlans(&[]), "none");
    }
}
