//! What `/sys/class/net/<interface>` says in one line each: `speed`, `duplex`, and the driver in `device/uevent`.
//!
//! The kernel answers `speed` with an error (EINVAL) while the interface is down or its driver knows no speed, and some
//! drivers with -1 or, before kernel 4.19, with 4294967295. All of these mean "unknown now", and are no error.

use crate::fact::bond::Duplex;
use crate::text::{BadLine, Line, Parsed, Unreadable};

/// Speeds from here on are -1 in the kernel's eyes (SPEED_UNKNOWN), whatever number it was written as.
const UNKNOWN_FROM: u32 = 0x8000_0000;

/// `speed`, in Mb/s.
pub fn speed(text: &str) -> Result<Parsed<Option<u32>>, Unreadable> {
    let word = only_word(text)?;
    let mbps = match word.parse::<i64>() {
        Ok(..=0) => Ok(None),
        Ok(mbps) => u32::try_from(mbps)
            .map(|mbps| (mbps < UNKNOWN_FROM).then_some(mbps))
            .map_err(|_| ()),
        Err(_) => Err(()),
    };
    let value = mbps.map_err(|()| bad(text, "the speed is not a number of Mb/s"))?;
    Ok(whole(value))
}

/// `duplex`: `full`, `half`, or `unknown`, which is not kept.
pub fn duplex(text: &str) -> Result<Parsed<Option<Duplex>>, Unreadable> {
    let duplex = Duplex::from_word(only_word(text)?);
    Ok(whole((duplex != Duplex::Unknown).then_some(duplex)))
}

/// `device/uevent`: one `KEY=value` a line, of which `DRIVER` is kept. A device without a driver has no such line.
pub fn driver(text: &str) -> Result<Parsed<Option<String>>, Unreadable> {
    if !text.trim().is_empty() && !text.contains('=') {
        return Err(Unreadable::foreign(text));
    }
    let mut names = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("DRIVER="));
    let name = names.next().filter(|name| !name.is_empty());
    Ok(whole(
        name.map(|name| name.chars().take(MAX_NAME_CHARS).collect()),
    ))
}

/// How much of a driver's name is kept.
const MAX_NAME_CHARS: usize = 100;

fn only_word(text: &str) -> Result<&str, Unreadable> {
    let mut words = text.split_whitespace();
    match (words.next(), words.next()) {
        (None, _) => Err(Unreadable::Empty),
        (Some(word), None) if word.len() <= MAX_NAME_CHARS => Ok(word),
        (Some(_), _) => Err(Unreadable::foreign(text)),
    }
}

fn whole<T>(value: T) -> Parsed<T> {
    Parsed {
        value,
        bad_lines: Vec::new(),
    }
}

fn bad(text: &str, why: &str) -> BadLine {
    let line = Line {
        number: 1,
        text: text.trim(),
    };
    BadLine::new(line, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_and_what_means_unknown_is_none() {
        for (text, expect) in [
            ("10000\n", Some(10_000)),
            ("10", Some(10)),
            ("-1\n", None),
            ("0\n", None),
            ("4294967295\n", None),
            ("2147483648\n", None),
        ] {
            assert_eq!(speed(text).unwrap().value, expect, "{text}");
        }
        for text in ["fast\n", "4294967296\n", "", "1 2\n"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duplex_is_a_word_and_unknown_is_none() {
        assert_eq!(duplex("full\n").unwrap().value, Some(Duplex::Full));
        assert_eq!(duplex("half\n").unwrap().value, Some(Duplex::Half));
        assert_eq!(duplex("unknown\n").unwrap().value, None);
        let other = Duplex::Other("mauve".into());
        assert_eq!(duplex("mauve\n").unwrap().value, Some(other));
        assert!(duplex("").is_err());
    }

    #[test]
    fn a_driver_is_named_in_the_devices_uevent() {
        let text = "DRIVER=ixgbe\nPCI_CLASS=20000\nPCI_ID=8086:10FB\nPCI_SLOT_NAME=0000:01:00.0\n";
        assert_eq!(driver(text).unwrap().value.as_deref(), Some("ixgbe"));
        for text in ["", "MODALIAS=virtio:d00000001v00001AF4\n", "DRIVER=\n"] {
            assert_eq!(driver(text).unwrap().value, None, "{text}");
        }
        assert!(driver("No such file\n").is_err());
    }
}
