//! The virtual functions of an SR-IOV NIC: IFLA_VFINFO_LIST.
//!
//! Most attributes are pairs of numbers (struct ifla_vf_*), the function's own first. They are read here and not by
//! netlink-packet-route, which makes "the driver does not tell" (-1) to "on".

use model::fact::hardware_address::HardwareAddress;
use model::fact::link::VirtualFunction;
use model::name::VlanId;
use model::parse::ip::MAX_PER_LINK;
use netlink_packet_core::parse_u32;
use nix::libc;

use super::attribute::{Attribute, Bad, each};
use super::names;

const IFLA_VF_MAC: u16 = 1;
const IFLA_VF_VLAN: u16 = 2;
const IFLA_VF_SPOOFCHK: u16 = 4;
const IFLA_VF_LINK_STATE: u16 = 5;
const IFLA_VF_TRUST: u16 = 9;
const IFLA_VF_VLAN_LIST: u16 = 12;
/// The driver does not tell.
const UNKNOWN: u32 = u32::MAX;
const ETHERNET_BYTES: usize = 6;
const INFINIBAND_BYTES: usize = 20;

pub(super) fn list(
    bytes: &[u8],
    link_type: u16,
    functions: &mut Vec<VirtualFunction>,
    bad: &mut Vec<String>,
) {
    let mut inner = Vec::new();
    let take = |attribute: Attribute<'_>| {
        if functions.len() >= MAX_PER_LINK {
            return Err(Bad(format!(
                "only {MAX_PER_LINK} virtual functions are kept"
            )));
        }
        let mut function = VirtualFunction::default();
        let take = |attribute: Attribute<'_>| one(&mut function, link_type, &attribute);
        each(attribute.bytes, take, |why| inner.push(why));
        functions.push(function);
        Ok(())
    };
    each(bytes, take, |why| bad.push(why));
    bad.extend(
        inner
            .into_iter()
            .map(|why| format!("virtual function: {why}")),
    );
}

fn one(
    function: &mut VirtualFunction,
    link_type: u16,
    attribute: &Attribute<'_>,
) -> Result<(), Bad> {
    let number = |place: usize| -> Result<u32, Bad> {
        let bytes = attribute.bytes.get(place * 4..place * 4 + 4);
        Ok(parse_u32(bytes.ok_or("it is too short")?)?)
    };
    match attribute.kind {
        IFLA_VF_MAC => {
            let length = match link_type {
                libc::ARPHRD_INFINIBAND => INFINIBAND_BYTES,
                _ => ETHERNET_BYTES,
            };
            function.number = Some(number(0)?);
            let mac = attribute
                .bytes
                .get(4..4 + length)
                .ok_or("it is too short")?;
            function.mac = HardwareAddress::from_bytes(mac);
        }
        IFLA_VF_VLAN => function.vlan = vlan(number(1)?),
        IFLA_VF_VLAN_LIST => {
            // The outermost VLAN; a second one is rare, and not kept.
            let mut first = None;
            let take = |attribute: Attribute<'_>| {
                let bytes = attribute.bytes.get(4..8).ok_or("it is too short")?;
                let id = parse_u32(bytes)?;
                first = first.or(Some(id));
                Ok(())
            };
            let mut bad = None;
            each(attribute.bytes, take, |why| bad = Some(why));
            if let Some(why) = bad {
                return Err(Bad(why));
            }
            function.vlan = first.and_then(vlan);
        }
        IFLA_VF_SPOOFCHK => function.spoof_checking = flag(number(1)?),
        IFLA_VF_TRUST => function.trust = flag(number(1)?),
        IFLA_VF_LINK_STATE => {
            const WORDS: &[&str] = &["auto", "enable", "disable"];
            function.link_state = Some(names::word(WORDS, number(1)?));
        }
        _ => {}
    }
    Ok(())
}

/// Zero: no VLAN is forced upon it.
fn vlan(id: u32) -> Option<VlanId> {
    VlanId::new(id.into()).ok()
}

fn flag(setting: u32) -> Option<bool> {
    (setting != UNKNOWN).then_some(setting != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn pair(kind: u16, setting: u32) -> Vec<u8> {
        attribute(kind, &[7_u32.to_ne_bytes(), setting.to_ne_bytes()].concat())
    }

    #[test]
    fn a_function_is_read_and_what_its_driver_does_not_tell_is_unknown() {
        let mut mac = 7_u32.to_ne_bytes().to_vec();
        mac.extend([0x6e, 0xcc, 0xc3, 0, 0, 2]);
        mac.resize(36, 0);
        let vlan = attribute(1, &[7_u32, 5, 0, 0x0081].map(u32::to_ne_bytes).concat());
        let function = [
            attribute(IFLA_VF_MAC, &mac),
            pair(IFLA_VF_SPOOFCHK, 1),
            pair(IFLA_VF_TRUST, UNKNOWN),
            pair(IFLA_VF_LINK_STATE, 2),
            attribute(IFLA_VF_VLAN_LIST, &vlan),
        ];
        let bytes = attribute(1, &function.concat());
        let (mut functions, mut bad) = (Vec::new(), Vec::new());
        list(&bytes, libc::ARPHRD_ETHER, &mut functions, &mut bad);
        let expect = VirtualFunction {
            number: Some(7),
            mac: "6e:cc:c3:00:00:02".parse().ok(),
            vlan: VlanId::new(5).ok(),
            spoof_checking: Some(true),
            link_state: Some("disable".into()),
            trust: None,
        };
        assert_eq!((functions, bad), (vec![expect], vec![]));
    }
}
