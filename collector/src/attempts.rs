//! Who tried too often of late, where whoever comes may try: this keeps strangers from making the collector work.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered; the one whose attempts began first is forgotten for a new one.
const REMEMBERED: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Attempts {
    /// Of one address within [`WINDOW`]; whoever has so many is not listened to until it is over.
    most: u32,
    by_source: BTreeMap<IpAddr, (Instant, u32)>,
}

impl Attempts {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            by_source: BTreeMap::new(),
        }
    }

    pub(crate) fn is_too_many(&mut self, from: IpAddr, now: Instant) -> bool {
        let Some((began, count)) = self.by_source.get(&from) else {
            return false;
        };
        if now.saturating_duration_since(*began) >= WINDOW {
            self.by_source.remove(&from);
            return false;
        }
        *count >= self.most
    }

    pub(crate) fn add(&mut self, from: IpAddr, now: Instant) {
        if self.by_source.len() >= REMEMBERED && !self.by_source.contains_key(&from) {
            let first = self.by_source.iter().min_by_key(|(_, (began, _))| *began);
            if let Some(first) = first.map(|(first, _)| *first) {
                self.by_source.remove(&first);
            }
        }
        let (_, count) = self.by_source.entry(from).or_insert((now, 0));
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u32 = 30;

    #[test]
    fn whoever_tries_too_often_is_not_listened_to_for_a_while() {
        let mut attempts = Attempts::new(MOST);
        let (bad, good) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let begun = Instant::now();
        for _ in 0..MOST {
            assert!(!attempts.is_too_many(bad, begun));
            attempts.add(bad, begun);
        }
        assert!(attempts.is_too_many(bad, begun));
        assert!(!attempts.is_too_many(good, begun));
        assert!(!attempts.is_too_many(bad, begun + WINDOW));
    }

    #[test]
    fn only_so_many_addresses_are_remembered() {
        let mut attempts = Attempts::new(MOST);
        let begun = Instant::now();
        for number in 0..2 * REMEMBERED as u32 {
            let from = IpAddr::from(number.to_be_bytes());
            attempts.add(from, begun + Duration::from_micros(number.into()));
        }
        assert_eq!(attempts.by_source.len(), REMEMBERED);
    }
}
