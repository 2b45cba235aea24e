//! What the catalogue's rules share: fitting a message to a pattern, and reading the values in it.

use std::str::FromStr;

use crate::fact::bond::Duplex;
use crate::fact::journal::Event;
use crate::name::IfaceName;

/// What a rule says of a message: an event, nothing, or why a line that it knows cannot be read.
pub(super) type Told = Result<Option<Event>, String>;

/// Fits a text to a pattern like `host: {} link: {} is down` and returns what stands in the holes. A hole at the end
/// takes the rest; text behind a literal end is let through, because newer versions add to their lines.
pub(super) fn fit<'a, const N: usize>(text: &'a str, pattern: &str) -> Option<[&'a str; N]> {
    let mut pieces = pattern.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut holes = [""; N];
    for hole in &mut holes {
        let piece = pieces.next()?;
        (*hole, rest) = if piece.is_empty() {
            (rest, "")
        } else {
            rest.split_once(piece)?
        };
    }
    Some(holes)
}

/// Fits the text from the first place where the pattern's beginning stands.
pub(super) fn find<'a, const N: usize>(text: &'a str, pattern: &str) -> Option<[&'a str; N]> {
    let (beginning, _) = pattern.split_once("{}")?;
    let (_, rest) = text.split_once(beginning)?;
    let (_, pattern) = pattern.split_at_checked(beginning.len())?;
    fit(rest, pattern)
}

pub(super) fn number<N: FromStr>(text: &str, what: &str) -> Result<N, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("{what} {text:?} is not a number that fits"))
}

/// The number that a text begins with: `30 (some more)`.
pub(super) fn leading_number<N: FromStr>(text: &str, what: &str) -> Result<N, String> {
    let text = text.trim_start();
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    number(text.get(..end).unwrap_or(text), what)
}

/// A decimal number without sign or exponent: never infinite, never "not a number".
pub(super) fn decimal(text: &str, what: &str) -> Result<f64, String> {
    let text = text.trim();
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text.parse::<f64>() {
        Ok(value) if plain && value.is_finite() => Ok(value),
        _ => Err(format!("{what} {text:?} is not a number")),
    }
}

pub(super) fn iface(text: &str) -> Result<IfaceName, String> {
    IfaceName::new(text.trim()).map_err(|bad| bad.to_string())
}

/// Node ids with blanks between them: `1 2 3`.
pub(super) fn node_ids(text: &str) -> Result<Vec<u32>, String> {
    text.split_ascii_whitespace()
        .map(|id| number(id, "the node id"))
        .collect()
}

/// A name without the quotes around it, of which some versions forget the second.
pub(super) fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('\'')
}

pub(super) fn duplex(text: &str) -> Option<Duplex> {
    let word = text
        .split(|letter: char| !letter.is_ascii_alphabetic())
        .find(|word| !word.is_empty())?;
    Some(Duplex::from_word(word))
}

/// A speed as drivers print it: `1000 Mbps`, `10 Gbps`, `2.5Gbps`, `1 Gbps`. `None` where it says unknown, or 0.
pub(super) fn speed_mbps(text: &str) -> Result<Option<u32>, String> {
    let text = text.trim();
    if text.to_ascii_lowercase().contains("unknown") {
        return Ok(None);
    }
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end).unwrap_or((text, ""));
    let kbps_each: u64 = match unit.trim_start().bytes().next() {
        Some(b'G' | b'g') => 1_000_000,
        Some(b'M' | b'm') => 1_000,
        Some(b'K' | b'k') => 1,
        _ => return Err(format!("the speed {text:?} has no unit that is known")),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let tenth = part
        .bytes()
        .next()
        .filter(u8::is_ascii_digit)
        .map_or(0, |digit| u64::from(digit - b'0'));
    let whole: u64 = number(whole, "the speed")?;
    let kbps = whole
        .checked_mul(kbps_each)
        .and_then(|kbps| kbps.checked_add(tenth * kbps_each / 10))
        .ok_or_else(|| format!("the speed {text:?} is beyond reason"))?;
    // What the kernel prints of an unknown speed is 0 or SPEED_UNKNOWN, which is -1.
    let mbps = u32::try_from(kbps / 1_000)
        .ok()
        .filter(|mbps| *mbps != 0 && *mbps != u32::MAX);
    Ok(mbps)
}
