//! A moment as people say it: how long ago, or a date and time.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    parse_at(text, &Zoned::now())
}

fn parse_at(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    // Before spans: `2026-11-21` is none.
    if let Ok(clock) = text.parse::<DateTime>() {
        let zone: TimeZone = now.time_zone().clone();
        let at = clock.to_zoned(zone).map_err(|error| error.to_string())?;
        return Ok(at.timestamp());
    }
    let ago = text.parse::<Span>().map_err(|_| {
        "how long ago (10min, 2h, 3d) or a date and time (2026-11-21, '2026-11-21 14:00', 2026-11-21T14:00:00Z)".to_owned()
    })?;
    let at = now
        .checked_sub(ago.abs())
        .map_err(|error| error.to_string())?;
    Ok(at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let now = "2026-11-21T14:00:00+00:00[UTC]"
            .parse::<Timestamp>()
            .unwrap();
        let now = now.to_zoned(TimeZone::UTC);
        assert_eq!(parse_at(text, &now).unwrap().to_string(), expect);
    }

    #[test]
    fn how_long_ago_and_dates_are_understood() {
        check("10min", "2026-11-21T13:50:00Z");
        check("2h", "2026-11-21T12:00:00Z");
        check("2h ago", "2026-11-21T12:00:00Z");
        check("3d", "2026-11-18T14:00:00Z");
        check("2026-11-20", "2026-11-20T00:00:00Z");
        check("2026-11-20 12:30", "2026-11-20T12:30:00Z");
        check("2026-11-20T12:30:00+01:00", "2026-11-20T11:30:00Z");
    }

    #[test]
    fn what_is_no_moment_is_refused_with_examples() {
        let error = parse_at("yesterdayish", &Zoned::now()).unwrap_err();
        assert!(error.contains("10min, 2h, 3d"), "{error}");
    }
}
