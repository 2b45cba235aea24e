//! `.link` files of udev (systemd.link(5); read by systemd, src/udev/net/link-config.c): which network card gets which
//! name at boot. Proxmox VE 9's `pve-network-interface-pinning` writes such files.

use crate::fact::boot::LinkFile;
use crate::fact::hardware_address::HardwareAddress;
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines};

/// How many values one list of a file may hold; one that is longer is a bad line.
const MAX_VALUES: usize = 200;

/// Reads one file. One without a section that udev knows is none, but for an empty one: that masks those of the same
/// name behind it.
pub fn parse(path: &str, text: &str) -> Result<Parsed<LinkFile>, Unreadable> {
    let mut file = LinkFile {
        path: path.to_owned(),
        ..LinkFile::default()
    };
    let mut bad_lines = BadLines::default();
    let mut section = None;
    let mut known = false;
    let mut says_nothing = true;
    let mut continued = Continued::default();
    for line in lines(text) {
        let Some(entry) = continued.with(line) else {
            continue;
        };
        let text = entry.text.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        says_nothing = false;
        let line = Line {
            number: entry.number,
            text,
        };
        if let Some(name) = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
        {
            section = Section::of(name);
            known |= section.is_some();
        } else if let (Some(section), Some((key, value))) = (&section, text.split_once('=')) {
            let read = option(&mut file, section, key.trim(), value.trim(), line);
            bad_lines.keep(read);
        }
    }
    if known || says_nothing {
        Ok(bad_lines.with(file))
    } else {
        Err(Unreadable::foreign(text))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Match,
    Link,
}

impl Section {
    fn of(name: &str) -> Option<Self> {
        match name {
            "Match" => Some(Self::Match),
            "Link" => Some(Self::Link),
            _ => None,
        }
    }
}

/// Lines that end in `\` are one with the next; comments in between are passed over.
#[derive(Debug, Default)]
struct Continued {
    /// The number of the first line, and what was read of it.
    begun: Option<(usize, String)>,
}

struct Entry {
    number: usize,
    text: String,
}

impl Continued {
    fn with(&mut self, line: Line<'_>) -> Option<Entry> {
        let is_comment = line.text.trim_start().starts_with(['#', ';']);
        if self.begun.is_some() && is_comment {
            return None;
        }
        let (number, mut text) = self.begun.take().unwrap_or((line.number, String::new()));
        match line.text.strip_suffix('\\') {
            Some(part) if !is_comment => {
                text.push_str(part);
                text.push(' ');
                self.begun = Some((number, text));
                None
            }
            _ => {
                text.push_str(line.text);
                Some(Entry { number, text })
            }
        }
    }
}

fn option(
    file: &mut LinkFile,
    section: &Section,
    key: &str,
    value: &str,
    line: Line<'_>,
) -> Result<(), BadLine> {
    let single = || (!value.is_empty()).then(|| value.to_owned());
    let matches = &mut file.matches;
    match (section, key) {
        (Section::Match, "MACAddress") => addresses(&mut matches.mac_addresses, value, line),
        (Section::Match, "PermanentMACAddress") => {
            addresses(&mut matches.permanent_mac_addresses, value, line)
        }
        (Section::Match, "Path") => words(&mut matches.paths, value, line),
        (Section::Match, "Driver") => words(&mut matches.drivers, value, line),
        (Section::Match, "Type") => words(&mut matches.types, value, line),
        (Section::Match, "Kind") => words(&mut matches.kinds, value, line),
        (Section::Match, "OriginalName") => words(&mut matches.original_names, value, line),
        (Section::Match, _) => {
            if matches.others.len() >= MAX_VALUES {
                return Err(BadLine::new(line, "it asks too much"));
            }
            matches.others.push(format!("{key}={value}"));
            Ok(())
        }
        (Section::Link, "Name") => {
            file.name = single();
            Ok(())
        }
        (Section::Link, "NamePolicy") => words(&mut file.name_policy, value, line),
        (Section::Link, "AlternativeName") => words(&mut file.alternative_names, value, line),
        (Section::Link, "AlternativeNamesPolicy") => {
            words(&mut file.alternative_names_policy, value, line)
        }
        (Section::Link, "MTUBytes") => {
            file.mtu_bytes = single();
            Ok(())
        }
        (Section::Link, "MACAddressPolicy") => {
            file.mac_address_policy = single();
            Ok(())
        }
        (Section::Link, _) => Ok(()),
    }
}

/// A further line adds to the list, one without a value empties it.
fn words(list: &mut Vec<String>, value: &str, line: Line<'_>) -> Result<(), BadLine> {
    if value.is_empty() {
        list.clear();
    }
    for word in value.split_whitespace() {
        if list.len() >= MAX_VALUES {
            return Err(BadLine::new(line, "the list is too long"));
        }
        list.push(word.trim_matches(['"', '\'']).to_owned());
    }
    Ok(())
}

fn addresses(list: &mut Vec<HardwareAddress>, value: &str, line: Line<'_>) -> Result<(), BadLine> {
    if value.is_empty() {
        list.clear();
    }
    let mut bad = None;
    for word in value.split_whitespace() {
        if list.len() >= MAX_VALUES {
            return Err(BadLine::new(line, "the list is too long"));
        }
        match with_colons(word).parse() {
            Ok(address) => list.push(address),
            Err(error) => bad = Some(BadLine::new(line, format!("{error}"))),
        }
    }
    bad.map_or(Ok(()), Err)
}

/// `00-11-22-33-44-55` and `0011.2233.4455` are the same address.
fn with_colons(word: &str) -> String {
    if word.contains('.') && word.is_ascii() {
        let digits: Vec<char> = word.chars().filter(|sign| *sign != '.').collect();
        let pairs: Vec<String> = digits.chunks(2).map(String::from_iter).collect();
        return pairs.join(":");
    }
    word.replace('-', ":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = include_str!("../../fixtures/link_file/lab-257-99-default.link");
    const PINNED: &str = include_str!("../../fixtures/link_file/written-pve9-pinned.link");

    #[track_caller]
    fn read(text: &str) -> LinkFile {
        let parsed = parse("x.link", text).unwrap();
        assert_eq!(parsed.bad_lines, []);
        parsed.value
    }

    #[test]
    fn what_debian_ships_names_by_a_policy() {
        let file = read(DEFAULT);
        assert_eq!(file.matches.original_names, ["*"]);
        assert_eq!(file.name, None);
        assert_eq!(file.name_policy.first().map(String::as_str), Some("keep"));
        assert!(
            file.alternative_names_policy.contains(&"mac".to_owned()) || DEFAULT.contains("path")
        );
        assert_eq!(file.mac_address_policy.as_deref(), Some("persistent"));
    }

    #[test]
    fn a_pinned_name_hangs_on_the_cards_address() {
        let file = read(PINNED);
        assert_eq!(file.name.as_deref(), Some("nic0"));
        assert_eq!(
            file.matches.mac_addresses,
            ["bc:24:11:62:6e:31".parse().unwrap()]
        );
        assert_eq!(file.matches.types, ["ether"]);
        assert!(!file.matches.asks_nothing());
    }

    #[test]
    fn lists_grow_are_emptied_and_go_on_behind_a_backslash() {
        let file = read(
            "[Match]\nDriver=igb\nDriver=\nDriver=i40e \\\n# why\n  ice\nMACAddress=00-11-22-33-44-55 0011.2233.4466\nHost=pve1\n\
             [Link]\nName=lan\nName=\n[SR-IOV]\nVirtualFunction=0\n",
        );
        assert_eq!(file.matches.drivers, ["i40e", "ice"]);
        let addresses: Vec<_> = file
            .matches
            .mac_addresses
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(addresses, ["00:11:22:33:44:55", "00:11:22:33:44:66"]);
        assert_eq!(file.matches.others, ["Host=pve1"]);
        assert_eq!(file.name, None);
    }

    #[test]
    fn a_bad_address_costs_itself() {
        let parsed = parse(
            "x.link",
            "[Match]\nMACAddress=aa 00:11:22:33:44:55\nType=ether\n",
        )
        .unwrap();
        assert_eq!(parsed.bad_lines.len(), 1);
        assert_eq!(parsed.value.matches.mac_addresses.len(), 1);
        assert_eq!(parsed.value.matches.types, ["ether"]);
    }

    #[test]
    fn an_empty_file_masks_and_a_page_is_none() {
        assert!(read("").matches.asks_nothing());
        assert!(read("# off\n").matches.asks_nothing());
        assert!(parse("x.link", "<html>\n").is_err());
    }
}
