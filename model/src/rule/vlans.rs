//! Sets of VLANs, and what of them a node lacks that nearly all others have.

use std::fmt;

use super::peers;
use super::stack;
use crate::cluster::FreshNode;
use crate::fact::bridge::{Bridge, BridgePort};
use crate::name::VlanId;
use crate::report::Facts as _;

const WORDS: usize = 64;
/// Ranges that a sentence names; of more it says how many VLANs they are.
const MAX_NAMED: usize = 8;

/// One bit for each of 1 to 4094.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct VlanSet([u64; WORDS]);

impl VlanSet {
    pub(super) const EMPTY: Self = Self([0; WORDS]);

    pub(super) fn insert(&mut self, vlan: VlanId) {
        let vlan = usize::from(vlan.get());
        if let Some(word) = self.0.get_mut(vlan / 64) {
            *word |= 1 << (vlan % 64);
        }
    }

    pub(super) fn insert_all(&mut self, first: VlanId, last: VlanId) {
        let (first, last) = (usize::from(first.get()), usize::from(last.get()));
        for (place, word) in self.0.iter_mut().enumerate() {
            let (begin, end) = (place * 64, place * 64 + 63);
            let (from, to) = (first.max(begin), last.min(end));
            if from <= to {
                *word |= (u64::MAX >> (63 - (to - from))) << (from - begin);
            }
        }
    }

    pub(super) fn contains(&self, vlan: u16) -> bool {
        let vlan = usize::from(vlan);
        self.0
            .get(vlan / 64)
            .is_some_and(|word| word & (1 << (vlan % 64)) != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u16> {
        (1..4_095).filter(|vlan| self.contains(*vlan))
    }
}

/// `VLAN 30`, `VLANs 30, 100-199`
impl fmt::Display for VlanSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for vlan in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == vlan => *last = vlan,
                _ => ranges.push((vlan, vlan)),
            }
        }
        let is_one = matches!(ranges.as_slice(), [(first, last)] if first == last);
        f.write_str(if is_one { "VLAN " } else { "VLANs " })?;
        for (place, (first, last)) in ranges.iter().take(MAX_NAMED).enumerate() {
            f.write_str(if place == 0 { "" } else { ", " })?;
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        let left: usize = ranges
            .iter()
            .skip(MAX_NAMED)
            .map(|(first, last)| usize::from(last - first) + 1)
            .sum();
        if left > 0 {
            write!(f, " and {left} more")
        } else {
            Ok(())
        }
    }
}

/// What one of several lacks.
pub(super) struct Lack {
    pub(super) place: usize,
    pub(super) vlans: VlanSet,
    /// So many of all have each of them, at least.
    pub(super) have: usize,
    pub(super) of: usize,
}

/// What each of these lacks that nearly all others have.
pub(super) fn lacking(sets: &[&VlanSet]) -> Vec<Lack> {
    if sets
        .windows(2)
        .all(|pair| matches!(pair, [one, other] if one == other))
    {
        return Vec::new();
    }
    let of = sets.len();
    let mut lacks: Vec<Lack> = Vec::new();
    for vlan in 1..4_095 {
        let have = sets.iter().filter(|set| set.contains(vlan)).count();
        let Ok(id) = VlanId::new(vlan.into()) else {
            continue;
        };
        if !peers::is_missing(have, of - have) {
            continue;
        }
        for (place, _) in sets
            .iter()
            .enumerate()
            .filter(|(_, set)| !set.contains(vlan))
        {
            match lacks.iter_mut().find(|lack| lack.place == place) {
                Some(lack) => {
                    lack.vlans.insert(id);
                    lack.have = lack.have.min(have);
                }
                None => {
                    let mut vlans = VlanSet::EMPTY;
                    vlans.insert(id);
                    lacks.push(Lack {
                        place,
                        vlans,
                        have,
                        of,
                    });
                }
            }
        }
    }
    lacks
}

/// The ports of a bridge that lead out of the node.
pub(super) fn uplinks<'a>(node: &'a FreshNode<'_>, bridge: &'a Bridge) -> Vec<&'a BridgePort> {
    let links = node.links().map_or(&[][..], Vec::as_slice);
    let leads_out = |port: &&BridgePort| {
        links
            .iter()
            .any(|link| link.name == port.name && stack::is_uplink(link))
    };
    bridge.ports.iter().filter(leads_out).collect()
}

/// The VLANs that pass the uplinks of a bridge. `None`: it has no uplink, does not tell VLANs apart, or it is not known.
pub(super) fn carried(node: &FreshNode<'_>, bridge: &Bridge) -> Option<VlanSet> {
    let uplinks = uplinks(node, bridge);
    if bridge.vlan_filtering != Some(true) || uplinks.is_empty() {
        return None;
    }
    let mut carried = VlanSet::EMPTY;
    for port in uplinks {
        for range in port.vlans.as_ref()? {
            carried.insert_all(range.first, range.last);
        }
    }
    Some(carried)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(vlans: &[u64]) -> VlanSet {
        let mut set = VlanSet::EMPTY;
        for vlan in vlans {
            set.insert(VlanId::new(*vlan).unwrap());
        }
        set
    }

    #[test]
    fn a_set_is_said_in_ranges() {
        assert_eq!(set(&[30]).to_string(), "VLAN 30");
        assert_eq!(
            set(&[30, 100, 101, 4094]).to_string(),
            "VLANs 30, 100-101, 4094"
        );
        let even: Vec<u64> = (1..=10).map(|vlan| vlan * 2).collect();
        assert_eq!(
            set(&even).to_string(),
            "VLANs 2, 4, 6, 8, 10, 12, 14, 16 and 2 more"
        );
    }

    #[test]
    fn a_range_is_all_of_its_vlans_and_no_other() {
        let id = |vlan| VlanId::new(vlan).unwrap();
        for (first, last) in [(1, 1), (2, 4_094), (63, 64), (64, 127), (100, 300)] {
            let mut range = VlanSet::EMPTY;
            range.insert_all(id(first), id(last));
            assert!(
                range == set(&(first..=last).collect::<Vec<_>>()),
                "{first}-{last}"
            );
        }
    }

    #[test]
    fn what_one_lacks_and_the_others_have_is_lacking_and_what_one_has_alone_is_not() {
        let sets = [set(&[1, 30]), set(&[1, 30]), set(&[1, 30]), set(&[1, 99])];
        let sets: Vec<&VlanSet> = sets.iter().collect();
        let lacks = lacking(&sets);
        let said: Vec<_> = lacks
            .iter()
            .map(|lack| (lack.place, lack.vlans.to_string(), lack.have, lack.of))
            .collect();
        assert_eq!(said, [(3, "VLAN 30".to_owned(), 3, 4)]);
        assert!(lacking(&[]).is_empty());
    }
}
