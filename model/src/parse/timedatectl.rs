//! `timedatectl show` (systemd, src/timedate/timedatectl.c): what systemd-timedated says of the clock.

use super::assignments::assignments;
use crate::fact::clock::Timedate;
use crate::text::{BadLine, BadLines, Parsed, Unreadable};

/// Reads the properties. `None`: there is no systemd that could be asked.
pub fn parse(text: &str) -> Result<Parsed<Option<Timedate>>, Unreadable> {
    if text.lines().any(is_no_systemd) {
        return Ok(BadLines::default().with(None));
    }
    let mut timedate = Timedate::default();
    let mut bad_lines = BadLines::default();
    let mut known = false;
    for found in assignments(text) {
        let mut yes_or_no = || {
            let read = found.yes_or_no();
            bad_lines.keep(read.ok_or_else(|| BadLine::new(found.line, "it is neither yes nor no")))
        };
        match found.key {
            "Timezone" => timedate.time_zone = Some(found.value.to_owned()),
            "LocalRTC" => timedate.hardware_clock_is_local = yes_or_no(),
            "CanNTP" => timedate.can_keep_time = yes_or_no(),
            "NTP" => timedate.keeps_time = yes_or_no(),
            "NTPSynchronized" => timedate.synchronised = yes_or_no(),
            _ => continue,
        }
        known = true;
    }
    if known {
        Ok(bad_lines.with(Some(timedate)))
    } else {
        Err(Unreadable::complaint_in(text, |line| {
            line.starts_with("Failed to ")
        }))
    }
}

fn is_no_systemd(line: &str) -> bool {
    line.starts_with("System has not been booted with systemd as init system")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_nobody_keeps_is_not_synchronised() {
        let text = include_str!("../../fixtures/timedatectl/lab-257");
        let timedate = parse(text).unwrap().value.unwrap();
        assert_eq!(timedate.synchronised, Some(false));
        assert_eq!(timedate.keeps_time, Some(false));
        assert_eq!(timedate.hardware_clock_is_local, Some(false));
        assert_eq!(timedate.time_zone.as_deref(), Some("Etc/UTC"));
    }

    #[test]
    fn another_init_is_no_error_and_a_dead_bus_is_one() {
        let text = include_str!("../../fixtures/timedatectl/systemd-252-not-the-init");
        assert_eq!(parse(text).unwrap().value, None);
        assert!(parse("Failed to query server: Connection timed out\n").is_err());
        assert!(parse("").is_err());
    }

    #[test]
    fn a_word_that_is_neither_yes_nor_no_stays_unknown() {
        let parsed = parse("NTPSynchronized=maybe\nNTP=yes\n").unwrap();
        assert_eq!(parsed.bad_lines.len(), 1);
        let timedate = parsed.value.unwrap();
        assert_eq!(
            (timedate.synchronised, timedate.keeps_time),
            (None, Some(true))
        );
    }
}
