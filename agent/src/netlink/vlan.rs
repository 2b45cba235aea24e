//! VLANs: an interface of one (IFLA_VLAN_*), a VXLAN tunnel (IFLA_VXLAN_*), and the table of a bridge (AF_BRIDGE with
//! RTEXT_FILTER_BRVLAN_COMPRESSED, in which VLANs that follow each other and are treated alike are one range).

use core::net::IpAddr;
use std::collections::BTreeMap;

use model::fact::bridge::{PortVlans, VlanRange};
use model::fact::link::{VlanDetails, VxlanDetails};
use model::name::{IfaceName, VlanId};
use model::parse::bridge_vlan::MAX_PORTS;
use netlink_packet_core::Parseable as _;
use netlink_packet_route::link::{
    AfSpecBridge, BridgeVlanInfo, BridgeVlanInfoFlags, InfoVlan, InfoVxlan, VlanFlags,
};
use nix::libc;

use super::Names;
use super::attribute::{Attribute, Bad, Unread, each};
use super::link::{Others, index_and_attributes, name_in};

pub(super) fn details(bytes: &[u8], bad: &mut Vec<String>) -> VlanDetails {
    let mut vlan = VlanDetails::default();
    let take = |attribute: Attribute<'_>| {
        match InfoVlan::parse(&attribute.whole)? {
            InfoVlan::Id(id) => vlan.id = Some(vlan_id(id)?),
            InfoVlan::Protocol(protocol) => vlan.protocol = Some(protocol.to_string()),
            InfoVlan::Flags((flags, _)) => vlan.flags = flag_words(flags),
            _ => {}
        }
        Ok(())
    };
    each(bytes, take, |why| bad.push(format!("VLAN: {why}")));
    vlan
}

/// In iproute2's order.
fn flag_words(flags: VlanFlags) -> Vec<String> {
    [
        (VlanFlags::ReorderHdr, "REORDER_HDR"),
        (VlanFlags::Gvrp, "GVRP"),
        (VlanFlags::Mvrp, "MVRP"),
        (VlanFlags::LooseBinding, "LOOSE_BINDING"),
        (VlanFlags::BridgeBinding, "BRIDGE_BINDING"),
    ]
    .into_iter()
    .filter(|(flag, _)| flags.contains(*flag))
    .map(|(_, word)| word.to_owned())
    .collect()
}

pub(super) fn vxlan(bytes: &[u8], others: &mut Others, bad: &mut Vec<String>) -> VxlanDetails {
    let mut vxlan = VxlanDetails::default();
    let take = |attribute: Attribute<'_>| {
        match InfoVxlan::parse(&attribute.whole)? {
            InfoVxlan::Id(vni) => vxlan.vni = Some(vni),
            InfoVxlan::Local(ip) => vxlan.local = stated(ip.into()),
            InfoVxlan::Local6(ip) => vxlan.local = stated(ip.into()),
            InfoVxlan::Group(ip) => far_end(&mut vxlan, ip.into()),
            InfoVxlan::Group6(ip) => far_end(&mut vxlan, ip.into()),
            InfoVxlan::Port(port) => vxlan.udp_port = Some(port),
            InfoVxlan::Link(index) => others.vxlan_device = Some(index).filter(|index| *index > 0),
            _ => {}
        }
        Ok(())
    };
    each(bytes, take, |why| bad.push(format!("VXLAN: {why}")));
    vxlan
}

/// One attribute holds either a group or a single other end.
fn far_end(vxlan: &mut VxlanDetails, ip: IpAddr) {
    if ip.is_multicast() {
        vxlan.group = stated(ip);
    } else {
        vxlan.remote = stated(ip);
    }
}

fn stated(ip: IpAddr) -> Option<IpAddr> {
    Some(ip).filter(|ip| !ip.is_unspecified())
}

fn vlan_id(id: u16) -> Result<VlanId, Bad> {
    VlanId::new(id.into()).map_err(|bad| Bad(bad.to_string()))
}

/// The VLAN tables of one answer.
#[derive(Default)]
pub(super) struct Found {
    pub(super) ports: Vec<PortVlans>,
    places: BTreeMap<IfaceName, usize>,
    pub(super) unread: Unread,
}

impl Found {
    /// A port without any VLAN is left out, as by iproute2.
    pub(super) fn take(&mut self, message: &[u8], names: &Names) {
        let Some((index, attributes)) = index_and_attributes(message) else {
            self.unread
                .say("a message on a bridge's port is too short".to_owned());
            return;
        };
        let name = match (names.get(&index), name_in(attributes)) {
            (Some(name), _) => name.clone(),
            (None, Some(Ok(name))) => name,
            (None, _) => {
                self.unread
                    .say(format!("interface {index} has VLANs, but no name"));
                return;
            }
        };
        let mut vlans = Ranges::default();
        let mut bad = Vec::new();
        let mut inner = Vec::new();
        let take = |attribute: Attribute<'_>| {
            if attribute.kind == libc::IFLA_AF_SPEC {
                each(
                    attribute.bytes,
                    |entry| vlans.take(&entry),
                    |why| inner.push(why),
                );
            }
            Ok(())
        };
        each(attributes, take, |why| bad.push(why));
        bad.append(&mut inner);
        bad.extend(vlans.unended());
        if !vlans.ranges.is_empty() {
            bad.extend(self.put(name.clone(), vlans.ranges));
        }
        for why in bad {
            self.unread.say(format!("{name}: VLANs: {why}"));
        }
    }

    /// Adds to a port's ranges; what cannot be kept is said.
    fn put(&mut self, name: IfaceName, ranges: Vec<VlanRange>) -> Option<String> {
        if let Some(place) = self.places.get(&name) {
            // A VLAN-aware bridge that is itself a port of a bridge is told of twice; the first holds.
            let known = self.ports.get(*place).map(|port| &port.vlans);
            return (known != Some(&ranges)).then(|| "they are told of twice".to_owned());
        }
        if self.ports.len() >= MAX_PORTS {
            return Some(format!("only the first {MAX_PORTS} ports are kept"));
        }
        self.places.insert(name.clone(), self.ports.len());
        let vlans = ranges;
        self.ports.push(PortVlans { name, vlans });
        None
    }
}

#[derive(Default)]
struct Ranges {
    ranges: Vec<VlanRange>,
    begun: Option<BridgeVlanInfo>,
}

impl Ranges {
    fn take(&mut self, attribute: &Attribute<'_>) -> Result<(), Bad> {
        let AfSpecBridge::VlanInfo(info) = AfSpecBridge::parse(&attribute.whole)? else {
            return Ok(());
        };
        if info.flags.contains(BridgeVlanInfoFlags::RangeBegin) {
            self.begun = Some(info);
            return Ok(());
        }
        let first = if info.flags.contains(BridgeVlanInfoFlags::RangeEnd) {
            self.begun
                .take()
                .ok_or("a range ends that has not begun")?
                .vid
        } else {
            info.vid
        };
        let range = VlanRange {
            first: vlan_id(first)?,
            last: vlan_id(info.vid)?,
            pvid: info.flags.contains(BridgeVlanInfoFlags::Pvid),
            untagged: info.flags.contains(BridgeVlanInfoFlags::Untagged),
        };
        if range.last < range.first {
            return Err(Bad("a range ends before it begins".to_owned()));
        }
        self.add(range);
        Ok(())
    }

    /// The kernel lists VLANs in order; two ranges that touch and are alike are one.
    fn add(&mut self, range: VlanRange) {
        if let Some(last) = self.ranges.last_mut()
            && (last.pvid, last.untagged) == (range.pvid, range.untagged)
            && last.last.get() + 1 == range.first.get()
        {
            last.last = range.last;
        } else {
            self.ranges.push(range);
        }
    }

    fn unended(&self) -> Option<String> {
        let begun = self.begun.as_ref()?;
        Some(format!("the range from {} does not end", begun.vid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An AF_BRIDGE message on interface 7 with these entries: flags and VLAN.
    fn message(entries: &[(u16, u16)]) -> Vec<u8> {
        let mut bytes = vec![7, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let length = 4 + entries.len() * 8;
        bytes.extend((length as u16).to_ne_bytes());
        bytes.extend((libc::IFLA_AF_SPEC | 0x8000).to_ne_bytes());
        for (flags, id) in entries {
            bytes.extend([8, 0, 2, 0]);
            bytes.extend(flags.to_ne_bytes());
            bytes.extend(id.to_ne_bytes());
        }
        bytes
    }

    #[track_caller]
    fn check(entries: &[(u16, u16)], expect: &str) {
        let mut found = Found::default();
        let names = Names::from([(7, IfaceName::new("bond0").unwrap())]);
        found.take(&message(entries), &names);
        let ranges = found.ports.iter().flat_map(|port| &port.vlans);
        let mut said: Vec<String> = ranges
            .map(|range| {
                let pvid = if range.pvid { " PVID" } else { "" };
                let untagged = if range.untagged { " untagged" } else { "" };
                format!("{}-{}{pvid}{untagged}", range.first, range.last)
            })
            .collect();
        said.extend(found.unread.into_sentences());
        assert_eq!(said.join("; "), expect);
    }

    const PVID_UNTAGGED: u16 = 6;
    const BEGIN: u16 = 8;
    const END: u16 = 16;

    #[test]
    fn ranges_are_read_as_the_kernel_compresses_them() {
        check(
            &[(PVID_UNTAGGED, 1), (BEGIN, 2), (END, 4094)],
            "1-1 PVID untagged; 2-4094",
        );
        check(&[(0, 10), (0, 11), (0, 13)], "10-11; 13-13");
        check(&[], "");
    }

    #[test]
    fn an_entry_that_is_none_costs_itself() {
        check(
            &[(0, 5), (0, 4095), (END, 9), (BEGIN, 20)],
            "5-5; bond0: VLANs: attribute 2: 4095 is not a VLAN id: 1 to 4094; \
             bond0: VLANs: attribute 2: a range ends that has not begun; \
             bond0: VLANs: the range from 20 does not end",
        );
    }
}
