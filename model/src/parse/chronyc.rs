//! `chronyc -c tracking` (chrony, client.c): one line of fourteen values. The order has been the same since `-c` was
//! there (chrony 3.0); more may follow behind.

use jiff::Timestamp;

use crate::fact::clock::{Chrony, Leap};
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines};

/// Reads the line. What chronyc says when its daemon does not answer is `Unreadable`.
pub fn tracking(text: &str) -> Result<Parsed<Chrony>, Unreadable> {
    let Some(line) = lines(text).find(is_tracking) else {
        return Err(Unreadable::complaint_in(text, |line| {
            // `506 Cannot talk to daemon`, `501 Not authorised`
            line.starts_with("50") || line.starts_with("Could not")
        }));
    };
    let mut bad_lines = BadLines::default();
    let mut values = line.text.trim().split(',');
    let mut text = || values.next().filter(|value| !value.is_empty());
    let reference_id = text().map(str::to_owned);
    let server = text().map(str::to_owned);
    let stratum = number(line, &mut bad_lines, "the stratum", text());
    let measured_at = time(line, &mut bad_lines, text());
    let mut seconds = |what| number(line, &mut bad_lines, what, text());
    Ok(Parsed {
        value: Chrony {
            reference_id,
            server,
            stratum,
            measured_at,
            // What chrony is still adding to the clock: a clock that is behind has a positive one.
            offset_s: seconds("the offset").map(|correction: f64| 0.0 - correction),
            last_offset_s: seconds("the last offset"),
            rms_offset_s: seconds("the RMS offset"),
            frequency_ppm: seconds("the frequency"),
            // The residual frequency says nothing that the skew does not.
            skew_ppm: {
                let _ = seconds("the residual frequency");
                seconds("the skew")
            },
            root_delay_s: seconds("the root delay"),
            root_dispersion_s: seconds("the root dispersion"),
            update_interval_s: seconds("the update interval"),
            leap: text().map(Leap::from_word),
        },
        bad_lines: bad_lines.with(()).bad_lines,
    })
}

fn is_tracking(line: &Line<'_>) -> bool {
    let mut values = line.text.trim().split(',');
    let is_id = |id: &str| id.len() == 8 && id.bytes().all(|sign| sign.is_ascii_hexdigit());
    values.next().is_some_and(is_id) && values.count() >= 12
}

fn number<N: Finite>(
    line: Line<'_>,
    bad_lines: &mut BadLines,
    what: &str,
    value: Option<&str>,
) -> Option<N> {
    let read = line.number(value?, what).and_then(|number: N| {
        let finite = number.is_finite();
        finite
            .then_some(number)
            .ok_or_else(|| BadLine::new(line, format!("{what} is not a number")))
    });
    bad_lines.keep(read)
}

/// `NaN` and `inf` read as numbers, and are none in JSON.
trait Finite: std::str::FromStr {
    fn is_finite(&self) -> bool;
}

impl Finite for f64 {
    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }
}

impl Finite for u8 {
    fn is_finite(&self) -> bool {
        true
    }
}

/// `1795245813.710396989`, of which the seconds are kept; zero where nothing was ever measured.
fn time(line: Line<'_>, bad_lines: &mut BadLines, value: Option<&str>) -> Option<Timestamp> {
    let seconds = value?.split('.').next().unwrap_or_default();
    let seconds = bad_lines.keep(line.number::<i64>(seconds, "the time"))?;
    if seconds == 0 {
        return None;
    }
    let at =
        Timestamp::from_second(seconds).map_err(|_| BadLine::new(line, "there is no such time"));
    bad_lines.keep(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLLOWING: &str = include_str!("../../fixtures/chronyc/written-following-a-server");
    const LOCAL: &str = include_str!("../../fixtures/chronyc/chrony-4.3-follows-itself");
    const NOBODY: &str = include_str!("../../fixtures/chronyc/chrony-4.3-hears-nobody");

    #[track_caller]
    fn read(text: &str) -> Chrony {
        let parsed = tracking(text).unwrap();
        assert_eq!(parsed.bad_lines, []);
        parsed.value
    }

    #[test]
    fn a_clock_that_follows_a_server_is_read_whole() {
        let chrony = read(FOLLOWING);
        assert_eq!(chrony.server.as_deref(), Some("192.0.2.1"));
        assert_eq!(chrony.stratum, Some(3));
        assert_eq!(chrony.offset_s, Some(0.000_023_4));
        assert_eq!(chrony.frequency_ppm, Some(-12.345));
        assert_eq!(chrony.skew_ppm, Some(0.034));
        assert_eq!(chrony.root_delay_s, Some(0.012));
        assert_eq!(chrony.root_dispersion_s, Some(0.001));
        assert_eq!(chrony.update_interval_s, Some(64.2));
        assert_eq!(chrony.leap, Some(Leap::Normal));
        let max_error = chrony.max_error_s().unwrap();
        assert!((max_error - 0.007_023_4).abs() < 1e-9, "{max_error}");
        assert_eq!(
            chrony.measured_at.unwrap().to_string(),
            "2024-11-21T07:23:33Z"
        );
    }

    #[test]
    fn a_clock_that_follows_itself_names_no_server() {
        let chrony = read(LOCAL);
        assert_eq!(chrony.reference_id.as_deref(), Some("7F7F0101"));
        assert_eq!((chrony.server, chrony.stratum), (None, Some(10)));
    }

    #[test]
    fn a_daemon_that_hears_nobody_is_not_synchronised() {
        let chrony = read(NOBODY);
        assert_eq!(chrony.leap, Some(Leap::NotSynchronised));
        assert_eq!((chrony.server, chrony.measured_at), (None, None));
    }

    #[test]
    fn a_daemon_that_does_not_answer_is_no_clock() {
        let error = tracking("506 Cannot talk to daemon\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the tool answered: 506 Cannot talk to daemon"
        );
        assert_eq!(tracking(""), Err(Unreadable::Empty));
    }

    #[test]
    fn a_value_that_is_none_costs_itself() {
        let parsed = tracking(&FOLLOWING.replace("-0.000023400", "NaN")).unwrap();
        assert_eq!(parsed.value.offset_s, None);
        assert_eq!(parsed.bad_lines.len(), 1);
        assert_eq!(parsed.value.stratum, Some(3));
        assert_eq!(parsed.value.max_error_s(), None);
    }
}
