//! The text form: a title, then a port and its VLANs, each on a line of its own, the port's name only before the first.
//!
//! Since iproute2 4.20 columns are made of blanks, before of tabs (`eth0\t 1 PVID Egress Untagged`, `vmbr0\tNone`).

use super::fold::{Ports, range};
use crate::fact::bridge::{PortVlans, VlanRange};
use crate::name::IfaceName;
use crate::text::{BadLine, BadLines, Line, Parsed, lines};

/// `None`: it is no table of VLANs.
pub(super) fn parse(text: &str) -> Option<Parsed<Vec<PortVlans>>> {
    let mut bad_lines = BadLines::default();
    let mut ports = Ports::default();
    let mut port: Option<IfaceName> = None;
    let mut indent = None;
    let mut has_title = false;
    for line in lines(text).filter(|line| !line.is_blank()) {
        let words: Vec<&str> = line.text.split_whitespace().take(MAX_WORDS).collect();
        let indent = *indent.get_or_insert(line.indent());
        if is_title(&words) {
            if words.iter().any(|word| word.starts_with("tunnel")) {
                return None;
            }
            has_title = true;
            continue;
        }
        let is_entry = line.indent() > indent || is_entry_alone(&words);
        let entry = if is_entry {
            words.as_slice()
        } else {
            let Some((name, entry)) = words.split_first() else {
                continue;
            };
            if !begins_vlans(entry) && DETAILS.contains(name) {
                continue;
            }
            // A line that does not go on with VLANs is no port's, unless a title promises ports.
            port = None;
            match IfaceName::new(*name) {
                Ok(name) if begins_vlans(entry) || (has_title && entry.is_empty()) => {
                    port = Some(name);
                }
                Ok(_) if has_title => {
                    bad_lines.push(BadLine::new(line, "no VLANs stand behind the port"));
                    continue;
                }
                Ok(_) => continue,
                Err(bad) => {
                    bad_lines.push(BadLine::new(line, bad.to_string()));
                    continue;
                }
            }
            entry
        };
        // Options of the VLAN as a whole, which are no port's: `bridge vlan global show`.
        if entry.first().is_some_and(|word| *word == "mcast_snooping") {
            return None;
        }
        // An entry behind a port whose name could not be read belongs to nobody.
        let Some(folding) = port.clone().and_then(|name| ports.port(name)) else {
            continue;
        };
        if let Some(range) = bad_lines.keep(vlans(line, entry)).flatten() {
            folding.add(range);
        }
    }
    (has_title || !ports.is_empty()).then(|| bad_lines.with(ports.finish()))
}

/// A line of the table has a port, a range, and three words; details may be longer, but only their first counts.
const MAX_WORDS: usize = 16;

/// Lines of `-d` and `-s` that have lost their indentation begin so.
const DETAILS: &[&str] = &["state", "RX:", "TX:", "mcast_router"];

/// `port vlan-id`, `port vlan ids`, `port vlan id`, the last two with `tunnel id` for tunnels.
fn is_title(words: &[&str]) -> bool {
    let [port, vlan, ..] = words else {
        return false;
    };
    *port == "port" && (*vlan == "vlan" || *vlan == "vlan-id" || *vlan == "vlan-ids")
}

fn is_range(word: &str) -> bool {
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit());
    match word.split_once('-') {
        Some((first, last)) => is_id(first) && is_id(last),
        None => is_id(word),
    }
}

fn begins_vlans(words: &[&str]) -> bool {
    words
        .first()
        .is_some_and(|word| *word == "None" || is_range(word))
}

/// An entry that has lost its indentation: a range, and nothing but flags behind it. An interface can be called `100`,
/// but then its own VLANs follow.
fn is_entry_alone(words: &[&str]) -> bool {
    words.split_first().is_some_and(|(first, rest)| {
        is_range(first)
            && rest
                .iter()
                .all(|word| ["PVID", "Egress", "Untagged"].contains(word))
    })
}

/// `None`: a line of details, or the word `None`.
fn vlans(line: Line<'_>, words: &[&str]) -> Result<Option<VlanRange>, BadLine> {
    let Some((ids, flags)) = words.split_first() else {
        return Ok(None);
    };
    if !ids.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(None);
    }
    let (first, last) = ids.split_once('-').unwrap_or((ids, ids));
    let first = line.number(first, "the VLAN id")?;
    let last = line.number(last, "the VLAN id")?;
    let has = |flag| flags.contains(&flag);
    range(first, last, has("PVID"), has("Untagged"))
        .map(Some)
        .map_err(|why| BadLine::new(line, why))
}
