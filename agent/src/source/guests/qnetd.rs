//! Is the qdevice's server in a guest of this node? Its address is in corosync.conf, the kernel knows by which hardware
//! address it is reached, and a guest's file has that of its network card. A captured tree has no neighbour table.

use core::net::IpAddr;

use model::fact::guests::{Guest, Guests};
use model::reading::Reading;

use crate::host::{Host, said};
use crate::netlink;
use crate::source::corosync_conf;
use crate::source::gather::Gathering;

pub(super) fn look(host: &Host, mut guests: Guests, gathering: &mut Gathering) -> Guests {
    let Some(qnetd) = qnetd(host).filter(|_| !host.is_captured()) else {
        return guests;
    };
    match netlink::reached_by(qnetd) {
        Ok(answer) => {
            for why in answer.problems {
                gathering.remark("rtnetlink", why);
            }
            let has_it = |guest: &&Guest| {
                let mut cards = guest.hardware_addresses();
                cards.any(|card| answer.value.contains(card))
            };
            guests.with_qnetd = guests.here.iter().find(has_it).map(|guest| guest.id);
        }
        Err(error) => gathering.remark("rtnetlink", said(&error)),
    }
    guests
}

/// A name would have to be asked of somebody: `pvecm qdevice setup` writes an address.
fn qnetd(host: &Host) -> Option<IpAddr> {
    // What is wrong in the file is said where it is read for itself.
    let Reading::Known { value, .. } = corosync_conf::collect(host) else {
        return None;
    };
    let conf = value.local.or(value.cluster)?;
    conf.quorum.device?.host?.parse().ok()
}
