//! Which machine is this? What a node of a cluster could say too, if the collector runs on it or in a guest of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use model::fact::hardware_address::HardwareAddress;
use model::topology::Machine;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const INTERFACES: &str = "/sys/class/net";

/// What cannot be read is not known, and then the collector is not found anywhere.
pub(crate) fn this() -> Machine {
    let boot_id = fs::read_to_string(BOOT_ID).ok();
    let interfaces = fs::read_dir(INTERFACES).into_iter().flatten().flatten();
    let cards = interfaces.filter_map(|interface| card(&interface.path()));
    let hardware_addresses: BTreeSet<_> = cards.filter(|card| !card.is_zero()).collect();
    Machine {
        boot_id: boot_id.map(|id| id.trim().to_owned()),
        hardware_addresses,
    }
}

fn card(interface: &Path) -> Option<HardwareAddress> {
    let text = fs::read_to_string(interface.join("address")).ok()?;
    text.trim().parse().ok()
}
