//! Bridges: the VLAN table, on a live node from the kernel over rtnetlink and in a captured tree from `bridge vlan show`,
//! joined with what the links say of bridges and their ports; and on a live node how many addresses were learnt where.
//!
//! The VLAN table names ports but not their bridges; the links name each port's master.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use model::fact::bridge::{Bridge, BridgePort, PortVlans, Seen, VlanRange};
use model::fact::link::Link;
use model::name::{IfaceName, VlanId};
use model::parse::bridge_vlan;
use model::reading::Reading;
use model::text::Parsed;

use crate::host::{Command, Host, said};
use crate::netlink;
use crate::source::gather::Gathering;
use crate::source::links;

const VLANS: Command = Command {
    path: "/usr/sbin/bridge",
    args: &["-j", "vlan", "show"],
    words: &["vlan", "vlans", "v"],
};
pub(crate) const COMMANDS: &[Command] = &[VLANS];

/// Absent: no bridge here. Failed: neither links nor VLANs could be read, or VLANs alone could not and no bridge is
/// known. Of a capture's several VLAN tables the first that lists a port holds for it.
pub(crate) fn collect(host: &Host) -> Reading<Vec<Bridge>> {
    if host.is_captured() {
        captured(host)
    } else {
        live(host)
    }
}

const SOURCE: &str = "rtnetlink";

/// A node without a bridge has no table to be asked for.
fn live(host: &Host) -> Reading<Vec<Bridge>> {
    let mut of_links = Gathering::default();
    let Some(links) = links::listed(host, &mut of_links) else {
        return of_links.fail();
    };
    // What is wrong in the links' answer is said there.
    let mut gathering = Gathering::default();
    if !links
        .iter()
        .any(|link| link.kind.as_deref() == Some("bridge"))
    {
        return Reading::Absent;
    }
    let names = netlink::names_of(&links);
    let table = match netlink::bridge_vlans(&names) {
        Ok(answer) => {
            answer
                .problems
                .into_iter()
                .for_each(|why| gathering.remark(SOURCE, why));
            answer.value
        }
        Err(error) => {
            gathering.remark(SOURCE, said(&error));
            Vec::new()
        }
    };
    let mut bridges = join(&links, table);
    match netlink::learnt() {
        Ok(answer) => {
            answer
                .problems
                .into_iter()
                .for_each(|why| gathering.remark(SOURCE, why));
            add_seen(&mut bridges, &answer.value, &names);
        }
        Err(error) => gathering.remark(SOURCE, said(&error)),
    }
    let bridges = gathering.value(Timestamp::now(), bridges);
    gathering.finish(bridges)
}

/// Puts what was learnt to its bridge. A port that has gone meanwhile is left out: it has nothing on the wire any more.
fn add_seen(bridges: &mut [Bridge], learnt: &netlink::Learnt, names: &netlink::Names) {
    let mut rows: HashMap<&IfaceName, Vec<Seen>> = HashMap::new();
    for (place, addresses) in learnt {
        let (Some(bridge), Some(port)) = (names.get(&place.bridge), names.get(&place.port)) else {
            continue;
        };
        let vlan = place.vlan.and_then(|id| VlanId::new(id.into()).ok());
        rows.entry(bridge).or_default().push(Seen {
            port: port.clone(),
            vlan,
            addresses: *addresses,
        });
    }
    for bridge in bridges {
        if let Some(name) = &bridge.name {
            bridge.seen = Some(rows.remove(name).unwrap_or_default());
        }
    }
}

fn captured(host: &Host) -> Reading<Vec<Bridge>> {
    let mut gathering = Gathering::default();
    let mut table: Option<Vec<PortVlans>> = None;
    for text in gathering.ask(host, &VLANS) {
        let Some(ports) = gathering.take(&text, bridge_vlan::parse(&text.text)) else {
            continue;
        };
        let table = table.get_or_insert_default();
        let known: HashSet<IfaceName> = table.iter().map(|port| port.name.clone()).collect();
        table.extend(ports.into_iter().filter(|port| !known.contains(&port.name)));
    }
    let links = match links::collect(host) {
        Reading::Known { value, at, .. } => {
            // What is wrong in the links' texts is said there; here they only have their age.
            let parsed = Parsed {
                value,
                bad_lines: Vec::new(),
            };
            gathering
                .take_from("links", at, Ok(parsed))
                .unwrap_or_default()
        }
        Reading::Failed { why } if table.is_none() => return Reading::Failed { why },
        Reading::Failed { .. } | Reading::Absent | Reading::NeverHeard => Vec::new(),
    };
    let bridges = join(&links, table.unwrap_or_default());
    gathering.finish((!bridges.is_empty()).then_some(bridges))
}

/// Puts ports and VLANs to their bridges, in the order of the links; ports of no known bridge come last.
fn join(links: &[Link], table: Vec<PortVlans>) -> Vec<Bridge> {
    let mut vlans: HashMap<IfaceName, Vec<VlanRange>> = table
        .iter()
        .map(|port| (port.name.clone(), port.vlans.clone()))
        .collect();
    let names = bridge_names(links, &vlans);
    let by_name: HashMap<&IfaceName, &Link> = links.iter().map(|link| (&link.name, link)).collect();
    let mut bridges: Vec<Bridge> = names
        .iter()
        .map(|name| {
            bridge(
                (*name).clone(),
                by_name.get(name).copied(),
                vlans.remove(*name),
            )
        })
        .collect();
    let places: HashMap<&IfaceName, usize> = names.iter().copied().zip(0..).collect();
    for link in links {
        let place = link.master.as_ref().and_then(|master| places.get(master));
        if let Some(bridge) = place.and_then(|place| bridges.get_mut(*place)) {
            bridge.ports.push(BridgePort {
                name: link.name.clone(),
                state: link
                    .bridge_slave
                    .as_ref()
                    .and_then(|port| port.state.clone()),
                vlans: vlans.remove(&link.name),
            });
        }
    }
    let homeless: Vec<BridgePort> = table
        .into_iter()
        .filter(|port| vlans.contains_key(&port.name))
        .map(|port| BridgePort {
            name: port.name,
            state: None,
            vlans: Some(port.vlans),
        })
        .collect();
    if !homeless.is_empty() {
        let mut nameless = empty(None);
        nameless.ports = homeless;
        bridges.push(nameless);
    }
    bridges
}

/// The bridges among the links: those that say so (`ip -d`), those that a port says it is in as a bridge's port, and,
/// where no details were captured, masters whose ports stand in the VLAN table, or that stand there themselves without
/// being a port: the table lists nothing but bridges and their ports.
fn bridge_names<'a>(
    links: &'a [Link],
    vlans: &HashMap<IfaceName, Vec<VlanRange>>,
) -> Vec<&'a IfaceName> {
    let kinds: HashMap<&IfaceName, &str> = links
        .iter()
        .filter_map(|link| Some((&link.name, link.kind.as_deref()?)))
        .collect();
    let free: HashSet<&IfaceName> = links
        .iter()
        .filter(|link| link.master.is_none() && vlans.contains_key(&link.name))
        .map(|link| &link.name)
        .collect();
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    for link in links {
        let itself = (link.kind.as_deref() == Some("bridge")).then_some(&link.name);
        let of_port = link.master.as_ref().filter(|master| {
            match (kinds.get(master), link.slave_kind.as_deref()) {
                (Some(kind), _) => *kind == "bridge",
                (None, Some(kind)) => kind == "bridge",
                (None, None) => vlans.contains_key(&link.name) || free.contains(*master),
            }
        });
        names.extend(
            itself
                .into_iter()
                .chain(of_port)
                .filter(|name| seen.insert(*name)),
        );
    }
    names
}

fn bridge(name: IfaceName, link: Option<&Link>, vlans: Option<Vec<VlanRange>>) -> Bridge {
    let mut bridge = empty(Some(name));
    bridge.vlans = vlans;
    bridge.operstate = link.and_then(|link| link.operstate.clone());
    if let Some(details) = link.and_then(|link| link.bridge.as_ref()) {
        bridge.vlan_filtering = details.vlan_filtering;
        bridge.vlan_protocol.clone_from(&details.vlan_protocol);
        bridge.default_pvid = details.vlan_default_pvid;
        bridge.stp_state = details.stp_state;
        bridge.forward_delay_ms = details.forward_delay_ms;
    }
    bridge
}

fn empty(name: Option<IfaceName>) -> Bridge {
    Bridge {
        name,
        operstate: None,
        vlan_filtering: None,
        vlan_protocol: None,
        default_pvid: None,
        stp_state: None,
        forward_delay_ms: None,
        vlans: None,
        ports: Vec::new(),
        seen: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VLAN_TABLE: &str = r#"[{"ifname":"vmbr0","vlans":[{"vlan":5}]},
        {"ifname":"bond0","vlans":[{"vlan":2,"vlanEnd":4094}]},
        {"ifname":"stray0","vlans":[{"vlan":7}]}]"#;
    const LINKS: &str = r#"[{"ifindex":2,"ifname":"bond0","master":"vmbr0","linkinfo":{"info_kind":"bond",
          "info_slave_kind":"bridge","info_slave_data":{"state":"forwarding"}}},
        {"ifindex":3,"ifname":"eno1","master":"bond0","linkinfo":{"info_slave_kind":"bond"}},
        {"ifindex":4,"ifname":"vmbr0","linkinfo":{"info_kind":"bridge","info_data":{"vlan_filtering":1}}}]"#;

    /// The bridges of a captured tree, as `name[own VLANs]: port[VLANs] …`, one a line.
    #[track_caller]
    fn check(captured: &[(&str, &str)], expect: &str) {
        let dir = tempfile::tempdir().unwrap();
        let commands = dir.path().join("commands");
        std::fs::create_dir(&commands).unwrap();
        for (name, text) in captured {
            std::fs::write(commands.join(name), text).unwrap();
        }
        let reading = collect(&Host::captured(dir.path()).unwrap());
        let said = match &reading {
            Reading::Known { value, .. } => value.iter().map(say).collect::<Vec<_>>().join("\n"),
            other => serde_json::to_string(other).unwrap(),
        };
        assert_eq!(said, expect);
    }

    fn say(bridge: &Bridge) -> String {
        let vlans = |vlans: &Option<Vec<VlanRange>>| match vlans {
            None => "?".to_owned(),
            Some(ranges) => ranges
                .iter()
                .map(|range| format!("{}-{}", range.first, range.last))
                .collect::<Vec<_>>()
                .join(","),
        };
        let name = bridge.name.as_ref().map_or("?", IfaceName::as_str);
        let ports = bridge
            .ports
            .iter()
            .map(|port| format!(" {}[{}]", port.name, vlans(&port.vlans)));
        format!(
            "{name}[{}]:{}",
            vlans(&bridge.vlans),
            ports.collect::<String>()
        )
    }

    #[test]
    fn ports_come_to_their_bridge_and_strays_are_kept() {
        let captured = [
            ("bridge_-j_vlan_show", VLAN_TABLE),
            ("ip_-j_-d_-s_addr", LINKS),
        ];
        check(&captured, "vmbr0[5-5]: bond0[2-4094]\n?[?]: stray0[7-7]");
    }

    #[test]
    fn without_links_no_vlan_is_lost() {
        let captured = [("bridge_vlan", VLAN_TABLE)];
        check(&captured, "?[?]: vmbr0[5-5] bond0[2-4094] stray0[7-7]");
    }

    #[test]
    fn without_a_vlan_table_the_vlans_are_unknown_and_not_none() {
        check(&[("ip_-j_-d_addr", LINKS)], "vmbr0[?]: bond0[?]");
    }

    #[test]
    fn without_details_the_vlan_table_tells_bridges_from_bonds() {
        let links = "2: bond0: <UP> mtu 1500 master vmbr0\n3: eno1: <UP> mtu 1500 master bond0\n\
                     4: vmbr0: <UP> mtu 1500\n";
        let captured = [("bridge_vlan_show", VLAN_TABLE), ("ip_link", links)];
        check(&captured, "vmbr0[5-5]: bond0[2-4094]\n?[?]: stray0[7-7]");
    }

    #[test]
    fn a_node_without_a_bridge_has_none_and_a_failed_tool_is_a_failure() {
        check(&[("ip_link", "2: eno1: <UP> mtu 1500\n")], "\"absent\"");
        check(
            &[("bridge_vlan_show", "Dump terminated\n")],
            r#"{"failed":"commands/bridge_vlan_show: the tool answered: Dump terminated"}"#,
        );
    }
}
