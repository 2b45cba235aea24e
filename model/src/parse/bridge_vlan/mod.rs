//! `bridge vlan show`: the VLANs of each bridge port, as JSON (`-j`) or text, with ranges (`-compressvlans`) or one
//! entry a VLAN, with details (`-d`) or statistics (`-s`), of which nothing but the VLANs is kept. From iproute2's
//! bridge/vlan.c, versions 4 to 6.15.
//!
//! `bridge vlan tunnelshow` and `bridge vlan global show` look alike but say something else: they are refused.

mod fold;
mod json;
mod plain;

use crate::fact::bridge::PortVlans;
use crate::parse::ip::{tool_error, without_colours};
use crate::text::{Parsed, Unreadable};

/// How many ports of one text are kept; garbage cannot grow a report beyond.
pub const MAX_PORTS: usize = 16_384;

/// Reads one output. A port that stands in it twice is one port.
pub fn parse(text: &str) -> Result<Parsed<Vec<PortVlans>>, Unreadable> {
    let text = without_colours(text);
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with(['[', '{']) {
        return json::parse(text);
    }
    plain::parse(text).ok_or_else(|| tool_error(text).unwrap_or_else(|| Unreadable::foreign(text)))
}

#[cfg(test)]
mod tests;
