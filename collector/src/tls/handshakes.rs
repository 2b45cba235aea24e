//! Which handshakes are in flight. There is always room for one more: the oldest gives way, of the same address if that
//! has more than its share. An honest client is through in milliseconds; one that holds a handshake open on purpose is
//! soon the oldest, so that thousands of them keep nobody out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// In flight at the same time.
pub(super) const MOST: usize = 4_096;
/// Of them from one address; a test machine may have 2,000 agents on it, which come back all at once.
pub(super) const MOST_OF_ONE: usize = 3_072;

/// The part of an address that costs something to change: of IPv6 the first 64 bits.
pub(crate) fn source(address: SocketAddr) -> IpAddr {
    match address.ip().to_canonical() {
        IpAddr::V6(ip) => {
            let network = ip.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
        ip => ip,
    }
}

#[derive(Debug)]
pub(super) struct Handshakes<T> {
    most: usize,
    most_of_one: usize,
    next: u64,
    open: BTreeMap<u64, (IpAddr, T)>,
    by_source: BTreeMap<IpAddr, BTreeSet<u64>>,
}

impl<T> Handshakes<T> {
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self {
            most,
            most_of_one,
            next: 0,
            open: BTreeMap::new(),
            by_source: BTreeMap::new(),
        }
    }

    /// The number that the next one will have.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Lets one in, and gives back the one that must give way for it.
    pub(super) fn enter(&mut self, from: IpAddr, what: T) -> Option<T> {
        let of_same = self.by_source.get(&from);
        let victim = match of_same {
            Some(same) if same.len() >= self.most_of_one => same.first().copied(),
            _ if self.open.len() >= self.most => self.oldest(),
            _ => None,
        };
        let victim = victim.and_then(|number| self.leave(number));
        self.open.insert(self.next, (from, what));
        self.by_source.entry(from).or_default().insert(self.next);
        self.next += 1;
        victim
    }

    /// It is over, in one way or another.
    pub(super) fn leave(&mut self, number: u64) -> Option<T> {
        let (from, what) = self.open.remove(&number)?;
        if let Some(same) = self.by_source.get_mut(&from) {
            same.remove(&number);
            if same.is_empty() {
                self.by_source.remove(&from);
            }
        }
        Some(what)
    }

    /// Gives up the oldest: there is no descriptor left for another one.
    pub(super) fn drop_oldest(&mut self) -> Option<T> {
        self.oldest().and_then(|number| self.leave(number))
    }

    fn oldest(&self) -> Option<u64> {
        self.open.first_key_value().map(|(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> IpAddr {
        source(SocketAddr::new(text.parse().unwrap(), 1))
    }

    #[test]
    fn one_address_pushes_out_only_itself() {
        let mut handshakes = Handshakes::new(4, 3);
        assert_eq!(handshakes.enter(from("192.0.2.1"), "good"), None);
        for slow in ["slow 1", "slow 2", "slow 3"] {
            assert_eq!(handshakes.enter(from("192.0.2.2"), slow), None);
        }
        assert_eq!(
            handshakes.enter(from("192.0.2.2"), "slow 4"),
            Some("slow 1")
        );
        assert_eq!(handshakes.leave(0), Some("good"));
        assert_eq!(handshakes.leave(0), None);
    }

    #[test]
    fn when_all_are_too_many_the_oldest_goes() {
        let mut handshakes = Handshakes::new(2, 2);
        assert_eq!(handshakes.enter(from("192.0.2.1"), 1), None);
        assert_eq!(handshakes.enter(from("192.0.2.2"), 2), None);
        assert_eq!(handshakes.enter(from("192.0.2.3"), 3), Some(1));
        assert_eq!(handshakes.drop_oldest(), Some(2));
        assert_eq!(handshakes.next(), 3);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        assert_eq!(from("2001:db8::1"), from("2001:db8::ffff:1"));
        assert_ne!(from("2001:db8::1"), from("2001:db8:0:1::1"));
        assert_eq!(from("::ffff:192.0.2.1"), from("192.0.2.1"));
    }
}
