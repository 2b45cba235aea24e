//! `/run/systemd/shutdown/scheduled`, as systemd-logind writes it (systemd, src/login/logind-dbus.c).

use jiff::Timestamp;

use super::assignments::assignments;
use crate::fact::power::{ScheduledShutdown, ShutdownMode};
use crate::text::{BadLine, BadLines, Parsed, Unreadable};

/// How much of the message is kept.
const MAX_MESSAGE_CHARS: usize = 200;

/// Reads the file. One with neither a time nor a mode is none.
pub fn parse(text: &str) -> Result<Parsed<ScheduledShutdown>, Unreadable> {
    let mut scheduled = ScheduledShutdown::default();
    let mut bad_lines = BadLines::default();
    let mut known = false;
    for found in assignments(text) {
        match found.key {
            "USEC" => {
                known = true;
                let at = found.line.number(found.value, "the time").and_then(|us| {
                    Timestamp::from_microsecond(us)
                        .map_err(|_| BadLine::new(found.line, "there is no such time"))
                });
                scheduled.at = bad_lines.keep(at);
            }
            "MODE" if found.value.is_empty() => {
                bad_lines.push(BadLine::new(found.line, "the mode is empty"));
            }
            "MODE" => {
                known = true;
                scheduled.mode = Some(ShutdownMode::from_word(found.value));
            }
            "WARN_WALL" => {
                let warns = found.yes_or_no();
                let warns =
                    warns.ok_or_else(|| BadLine::new(found.line, "it is neither yes nor no"));
                scheduled.warns = bad_lines.keep(warns);
            }
            "WALL_MESSAGE" if !found.value.is_empty() => {
                scheduled.message = Some(unescaped(found.value));
            }
            _ => {}
        }
    }
    if known {
        Ok(bad_lines.with(scheduled))
    } else {
        Err(Unreadable::foreign(text))
    }
}

/// systemd writes what is no letter or digit as `\x20`. Control characters stay as they are written.
fn unescaped(text: &str) -> String {
    let mut message = String::new();
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        let escape = rest.strip_prefix("\\x").and_then(|behind| behind.get(..2));
        let byte = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (sign, length) = match byte {
            Some(byte) if byte == b' ' || byte.is_ascii_graphic() => (char::from(byte), 4),
            _ => (sign, sign.len_utf8()),
        };
        message.push(sign);
        rest = rest.get(length..).unwrap_or_default();
    }
    message.chars().take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(text: &str) -> ScheduledShutdown {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.bad_lines, []);
        parsed.value
    }

    #[test]
    fn a_planned_reboot_says_when_and_why() {
        let scheduled = read(include_str!("../../fixtures/shutdown/lab-257-reboot"));
        assert_eq!(scheduled.mode, Some(ShutdownMode::Reboot));
        assert_eq!(
            scheduled.at.unwrap().as_microsecond(),
            1_795_246_916_251_216
        );
        assert_eq!(scheduled.warns, Some(true));
        let message = scheduled.message.as_deref();
        assert_eq!(message, Some("kernel update; see ticket 7"));
    }

    #[test]
    fn a_planned_poweroff_and_the_form_of_older_systemd_are_read() {
        let scheduled = read(include_str!("../../fixtures/shutdown/lab-257-poweroff"));
        assert_eq!(scheduled.mode, Some(ShutdownMode::PowerOff));
        assert_eq!(scheduled.message, None);
        let scheduled = read(include_str!("../../fixtures/shutdown/written-252-reboot"));
        assert_eq!(scheduled.warns, Some(false));
    }

    #[test]
    fn a_time_that_is_none_costs_itself() {
        for time in ["soon", "99999999999999999999", "9223372036854775807"] {
            let parsed = parse(&format!("USEC={time}\nMODE=halt\n")).unwrap();
            assert_eq!(
                (parsed.value.at, parsed.bad_lines.len()),
                (None, 1),
                "{time}"
            );
            assert_eq!(parsed.value.mode, Some(ShutdownMode::Halt));
        }
        assert!(parse("").is_err());
        assert!(parse("WARN_WALL=1\n").is_err());
    }

    #[test]
    fn a_message_can_hold_anything() {
        assert_eq!(unescaped(r"a\x20b\x1b[2J\x"), r"a b\x1b[2J\x");
        assert_eq!(unescaped("ä\\xä"), "ä\\xä");
        assert_eq!(unescaped(&"x".repeat(9999)).len(), MAX_MESSAGE_CHARS);
    }
}
