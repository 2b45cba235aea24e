//! The JSON form: an array with one object an interface. Elements are read one by one, so that one of a wrong type, or
//! a text that is cut off, does not lose those before it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::attribute::{self, Kind, Part};
use super::counter::{self, Direction};
use super::merge::add;
use super::{MAX_LINKS, MAX_PER_LINK, address, set_below};
use crate::fact::link::{Address, AddressFamily, Link, VirtualFunction};
use crate::name::IfaceName;
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable};

pub(super) fn parse(text: &str) -> Result<Parsed<Vec<Link>>, Unreadable> {
    let mut reader = Reader::default();
    let mut json = serde_json::Deserializer::from_str(text);
    // Several outputs in one file stand behind each other.
    loop {
        if let Err(error) = (&mut reader).deserialize(&mut json) {
            let error = Unreadable::from_json(text, &error);
            match error {
                Unreadable::BadLine(bad_line) if !reader.links.is_empty() => {
                    reader.bad_lines.push(bad_line);
                    break;
                }
                error => return Err(error),
            }
        }
        if json.end().is_ok() {
            break;
        }
    }
    if reader.links.is_empty() && reader.strangers > 0 {
        return Err(Unreadable::foreign(text));
    }
    Ok(reader.bad_lines.with(reader.links))
}

#[derive(Default)]
struct Reader {
    links: Vec<Link>,
    places: BTreeMap<IfaceName, usize>,
    bad_lines: BadLines,
    /// Elements without the name of an interface.
    strangers: usize,
}

impl<'de> DeserializeSeed<'de> for &mut Reader {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Reader {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of interfaces")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<Value>()? {
            self.element(&element);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        let element = Value::deserialize(MapAccessDeserializer::new(object))?;
        self.element(&element);
        Ok(())
    }
}

impl Reader {
    fn element(&mut self, element: &Value) {
        let object = match element {
            // With a filter (`ip -j -4 addr`) iproute2 prints empty objects for what does not match.
            Value::Object(object) if object.is_empty() => return,
            Value::Object(object) => object,
            _ => {
                self.strangers += 1;
                self.bad("an interface", "", element, "it is not an object");
                return;
            }
        };
        let name = object
            .get("ifname")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let link = match IfaceName::new(name) {
            Ok(name) => self.interface(name, object),
            Err(bad) => {
                self.strangers += 1;
                let name = object.get("ifname").unwrap_or(element);
                self.bad("an interface", "ifname", name, &bad.to_string());
                return;
            }
        };
        if let Some(place) = self.places.get(&link.name) {
            if let Some(known) = self.links.get_mut(*place) {
                add(known, link);
            }
        } else if self.links.len() >= MAX_LINKS {
            let why = format!("only the first {MAX_LINKS} interfaces are kept");
            self.bad(link.name.as_str(), "ifname", &Value::Null, &why);
        } else {
            self.places.insert(link.name.clone(), self.links.len());
            self.links.push(link);
        }
    }

    /// One long line: quotes the value, not the line.
    fn bad(&mut self, name: &str, key: &str, value: &Value, why: &str) {
        // Writing a large value only to cut it would cost more than reading it.
        let value = match value {
            Value::Object(object) => format!("an object of {} members", object.len()),
            Value::Array(array) => format!("an array of {} elements", array.len()),
            value => value.to_string(),
        };
        let line = format!("{name}: {key}: {value}");
        let line = Line {
            number: 1,
            text: &line,
        };
        self.bad_lines.push(BadLine::new(line, why));
    }

    fn interface(&mut self, name: IfaceName, object: &Map<String, Value>) -> Link {
        let mut link = Link::named(name);
        // The type says how long the address is.
        if let Some(link_type) = object.get("link_type").and_then(Value::as_str) {
            link.link_type = Some(link_type.to_owned());
        }
        for (key, value) in object {
            match (key.as_str(), value) {
                ("ifname" | "link_type", _) | (_, Value::Null) => {}
                ("ifindex", value) => {
                    link.ifindex = self.number(&link, "ifindex", value);
                }
                ("link_index", value) => {
                    link.link_index = self.number(&link, "link_index", value);
                }
                ("link", Value::String(below)) => set_below(&mut link, below),
                ("ifalias", Value::String(alias)) => link.alias = Some(alias.clone()),
                ("flags", Value::Array(flags)) => {
                    link.set_flags(flags.iter().filter_map(Value::as_str));
                }
                ("altnames", Value::Array(names)) => {
                    let names = names.iter().filter_map(Value::as_str).take(MAX_PER_LINK);
                    link.altnames = names.map(str::to_owned).collect();
                }
                ("linkinfo", Value::Object(info)) => self.info(&mut link, info),
                ("addr_info", Value::Array(addresses)) => self.addresses(&mut link, addresses),
                // One version of iproute2 wrote `stats644`.
                ("stats64" | "stats" | "stats644", Value::Object(stats)) => {
                    self.statistics(&mut link, stats);
                }
                ("vfinfo_list", Value::Array(list)) => self.virtual_functions(&mut link, list),
                (
                    "link" | "ifalias" | "flags" | "altnames" | "linkinfo" | "addr_info"
                    | "stats64" | "stats" | "vfinfo_list",
                    value,
                ) => self.bad(link.name.as_str(), key, value, "it has another type"),
                (key, value) => {
                    if !self.attribute(&mut link, Part::Header, key, value) {
                        self.attribute(&mut link, Part::Hardware, key, value);
                    }
                }
            }
        }
        link
    }

    /// Takes one attribute; `false`: it is not one of this part.
    fn attribute(&mut self, link: &mut Link, part: Part, key: &str, value: &Value) -> bool {
        let taken = match scalar(value) {
            // The one `null` that is a value: the text form prints "none".
            None if value.is_null() && key == "arp_validate" => {
                attribute::take(link, part, key, "none")
            }
            Some(text) => attribute::take(link, part, key, &text),
            None if value.is_null() || !attribute::is_key(part, key) => Ok(false),
            None => Err("it is not a single value"),
        };
        match taken {
            Ok(taken) => taken,
            Err(why) => {
                self.bad(link.name.as_str(), key, value, why);
                true
            }
        }
    }

    fn number<N: std::str::FromStr>(&mut self, link: &Link, key: &str, value: &Value) -> Option<N> {
        let number = scalar(value).and_then(|text| text.parse().ok());
        if number.is_none() {
            self.bad(link.name.as_str(), key, value, "it is not a number");
        }
        number
    }

    fn info(&mut self, link: &mut Link, info: &Map<String, Value>) {
        let word = |key| info.get(key).and_then(Value::as_str).map(str::to_owned);
        link.kind = word("info_kind");
        link.slave_kind = word("info_slave_kind");
        for (kind, data, is_slave) in [
            (link.kind.clone(), "info_data", false),
            (link.slave_kind.clone(), "info_slave_data", true),
        ] {
            let Some(kind) = kind.as_deref().map(Kind::of) else {
                continue;
            };
            let part = if is_slave {
                Part::SlaveKind(kind)
            } else {
                Part::Kind(kind)
            };
            attribute::begin(link, part);
            if let Some(Value::Object(data)) = info.get(data) {
                self.details(link, part, data);
            }
        }
    }

    fn details(&mut self, link: &mut Link, part: Part, data: &Map<String, Value>) {
        for (key, value) in data {
            match (part, key.as_str(), value) {
                (Part::Kind(Kind::Vlan), "flags", Value::Array(flags)) => {
                    let flags = flags.iter().filter_map(Value::as_str).take(MAX_PER_LINK);
                    link.vlan.get_or_insert_default().flags = flags.map(str::to_owned).collect();
                }
                (Part::Kind(Kind::Bond), "ad_info", Value::Object(info)) => {
                    for (key, value) in info {
                        self.attribute(link, part, &format!("ad_{key}"), value);
                    }
                }
                (
                    Part::Kind(Kind::Bond),
                    "arp_ip_target" | "ns_ip6_target",
                    Value::Array(targets),
                ) => {
                    let targets = targets.iter().filter_map(Value::as_str).take(MAX_PER_LINK);
                    let bond = link.bond.get_or_insert_default();
                    bond.arp_targets.extend(targets.map(str::to_owned));
                }
                _ => {
                    self.attribute(link, part, key, value);
                }
            }
        }
    }

    fn addresses(&mut self, link: &mut Link, list: &[Value]) {
        let mut addresses = Vec::new();
        for value in list {
            let Value::Object(object) = value else {
                self.bad(
                    link.name.as_str(),
                    "addr_info",
                    value,
                    "it is not an object",
                );
                continue;
            };
            if object.is_empty() {
                continue;
            }
            if addresses.len() >= MAX_PER_LINK {
                let why = format!("only {MAX_PER_LINK} addresses are kept");
                self.bad(link.name.as_str(), "addr_info", value, &why);
                break;
            }
            let mut bad = Vec::new();
            addresses.extend(one_address(object, &mut bad));
            for (key, why) in bad {
                let value = object.get(key).unwrap_or(value);
                self.bad(link.name.as_str(), key, value, why);
            }
        }
        link.addresses = Some(addresses);
    }

    fn statistics(&mut self, link: &mut Link, stats: &Map<String, Value>) {
        let mut statistics = link.statistics.take().unwrap_or_default();
        for (direction, half) in [(Direction::Received, "rx"), (Direction::Sent, "tx")] {
            let Some(Value::Object(counters)) = stats.get(half) else {
                continue;
            };
            for (key, value) in counters {
                if let Some(place) = counter::place(&mut statistics, direction, key) {
                    *place = self.number(link, key, value);
                }
            }
        }
        link.statistics = Some(statistics);
    }

    fn virtual_functions(&mut self, link: &mut Link, list: &[Value]) {
        for object in list.iter().filter_map(Value::as_object).take(MAX_PER_LINK) {
            let text = |key: &str| object.get(key).and_then(scalar);
            let vlans = object.get("vlan_list").and_then(Value::as_array);
            let vlan = vlans
                .and_then(|list| list.first()?.get("vlan"))
                .or(object.get("vlan"));
            let number = object.get("vf").unwrap_or(&Value::Null);
            link.virtual_functions.push(VirtualFunction {
                number: self.number(link, "vf", number),
                mac: text("address")
                    .or(text("mac"))
                    .and_then(|mac| attribute::mac(&mac).ok()),
                vlan: vlan
                    .and_then(scalar)
                    .and_then(|id| attribute::vlan_id(&id).ok()),
                spoof_checking: text("spoofchk").and_then(|on| attribute::flag(&on).ok()),
                link_state: text("link_state").map(Cow::into_owned),
                trust: text("trust").and_then(|on| attribute::flag(&on).ok()),
            });
        }
    }
}

/// A single value as it would stand in the text form; `None` for an object, an array, and `null`.
fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(on) => Some(Cow::Borrowed(if *on { "on" } else { "off" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `None`: the address itself cannot be read. What could not be read is added to `bad`, with its key.
fn one_address(
    object: &Map<String, Value>,
    bad: &mut Vec<(&'static str, &'static str)>,
) -> Option<Address> {
    let text = |key: &str| object.get(key).and_then(scalar);
    let mut read = Keeper { object, bad };
    // `address` is the peer, where it is another than the own one.
    let (own, peer) = match (read.value("local", address::ip), object.get("local")) {
        (Some(local), _) => (local, read.value("address", address::ip)),
        (None, Some(_)) => return None,
        (None, None) => (read.value("address", address::ip)?, None),
    };
    let family = text("family").map_or_else(
        || address::family_of(own),
        |family| AddressFamily::from_word(&family),
    );
    let is_set = |key: &str| object.get(key).and_then(Value::as_bool) == Some(true);
    let flags = object.keys();
    let mut flags: Vec<String> = flags
        .filter(|key| address::is_flag(key) && is_set(key))
        .cloned()
        .collect();
    // Versions of ip write them in different orders.
    flags.sort();
    Some(Address {
        family,
        address: own,
        prefix_len: read.value("prefixlen", |value| address::prefix(own, value)),
        peer: peer.filter(|peer| *peer != own),
        broadcast: read.value("broadcast", address::ip),
        scope: text("scope").map(Cow::into_owned),
        flags,
        protocol: text("protocol").map(Cow::into_owned),
        label: text("label").map(Cow::into_owned),
        valid: read.value("valid_life_time", address::lifetime),
        preferred: read.value("preferred_life_time", address::lifetime),
    })
}

struct Keeper<'a> {
    object: &'a Map<String, Value>,
    bad: &'a mut Vec<(&'static str, &'static str)>,
}

impl Keeper<'_> {
    fn value<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let value = self.object.get(key).filter(|value| !value.is_null())?;
        let text = scalar(value).unwrap_or_default();
        read(&text).map_err(|why| self.bad.push((key, why))).ok()
    }
}
