//! Bonds and their ports: IFLA_BOND_* and IFLA_BOND_SLAVE_*.
//!
//! The bond's own LACP system priority and MAC address are only in an answer to a reader with CAP_NET_ADMIN
//! (drivers/net/bonding/bond_netlink.c, bond_fill_info); the partner and its aggregator are in everybody's.

use model::fact::bond::{Aggregator, BondMode, LacpRate, MiiStatus};
use model::fact::hardware_address::HardwareAddress;
use model::fact::link::{BondDetails, BondSlaveDetails, BondSlaveState};
use model::parse::ip::MAX_PER_LINK;
use netlink_packet_core::Parseable as _;
use netlink_packet_route::link::{BondAdInfo, InfoBond, InfoBondPort};

use super::attribute::{Attribute, Bad, each};
use super::link::Others;

pub(super) fn details(bytes: &[u8], others: &mut Others, bad: &mut Vec<String>) -> BondDetails {
    let mut bond = BondDetails::default();
    let take = |attribute: Attribute<'_>| own(&mut bond, others, &attribute);
    each(bytes, take, |why| bad.push(format!("bond: {why}")));
    bond
}

fn own(bond: &mut BondDetails, others: &mut Others, attribute: &Attribute<'_>) -> Result<(), Bad> {
    match InfoBond::parse(&attribute.whole)? {
        InfoBond::Mode(mode) => bond.mode = Some(BondMode::from_word(&mode.to_string())),
        InfoBond::ActivePort(index) => others.active_slave = Some(index).filter(|index| *index > 0),
        InfoBond::Primary(index) => others.primary_slave = Some(index).filter(|index| *index > 0),
        InfoBond::PrimaryReselect(when) => bond.primary_reselect = Some(when.to_string()),
        InfoBond::FailOverMac(how) => bond.fail_over_mac = Some(how.to_string()),
        InfoBond::XmitHashPolicy(policy) => bond.transmit_hash_policy = Some(policy.to_string()),
        InfoBond::MiiMon(ms) => bond.mii_polling_ms = Some(ms),
        InfoBond::UpDelay(ms) => bond.up_delay_ms = Some(ms),
        InfoBond::DownDelay(ms) => bond.down_delay_ms = Some(ms),
        InfoBond::PeerNotifDelay(ms) => bond.peer_notification_delay_ms = Some(ms),
        InfoBond::ArpInterval(ms) => bond.arp_polling_ms = Some(ms),
        InfoBond::ArpIpTarget(targets) => {
            let targets = targets.iter().take(MAX_PER_LINK);
            bond.arp_targets.extend(targets.map(ToString::to_string));
        }
        InfoBond::NsIp6Target(targets) => {
            let targets = targets.iter().take(MAX_PER_LINK);
            bond.arp_targets.extend(targets.map(ToString::to_string));
        }
        InfoBond::ArpValidate(what) => bond.arp_validate = Some(what.to_string()),
        InfoBond::MinLinks(count) => bond.min_links = Some(count),
        InfoBond::AdLacpActive(active) => {
            bond.lacp_active = Some(if active { "on" } else { "off" }.to_owned());
        }
        InfoBond::AdLacpRate(rate) => bond.lacp_rate = Some(LacpRate::from_word(&rate.to_string())),
        InfoBond::AdSelect(policy) => bond.ad_select = Some(policy.to_string()),
        InfoBond::AdInfo(info) => bond.active_aggregator = Some(aggregator(info)),
        InfoBond::AdActorSysPrio(priority) => bond.system_priority = Some(priority.into()),
        InfoBond::AdActorSystem(mac) => bond.system_mac = HardwareAddress::from_bytes(&mac),
        _ => {}
    }
    Ok(())
}

fn aggregator(info: Vec<BondAdInfo>) -> Aggregator {
    let mut aggregator = Aggregator::default();
    for part in info {
        match part {
            BondAdInfo::Aggregator(id) => aggregator.id = Some(id.into()),
            BondAdInfo::NumPorts(count) => aggregator.ports = Some(count.into()),
            BondAdInfo::ActorKey(key) => aggregator.actor_key = Some(key.into()),
            BondAdInfo::PartnerKey(key) => aggregator.partner_key = Some(key.into()),
            BondAdInfo::PartnerMac(mac) => {
                aggregator.partner_mac = HardwareAddress::from_bytes(&mac);
            }
            _ => {}
        }
    }
    aggregator
}

pub(super) fn port(bytes: &[u8], bad: &mut Vec<String>) -> BondSlaveDetails {
    let mut port = BondSlaveDetails::default();
    let take = |attribute: Attribute<'_>| of_port(&mut port, &attribute);
    each(bytes, take, |why| {
        bad.push(format!("port of a bond: {why}"))
    });
    port
}

fn of_port(port: &mut BondSlaveDetails, attribute: &Attribute<'_>) -> Result<(), Bad> {
    match InfoBondPort::parse(&attribute.whole)? {
        InfoBondPort::BondPortState(state) => {
            port.state = Some(BondSlaveState::from_word(&state.to_string()));
        }
        InfoBondPort::MiiStatus(status) => {
            let status = status.to_string().replace('_', " ");
            port.mii_status = Some(MiiStatus::from_word(&status));
        }
        InfoBondPort::LinkFailureCount(count) => port.failures = Some(count.into()),
        InfoBondPort::PermHwaddr(mac) => port.permanent_mac = HardwareAddress::from_bytes(&mac),
        InfoBondPort::QueueId(id) => port.queue_id = Some(id.into()),
        InfoBondPort::Prio(priority) => port.priority = Some(priority.into()),
        InfoBondPort::AdAggregatorId(id) => port.aggregator_id = Some(id.into()),
        InfoBondPort::AdActorOperPortState(state) => {
            port.actor_port_state = Some(state.bits().into());
        }
        InfoBondPort::AdPartnerOperPortState(state) => {
            port.partner_port_state = Some(state.bits().into());
        }
        _ => {}
    }
    Ok(())
}
