//! `ip addr` and `ip link`: as JSON (`-j`), as text, on one line each (`-o`) and brief (`-br`); with or without
//! details (`-d`) and statistics (`-s`). From iproute2's ip/ipaddress.c and ip/iplink_*.c, versions 3 to 6.15.
//!
//! A capture can be a copy from a terminal: in colour (iproute2 of Debian 13 uses it there without being asked),
//! wrapped at the window's edge, or cut off. Nothing here asks whether an interface is well.

mod address;
mod attribute;
mod brief;
mod counter;
mod json;
mod merge;
mod plain;
mod terminal;

use crate::fact::link::Link;
use crate::name::IfaceName;
use crate::text::{Parsed, Unreadable};

pub use merge::merge;
pub(super) use terminal::{tool_error, without_colours};

/// How many interfaces of one text are kept; garbage cannot grow a report beyond.
pub const MAX_LINKS: usize = 16_384;
/// How many addresses, altnames, flags or virtual functions of one interface are kept.
pub const MAX_PER_LINK: usize = 1024;

/// Reads one output. An interface that is described twice in it is one interface.
pub fn parse(text: &str) -> Result<Parsed<Vec<Link>>, Unreadable> {
    let text = without_colours(text);
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with(['[', '{']) {
        return json::parse(text);
    }
    if let Some(parsed) = plain::parse(text) {
        return Ok(parsed);
    }
    if let Some(parsed) = brief::parse(text) {
        return Ok(parsed);
    }
    Err(tool_error(text).unwrap_or_else(|| Unreadable::foreign(text)))
}

/// The name and what stands behind its `@`: `bond0.30@bond0`, `eth0@if5`, `gre0@NONE`.
fn split_name(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once('@') {
        Some((name, below)) if !name.is_empty() => (name, Some(below)),
        _ => (text, None),
    }
}

/// Notes what the interface stands on.
fn set_below(link: &mut Link, below: &str) {
    let index = below.strip_prefix("if").and_then(|n| n.parse().ok());
    match index {
        Some(index) => link.link_index = Some(index),
        None if below == "NONE" => {}
        None => link.link = IfaceName::new(below).ok(),
    }
}

#[cfg(test)]
mod tests;
