//! How long something is good, as it is written on the command line: `90s`, `30m`, `24h`, `7d`.

use std::time::Duration;

/// A token that is good for longer is forgotten before it ends.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let allowed =
        || "a number and one of s, m, h, d is meant, such as 24h, and at most 366d".to_owned();
    let unit = text.chars().next_back().ok_or_else(allowed)?;
    let number = text.strip_suffix(unit).unwrap_or_default();
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(allowed()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds))
        .map(Duration::from_secs)
        .filter(|lifetime| !lifetime.is_zero() && *lifetime <= LONGEST)
        .ok_or_else(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_lifetime_and_nothing_else_is() {
        assert_eq!(parse("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(parse("7d"), Ok(Duration::from_secs(604_800)));
        for text in [
            "",
            "h",
            "24",
            "0h",
            "-1h",
            "1.5h",
            "1w",
            "367d",
            "99999999999999999d",
            "1é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
