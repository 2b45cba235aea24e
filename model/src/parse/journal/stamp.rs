//! The times that lines of plain logs begin with. Whatever states no offset stays a wall clock's reading.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use crate::fact::journal::{CivilTime, JournalTime};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// The names that journalctl and rsyslog print under other languages where they differ from the English ones (glibc's
/// locales de, fr, es, it, nl, pt, pl, sv; some end with a point), without regard to case.
const OTHER_MONTHS: [&[&str]; 12] = [
    &["jän", "janv", "ene", "gen", "sty"],
    &["févr", "fév", "fev", "lut"],
    &["mär", "mrz", "mars", "mrt", "maart"],
    &["avr", "avril", "abr", "kwi"],
    &["mai", "mag", "mei", "maj"],
    &["juin", "giu", "cze"],
    &["juil", "lug", "lip"],
    &["août", "aou", "ago", "sie"],
    &["sept", "set", "wrz"],
    &["okt", "ott", "out", "paź"],
    &["lis"],
    &["dez", "déc", "dic", "gru"],
];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Takes the time off the front of a line.
pub(super) fn read(line: &str) -> Option<(JournalTime, &str)> {
    match line.bytes().next()? {
        b'[' => in_brackets(line),
        b'0'..=b'9' => iso(line, false).or_else(|| unix(line)),
        _ => month_first(line).or_else(|| {
            let (weekday, rest) = line.split_once(' ')?;
            WEEKDAYS.contains(&weekday).then(|| iso(rest, true))?
        }),
    }
}

/// `dmesg --time-format iso` writes a comma where everybody else writes a point: `2026-11-21T03:46:01,123456+00:00`.
pub(super) fn is_dmesg_iso(line: &str) -> bool {
    line.as_bytes().get(10) == Some(&b'T') && line.as_bytes().get(19) == Some(&b',')
}

/// `Nov 21 03:46:01[.123456]`, the day padded with a blank.
fn month_first(line: &str) -> Option<(JournalTime, &str)> {
    let (month, rest) = line.split_once(' ')?;
    let month = month_number(month)?;
    let (day, rest) = rest.trim_start().split_once(' ')?;
    let (clock, rest) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
    let (time, nanosecond) = clock_time(clock)?;
    let civil = CivilTime::new(None, (month, day.parse().ok()?), time, nanosecond, None)?;
    Some((JournalTime::Civil(civil), rest))
}

fn month_number(name: &str) -> Option<i8> {
    // No name of a month is longer: kernel lines and sentences come here too.
    if name.len() > 8 {
        return None;
    }
    let english = MONTHS.iter().position(|month| *month == name);
    let index = english.or_else(|| {
        let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
        let same = MONTHS
            .iter()
            .position(|month| *month.to_lowercase() == *name);
        same.or_else(|| {
            OTHER_MONTHS
                .iter()
                .position(|names| names.contains(&name.as_str()))
        })
    })?;
    i8::try_from(index + 1).ok()
}

/// `2026-11-21T03:46:01.123456+0100`, or with a blank and a zone: `2026-11-21 03:46:01 CET`. Behind a weekday
/// (`-o short-full`) a zone always follows; elsewhere it could be the host's name, so only sure ones are taken.
fn iso(line: &str, zone_follows: bool) -> Option<(JournalTime, &str)> {
    let (date, rest) = line.split_at_checked(10)?;
    let date = iso_date(date)?;
    let separator = rest.bytes().next()?;
    if separator != b'T' && separator != b' ' {
        return None;
    }
    let (word, rest) = rest.get(1..)?.split_once(' ')?;
    let clock_end = word
        .find(|letter: char| !letter.is_ascii_digit() && !matches!(letter, ':' | '.' | ','))
        .unwrap_or(word.len());
    let (clock, offset) = word.split_at_checked(clock_end)?;
    let (time, nanosecond) = clock_time(clock)?;
    let (zone, rest) = if !offset.is_empty() {
        (Some(offset), rest)
    } else {
        match rest.split_once(' ') {
            Some((zone, after)) if zone_follows || offset_of(zone).is_some() => (Some(zone), after),
            _ => (None, rest),
        }
    };
    let civil = CivilTime::new(
        Some(date.year()),
        (date.month(), date.day()),
        time,
        nanosecond,
        zone,
    )?;
    let Some(offset) = zone.and_then(offset_of) else {
        // An offset that is none: `2026-11-21T03:46:01x`.
        return offset
            .is_empty()
            .then_some((JournalTime::Civil(civil), rest));
    };
    let (hour, minute, second) = time;
    let moment = date.at(
        hour,
        minute,
        if second == 60 { 59 } else { second },
        nanosecond,
    );
    let moment = moment.to_zoned(TimeZone::fixed(offset)).ok()?.timestamp();
    Some((JournalTime::Exact(moment), rest))
}

fn iso_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || parts.next().is_some() {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// `Z`, `UTC`, `GMT`, `+0100`, `-03:30`, `+01`. Other abbreviations are shared by several zones.
fn offset_of(zone: &str) -> Option<Offset> {
    if ["Z", "UTC", "GMT"].contains(&zone) {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match zone.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, zone.strip_prefix('-')?),
    };
    let digits: String = digits.chars().filter(|letter| *letter != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes: i32 = if minutes.is_empty() {
        0
    } else {
        minutes.parse().ok()?
    };
    let hours: i32 = hours.parse().ok()?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// `03:46:01[.123456]`; dmesg writes a comma.
fn clock_time(text: &str) -> Option<((i8, i8, i8), i32)> {
    let (clock, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || [hour, minute, second].iter().any(|part| part.len() != 2) {
        return None;
    }
    let time = (
        hour.parse().ok()?,
        minute.parse().ok()?,
        second.parse().ok()?,
    );
    Some((time, nanoseconds(fraction)?))
}

/// The digits behind the point.
fn nanoseconds(fraction: &str) -> Option<i32> {
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<9}").parse().ok()
}

/// `-o short-unix`: `1795232761.123456`.
fn unix(line: &str) -> Option<(JournalTime, &str)> {
    let (stamp, rest) = line.split_once(' ')?;
    let (seconds, fraction) = stamp.split_once('.')?;
    if !(9..=11).contains(&seconds.len()) {
        return None;
    }
    let moment = Timestamp::new(seconds.parse().ok()?, nanoseconds(fraction)?).ok()?;
    Some((JournalTime::Exact(moment), rest))
}

/// `[   12.345678]` since the boot, or `dmesg -T`: `[Sat Nov 21 03:46:01 2026]`.
fn in_brackets(line: &str) -> Option<(JournalTime, &str)> {
    let (inside, rest) = line.strip_prefix('[')?.split_once(']')?;
    let inside = inside.trim();
    if let Some((weekday, date)) = inside.split_once(' ')
        && WEEKDAYS.contains(&weekday)
    {
        let mut words = date.split_ascii_whitespace();
        let (month, day) = (month_number(words.next()?)?, words.next()?.parse().ok()?);
        let (time, nanosecond) = clock_time(words.next()?)?;
        let year = words.next()?.parse().ok()?;
        let civil = CivilTime::new(Some(year), (month, day), time, nanosecond, None)?;
        return Some((JournalTime::Civil(civil), rest));
    }
    let (seconds, fraction) = inside.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    let microseconds = u64::try_from(nanoseconds(fraction)?).ok()? / 1_000;
    let since_boot = seconds.checked_mul(1_000_000)?.checked_add(microseconds)?;
    Some((JournalTime::SinceBootUs(since_boot), rest))
}
