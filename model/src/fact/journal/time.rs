//! When an entry was written, no more exactly than the text states it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// When an entry was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalTime {
    /// A moment: the journal's own stamp, or a text with its offset.
    Exact(Timestamp),
    /// A wall clock without a zone that we could resolve, mostly without a year too.
    Civil(CivilTime),
    /// Microseconds since the boot: `dmesg`, `journalctl -o short-monotonic`.
    SinceBootUs(u64),
}

/// A wall clock's reading. As text: `2026-11-21T03:46:01.25 CET`, without a year `--11-21T03:46:01`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CivilTime {
    /// In the year 4 (a leap year) where the text states no year.
    clock: DateTime,
    has_year: bool,
    /// The zone's abbreviation, where one is printed. `CST` alone is three different zones.
    zone: Option<String>,
}

const YEARLESS: i16 = 4;

impl CivilTime {
    /// `None` if there is no such date or time of day.
    pub fn new(
        year: Option<i16>,
        (month, day): (i8, i8),
        (hour, minute, second): (i8, i8, i8),
        nanosecond: i32,
        zone: Option<&str>,
    ) -> Option<Self> {
        let year_or_any = year.unwrap_or(YEARLESS);
        // A leap second is written as 60: the last moment before it is as near as jiff can say it.
        let second = if second == 60 { 59 } else { second };
        DateTime::new(year_or_any, month, day, hour, minute, second, nanosecond)
            .ok()
            .map(|clock| Self {
                clock,
                has_year: year.is_some(),
                zone: zone.map(str::to_owned),
            })
    }

    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// A moment to order entries by, and for nothing else: the clock is taken for UTC, and a missing year for the
    /// last one in which the moment is not after `read_at` (with a day's grace for the zone).
    pub fn for_ordering(&self, read_at: Timestamp) -> Option<Timestamp> {
        let moment = |clock: DateTime| Some(clock.to_zoned(TimeZone::UTC).ok()?.timestamp());
        if self.has_year {
            return moment(self.clock);
        }
        let latest = read_at
            .checked_add(jiff::SignedDuration::from_hours(24))
            .ok()?;
        let this_year = latest.to_zoned(TimeZone::UTC).year();
        // 29 February is at most eight years back.
        (0..=8).find_map(|back| {
            let year = this_year.checked_sub(back)?;
            let clock = self.clock.date();
            let date = jiff::civil::Date::new(year, clock.month(), clock.day()).ok()?;
            moment(date.to_datetime(self.clock.time())).filter(|moment| *moment <= latest)
        })
    }
}

impl fmt::Display for CivilTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = self.clock;
        if self.has_year {
            write!(f, "{}", clock.date())?;
        } else {
            write!(f, "--{:02}-{:02}", clock.month(), clock.day())?;
        }
        write!(f, "T{}", clock.time())?;
        match &self.zone {
            Some(zone) => write!(f, " {zone}"),
            None => Ok(()),
        }
    }
}

/// A text that is no wall clock's reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a date and time like 2026-11-21T03:46:01 or --11-21T03:46:01")]
pub struct BadCivilTime {
    text: String,
}

impl FromStr for CivilTime {
    type Err = BadCivilTime;

    fn from_str(text: &str) -> Result<Self, BadCivilTime> {
        let bad = || BadCivilTime {
            text: text.to_owned(),
        };
        let (clock, zone) = match text.split_once(' ') {
            Some((clock, zone)) => (clock, Some(zone.to_owned())),
            None => (text, None),
        };
        let yearless = clock.strip_prefix("--");
        let full =
            yearless.map_or_else(|| clock.to_owned(), |rest| format!("{YEARLESS:04}-{rest}"));
        Ok(Self {
            clock: full.parse().map_err(|_| bad())?,
            has_year: yearless.is_none(),
            zone,
        })
    }
}

impl TryFrom<String> for CivilTime {
    type Error = BadCivilTime;

    fn try_from(text: String) -> Result<Self, BadCivilTime> {
        text.parse()
    }
}

impl From<CivilTime> for String {
    fn from(time: CivilTime) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_without_a_year_stays_without_one() {
        let time = CivilTime::new(None, (2, 29), (3, 46, 1), 250_000_000, Some("CET")).unwrap();
        assert_eq!(time.to_string(), "--02-29T03:46:01.25 CET");
        assert_eq!(time.to_string().parse(), Ok(time));
        assert!(CivilTime::new(None, (2, 30), (0, 0, 0), 0, None).is_none());
        assert!("".parse::<CivilTime>().is_err());
    }

    #[test]
    fn only_for_ordering_a_missing_year_is_the_last_one_that_fits() {
        let december = CivilTime::new(None, (12, 31), (23, 59, 60), 0, None).unwrap();
        let read_at: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let ordered = december.for_ordering(read_at).unwrap();
        assert_eq!(ordered.to_string(), "2025-12-31T23:59:59Z");
        let leap = CivilTime::new(None, (2, 29), (0, 0, 0), 0, None).unwrap();
        let ordered = leap.for_ordering(read_at).unwrap();
        assert_eq!(ordered.to_string(), "2024-02-29T00:00:00Z");
    }
}
