//! VLANs, folded into ranges while they are read: 4094 entries a port, which is what iproute2 prints unasked, are one.

use std::collections::BTreeMap;

use super::MAX_PORTS;
use crate::fact::bridge::{PortVlans, VlanRange};
use crate::name::{IfaceName, VlanId};

/// The ranges of one port.
#[derive(Debug, Default)]
pub(super) struct Folding {
    ranges: Vec<VlanRange>,
    out_of_order: bool,
}

/// A port has no more VLANs than there are; more entries than this are put in order at once.
const MAX_UNORDERED: usize = 2 * 4094;

impl Folding {
    pub(super) fn add(&mut self, range: VlanRange) {
        if let Some(last) = self.ranges.last_mut() {
            let alike = (last.pvid, last.untagged) == (range.pvid, range.untagged);
            if alike && last.last.get() + 1 == range.first.get() {
                last.last = range.last;
                return;
            }
            self.out_of_order |= range.first <= last.last;
        }
        self.ranges.push(range);
        if self.ranges.len() >= MAX_UNORDERED {
            self.put_in_order();
        }
    }

    pub(super) fn finish(mut self) -> Vec<VlanRange> {
        if self.out_of_order {
            self.put_in_order();
        }
        self.ranges
    }

    /// Where entries overlap, the later holds.
    fn put_in_order(&mut self) {
        let mut table: Vec<Option<(bool, bool)>> = vec![None; 4095];
        for range in &self.ranges {
            let ids = usize::from(range.first.get())..=usize::from(range.last.get());
            if let Some(part) = table.get_mut(ids) {
                part.fill(Some((range.pvid, range.untagged)));
            }
        }
        self.ranges.clear();
        self.out_of_order = false;
        for (id, flags) in (0..).zip(table) {
            if let (Some((pvid, untagged)), Ok(id)) = (flags, VlanId::new(id)) {
                self.add(VlanRange {
                    first: id,
                    last: id,
                    pvid,
                    untagged,
                });
            }
        }
    }
}

/// The ports of one text, in the order in which they are first named.
#[derive(Debug, Default)]
pub(super) struct Ports {
    ports: Vec<(IfaceName, Folding)>,
    places: BTreeMap<IfaceName, usize>,
}

impl Ports {
    /// Where the VLANs of this port are gathered; `None` if there are too many ports.
    pub(super) fn port(&mut self, name: IfaceName) -> Option<&mut Folding> {
        let place = match self.places.get(&name) {
            Some(place) => *place,
            None if self.ports.len() >= MAX_PORTS => return None,
            None => {
                self.places.insert(name.clone(), self.ports.len());
                self.ports.push((name, Folding::default()));
                self.ports.len() - 1
            }
        };
        self.ports.get_mut(place).map(|(_, folding)| folding)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    pub(super) fn finish(self) -> Vec<PortVlans> {
        let ports = self.ports.into_iter();
        ports
            .map(|(name, folding)| PortVlans {
                name,
                vlans: folding.finish(),
            })
            .collect()
    }
}

/// `first..=last`, or why there is no such range.
pub(super) fn range(
    first: u64,
    last: u64,
    pvid: bool,
    untagged: bool,
) -> Result<VlanRange, &'static str> {
    let id = |id| VlanId::new(id).map_err(|_| "a VLAN id is 1 to 4094");
    let (first, last) = (id(first)?, id(last)?);
    if first > last {
        return Err("the range ends before it begins");
    }
    Ok(VlanRange {
        first,
        last,
        pvid,
        untagged,
    })
}
