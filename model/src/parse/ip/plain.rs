//! The text form: for each interface a line `2: eno1: <FLAGS> mtu …`, a line `link/ether …`, with `-d` its kind and
//! what it is a port of, with `-s` counters, and with `ip addr` its addresses.

use std::collections::BTreeMap;

use super::attribute::{self, Kind, Part};
use super::counter::{self, Direction};
use super::merge::add;
use super::{MAX_LINKS, MAX_PER_LINK, address, set_below, split_name};
use crate::fact::link::{Link, VirtualFunction};
use crate::name::IfaceName;
use crate::text::{BadLine, BadLines, Line, Parsed};

mod wrapped;

/// `None`: not a line is the beginning of an interface.
pub(super) fn parse(text: &str) -> Option<Parsed<Vec<Link>>> {
    let lines = wrapped::lines(text);
    let mut reader = Reader::default();
    for line in &lines {
        reader.line(Line {
            number: line.number,
            text: &line.text,
        });
    }
    reader.end(text.ends_with('\n'))
}

/// How many words of one line are looked at; a bridge with all details has about 120.
const MAX_WORDS: usize = 4096;

/// A line that begins an interface: `2: eno1: …`, or `2: eno1    inet …` of `ip -o addr`.
struct Header<'a> {
    ifindex: &'a str,
    name: &'a str,
    rest: &'a str,
    /// The line goes on with an address instead of flags.
    address: bool,
}

fn header(text: &str) -> Option<Header<'_>> {
    let (ifindex, rest) = text.trim_start().split_once(": ")?;
    if ifindex.is_empty() || !ifindex.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let (name, behind) = rest
        .split_once(char::is_whitespace)
        .map_or((rest, ""), |(name, behind)| (name, behind.trim_start()));
    let address = behind.starts_with("inet ") || behind.starts_with("inet6 ");
    let name = match name.strip_suffix(':') {
        Some(name) => name,
        None if address => name,
        None => return None,
    };
    Some(Header {
        ifindex,
        name,
        rest: behind,
        address,
    })
}

/// Does the line begin with a word that some line of an interface begins with?
fn is_known_begin(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "inet",
        "inet6",
        "valid_lft",
        "altname",
        "alias",
        "vf",
        "bond",
        "bridge",
        "vlan",
        "vxlan",
        "veth",
        "tun",
        "dummy",
        "openvswitch",
        "macvlan",
        "vrf",
        "geneve",
        "wireguard",
    ];
    let word = text.split_whitespace().next().unwrap_or_default();
    WORDS.contains(&word)
        || word.ends_with("_slave")
        || word.starts_with("link/")
        || counter::columns(text).is_some()
}

#[derive(Default)]
struct Reader<'a> {
    links: Vec<Link>,
    places: BTreeMap<IfaceName, usize>,
    bad_lines: BadLines,
    /// The interface that lines belong to; `None` at first, and behind a header that could not be read.
    current: Option<Link>,
    /// `ip link` prints a `mode` for each interface, `ip addr` for none.
    has_mode: bool,
    /// Interfaces that `ip addr` printed: if they have no address line, they have no address.
    of_addr: Vec<IfaceName>,
    any_address: bool,
    /// Between the line of the hardware address and whatever follows the kinds.
    kinds_may_follow: bool,
    /// The last address could be read, so that a line of lifetimes belongs to it.
    address_open: bool,
    in_virtual_function: bool,
    columns: Option<(Line<'a>, Direction, Vec<&'a str>)>,
    headers: usize,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: Line<'a>) {
        if let Some(header) = header(line.text) {
            self.begin(line, &header);
            return;
        }
        let Some(mut link) = self.current.take() else {
            return;
        };
        if let Err(why) = self.body(&mut link, line) {
            self.bad_lines.push(BadLine::new(line, why));
        }
        self.current = Some(link);
    }

    fn begin(&mut self, line: Line<'a>, header: &Header<'a>) {
        self.finish();
        self.headers += 1;
        if self.links.len() >= MAX_LINKS {
            let why = format!("only the first {MAX_LINKS} interfaces are kept");
            self.bad_lines.push(BadLine::new(line, why));
            return;
        }
        let (name, below) = split_name(header.name);
        let name = match IfaceName::new(name) {
            Ok(name) => name,
            Err(bad) => {
                self.bad_lines.push(BadLine::new(line, bad.to_string()));
                return;
            }
        };
        let mut link = Link::named(name);
        link.ifindex = self
            .bad_lines
            .keep(line.number(header.ifindex, "the interface's index"));
        if let Some(below) = below {
            set_below(&mut link, below);
        }
        if header.address {
            self.has_mode = true; // Other addresses may stand on other lines: no line here says "none".
            if let Err(why) = self.address(&mut link, header.rest) {
                self.bad_lines.push(BadLine::new(line, why));
            }
        } else {
            self.header_attributes(&mut link, line, header.rest);
        }
        self.current = Some(link);
    }

    fn header_attributes(&mut self, link: &mut Link, line: Line<'a>, text: &str) {
        let mut rest = text;
        if let Some(behind) = text.strip_prefix('<') {
            match behind.split_once('>') {
                Some((flags, behind)) => {
                    link.set_flags(flags.split(','));
                    rest = behind;
                }
                None => {
                    let why = "the flags are cut off";
                    self.bad_lines.push(BadLine::new(line, why));
                    rest = "";
                }
            }
        }
        self.has_mode = rest.split_whitespace().any(|word| word == "mode");
        self.attributes(link, line, Part::Header, rest);
    }

    /// Files the interface that is open.
    fn finish(&mut self) {
        self.columns_without_numbers();
        let Some(link) = self.current.take() else {
            return;
        };
        if !self.has_mode {
            self.of_addr.push(link.name.clone());
        }
        let place = self.places.get(&link.name).copied();
        match place.and_then(|place| self.links.get_mut(place)) {
            Some(known) => add(known, link),
            None => {
                self.places.insert(link.name.clone(), self.links.len());
                self.links.push(link);
            }
        }
        self.kinds_may_follow = false;
        self.address_open = false;
        self.in_virtual_function = false;
    }

    fn end(mut self, is_whole: bool) -> Option<Parsed<Vec<Link>>> {
        let may_go_on = self.current.as_ref().map(|link| link.name.clone());
        self.finish();
        if self.headers == 0 {
            return None;
        }
        if self.any_address {
            // Of a text that may be cut off, the last interface's addresses may be missing.
            let certain = |name: &&IfaceName| is_whole || may_go_on.as_ref() != Some(*name);
            for name in self.of_addr.iter().filter(certain) {
                let place = self.places.get(name).copied();
                if let Some(link) = place.and_then(|place| self.links.get_mut(place)) {
                    link.addresses.get_or_insert_default();
                }
            }
        }
        Some(self.bad_lines.with(self.links))
    }

    /// A line below the header.
    fn body(&mut self, link: &mut Link, line: Line<'a>) -> Result<(), String> {
        let text = line.text.trim_start();
        if text.starts_with(|first: char| first.is_ascii_digit())
            && let Some((_, direction, names)) = self.columns.take()
        {
            if self.in_virtual_function {
                return Ok(());
            }
            let statistics = link.statistics.get_or_insert_default();
            return counter::take(statistics, direction, &names, text).map_err(str::to_owned);
        }
        if text.is_empty() {
            return Ok(());
        }
        self.columns_without_numbers();
        let (word, rest) = text
            .split_once(char::is_whitespace)
            .map_or((text, ""), |(word, rest)| (word, rest.trim_start()));
        let kinds_may_follow = std::mem::take(&mut self.kinds_may_follow);
        if let Some((direction, names)) = counter::columns(text) {
            self.columns = Some((line, direction, names));
            return Ok(());
        }
        match word {
            "inet" | "inet6" => self.address(link, text)?,
            "valid_lft" => {
                let last = link.addresses.as_mut().and_then(|all| all.last_mut());
                if let (true, Some(address)) = (self.address_open, last) {
                    address::read_lifetimes(address, text)?;
                }
            }
            "altname" if rest.is_empty() => return Err("the name is missing".to_owned()),
            "altname" if link.altnames.len() < MAX_PER_LINK => link.altnames.push(rest.to_owned()),
            "alias" => link.alias = Some(rest.to_owned()),
            "vf" => self.virtual_function(link, line, rest),
            _ => {
                if let Some(link_type) = word.strip_prefix("link/") {
                    self.hardware(link, line, link_type, rest);
                } else if kinds_may_follow && attribute::is_key(Part::Hardware, word) {
                    // A mail program wrapped the line. What it put on the next ones may be anything, but kinds that
                    // are known are known there too.
                    self.attributes(link, line, Part::Hardware, text);
                } else if kinds_may_follow || link.link_type.is_some() && is_known_begin(text) {
                    self.kind(link, line, word, rest);
                } else if link.link_type.is_none() && attribute::is_key(Part::Header, word) {
                    self.attributes(link, line, Part::Header, text);
                }
            }
        }
        Ok(())
    }

    fn columns_without_numbers(&mut self) {
        if let Some((line, ..)) = self.columns.take()
            && !self.in_virtual_function
        {
            let why = "no numbers stand below these names";
            self.bad_lines.push(BadLine::new(line, why));
        }
    }

    fn hardware(&mut self, link: &mut Link, line: Line<'a>, link_type: &str, rest: &str) {
        self.kinds_may_follow = true;
        link.link_type = Some(link_type.to_owned());
        let address = rest.split_whitespace().next().unwrap_or_default();
        let mut rest = rest;
        if address.contains([':', '.']) {
            if let Err(why) = attribute::hardware_address(link, address) {
                self.bad_lines.push(BadLine::new(line, why));
            }
            rest = rest.strip_prefix(address).unwrap_or(rest);
        } else if address.is_empty() && link_type != "none" {
            let why = "the hardware address is missing";
            self.bad_lines.push(BadLine::new(line, why));
        }
        self.attributes(link, line, Part::Hardware, rest);
        // Of a text that is cut off, the beginning of an address must not pass for one.
        let bytes = match link_type {
            "ether" | "loopback" => 6,
            "infiniband" => 20,
            _ => return,
        };
        for mac in [&mut link.mac, &mut link.broadcast_mac] {
            if let Some(cut) = mac.take_if(|mac| mac.to_string().split(':').count() != bytes) {
                let why = format!("{cut} is not a hardware address of {bytes} bytes");
                self.bad_lines.push(BadLine::new(line, why));
            }
        }
    }

    /// `bond mode …`, `veth`, `bridge_slave state …`.
    fn kind(&mut self, link: &mut Link, line: Line<'a>, word: &str, rest: &str) {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        let begins = word.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_indented = line.indent() > 0 || is_known_begin(word);
        if !(begins && is_indented && word.chars().all(is_word)) {
            return;
        }
        self.kinds_may_follow = true;
        let part = match word.strip_suffix("_slave") {
            Some(kind) => {
                link.slave_kind = Some(kind.to_owned());
                Part::SlaveKind(Kind::of(kind))
            }
            None if link.kind.is_none() && link.slave_kind.is_none() => {
                link.kind = Some(word.to_owned());
                Part::Kind(Kind::of(word))
            }
            None => return,
        };
        attribute::begin(link, part);
        self.attributes(link, line, part, rest);
        if let Some(vlan) = link
            .vlan
            .as_mut()
            .filter(|_| part == Part::Kind(Kind::Vlan))
        {
            let flags = rest
                .split_once('<')
                .and_then(|(_, behind)| behind.split_once('>'));
            let flags = flags.map_or("", |(flags, _)| flags).split(',');
            vlan.flags = flags
                .filter(|flag| !flag.is_empty())
                .take(MAX_PER_LINK)
                .map(str::to_owned)
                .collect();
        }
    }

    /// `key value key value …`. Words that are no key are stepped over one by one, and so is a key whose value cannot
    /// be read: an attribute without a value does not take the next one with it.
    fn attributes(&mut self, link: &mut Link, line: Line<'a>, part: Part, text: &str) {
        let mut words = text.split_whitespace().take(MAX_WORDS).peekable();
        while let Some(key) = words.next() {
            let next = words.peek().copied().unwrap_or_default();
            // `state learning` is a value that is a key elsewhere on that line.
            let value = if key != "state" && attribute::is_key(part, next) {
                ""
            } else {
                next
            };
            match attribute::take(link, part, key, value) {
                Ok(true) => drop(words.next()),
                Ok(false) => {}
                Err(why) => {
                    let why = format!("{key}: {why}");
                    self.bad_lines.push(BadLine::new(line, why));
                }
            }
        }
    }

    fn address(&mut self, link: &mut Link, text: &str) -> Result<(), String> {
        self.any_address = true;
        self.address_open = false;
        let addresses = link.addresses.get_or_insert_default();
        let (address, bad) = address::read(text)?;
        if addresses.len() >= MAX_PER_LINK {
            return Err(format!("only {MAX_PER_LINK} addresses are kept"));
        }
        addresses.push(address);
        self.address_open = true;
        bad.map_or(Ok(()), |why| Err(why.to_owned()))
    }

    /// `vf 0     link/ether 6e:cc:… brd …, vlan 5, spoof checking on, link-state auto, trust off`, before iproute2 4.20
    /// `vf 0 MAC 6e:cc:…, …`. The lines RX and TX behind it are its own.
    fn virtual_function(&mut self, link: &mut Link, line: Line<'a>, text: &str) {
        self.in_virtual_function = true;
        let mut vf = VirtualFunction::default();
        let mut bad = None;
        for (place, part) in text.split(", ").enumerate() {
            let mut words = part.split_whitespace();
            let last = words.clone().last().unwrap_or_default();
            let first = words.next().unwrap_or_default();
            let read = match first {
                _ if place == 0 => {
                    let mac = words.nth(1).unwrap_or_default();
                    attribute::number(first)
                        .map(|number| vf.number = Some(number))
                        .and_then(|()| attribute::mac(mac))
                        .map(|mac| vf.mac = Some(mac))
                }
                "vlan" if last != "0" && !part.contains("protocol") => {
                    attribute::vlan_id(last).map(|id| vf.vlan = Some(id))
                }
                "spoof" => attribute::flag(last).map(|on| vf.spoof_checking = Some(on)),
                "link-state" => attribute::word(last).map(|state| vf.link_state = Some(state)),
                "trust" => attribute::flag(last).map(|on| vf.trust = Some(on)),
                _ => Ok(()),
            };
            bad = bad.or(read.err());
        }
        if let Some(why) = bad {
            self.bad_lines.push(BadLine::new(line, why));
        }
        if link.virtual_functions.len() < MAX_PER_LINK {
            link.virtual_functions.push(vf);
        }
    }
}
