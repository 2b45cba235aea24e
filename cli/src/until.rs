//! `--until`: a day, a time, or how long from now.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// `2027-03-01`, `90d`, `8h`
pub(crate) fn until(text: &str) -> Result<Timestamp, String> {
    let of_day = |day: Date| day.to_zoned(TimeZone::UTC).map(|at| at.timestamp()).ok();
    let day = || text.parse::<Date>().ok().and_then(of_day);
    let at = || text.parse::<Timestamp>().ok();
    // Days and weeks are as long as a clock makes them, whatever a calendar says.
    let later = || Timestamp::now().checked_add(duration(text)?).ok();
    at().or_else(day).or_else(later).ok_or_else(|| {
        "it is a day (2027-03-01), a time (2027-03-01T12:00:00Z), or how long from now (90m, 8h, 90d, 2w)".to_owned()
    })
}

fn duration(text: &str) -> Option<SignedDuration> {
    let (number, hours) = match text.split_at_checked(text.len().checked_sub(1)?)? {
        (days, "d") => (days, 24),
        (weeks, "w") => (weeks, 7 * 24),
        _ => {
            let time = text.parse::<SignedDuration>().ok()?;
            return (!time.is_negative()).then_some(time);
        }
    };
    let hours = number.parse::<i64>().ok()?.checked_mul(hours)?;
    (0..=24 * 3_660)
        .contains(&hours)
        .then(|| SignedDuration::from_hours(hours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_a_time_and_a_while_are_understood() {
        let at = |text| until(text).unwrap().as_second();
        assert_eq!(at("2027-03-01"), 1_803_859_200);
        assert_eq!(at("2027-03-01T12:00:00+01:00"), 1_803_898_800);
        let while_of = |text, seconds: i64| {
            let away = at(text) - Timestamp::now().as_second();
            assert!(
                (seconds - 60..=seconds + 60).contains(&away),
                "{text}: {away}"
            );
        };
        while_of("90d", 90 * 86_400);
        while_of("2w", 14 * 86_400);
        while_of("12h", 12 * 3_600);
        while_of("90m", 90 * 60);
        while_of("1h 30m", 90 * 60);
    }

    #[test]
    fn what_is_none_of_these_is_refused() {
        for text in [
            "",
            "d",
            "soon",
            "-3d",
            "-3h",
            "90",
            "99999999999999999999w",
            "31.12.2027",
            "3ä",
        ] {
            assert!(until(text).is_err(), "{text}");
        }
    }
}
