//! The JSON form: `[{"ifname": "bond0", "vlans": [{"vlan": 2, "vlanEnd": 4094, "flags": ["PVID"]}]}]`; before iproute2
//! 4.20 an object keyed by the port, `{"bond0": [{"vlan": 2}]}`; with `-s` the key is `vid`.
//!
//! Uncompressed, twenty ports of a VLAN-aware bridge are a megabyte: entries are folded as they are read, and no tree
//! of the whole is built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::MAX_PORTS;
use super::fold::{Folding, Ports, range};
use crate::fact::bridge::PortVlans;
use crate::name::IfaceName;
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable};

pub(super) fn parse(text: &str) -> Result<Parsed<Vec<PortVlans>>, Unreadable> {
    let mut reader = Reader::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Table(&mut reader)
        .deserialize(&mut json)
        .and_then(|()| json.end());
    if reader.strange {
        return Err(Unreadable::foreign(text));
    }
    if let Err(error) = read {
        match Unreadable::from_json(text, &error) {
            // Cut off: what was read before holds.
            Unreadable::BadLine(bad_line) if !reader.ports.is_empty() => {
                reader.bad_lines.push(bad_line);
            }
            unreadable => return Err(unreadable),
        }
    }
    Ok(reader.bad_lines.with(reader.ports.finish()))
}

#[derive(Default)]
struct Reader {
    ports: Ports,
    bad_lines: BadLines,
    /// It is another table of VLANs: tunnels, or global options.
    strange: bool,
}

impl Reader {
    /// The VLANs of one port are known once its name is; the name may stand behind them.
    fn file(&mut self, name: &str, vlans: Vlans) {
        for (entry, why) in vlans.bad {
            self.bad(&format!("{name}: {entry}"), why);
        }
        match IfaceName::new(name) {
            Err(bad) => self.bad(name, &bad.to_string()),
            Ok(name) => match self.ports.port(name) {
                Some(folding) => {
                    for range in vlans.folding.finish() {
                        folding.add(range);
                    }
                }
                None => self.bad(
                    "ifname",
                    &format!("only the first {MAX_PORTS} ports are kept"),
                ),
            },
        }
    }

    /// One long line: names the entry, not the line.
    fn bad(&mut self, entry: &str, why: &str) {
        let line = Line {
            number: 1,
            text: entry,
        };
        self.bad_lines.push(BadLine::new(line, why));
    }
}

/// What a visitor does with values that are not of the type it wants: it steps over them.
macro_rules! step_over {
    ($value:expr; $($kind:ident),+) => {
        $(step_over!(@$kind $value);)+
    };
    (@scalar $value:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
    (@number $value:expr) => {
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
    (@text $value:expr) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
    (@array $value:expr) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
            while array.next_element::<IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
    (@object $value:expr) => {
        fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
            while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
}

/// Lets a visitor be given as a seed.
macro_rules! any_value {
    ($name:ident $(<$life:lifetime>)?, $value:ty) => {
        impl<'de> DeserializeSeed<'de> for $name $(<$life>)? {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<$value, D::Error> {
                json.deserialize_any(self)
            }
        }
    };
}

/// The whole answer.
struct Table<'a>(&'a mut Reader);
any_value!(Table<'_>, ());

impl<'de> Visitor<'de> for Table<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of bridge ports")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut ports: A) -> Result<(), A::Error> {
        while ports.next_element_seed(Port(self.0))?.is_some() {}
        Ok(())
    }

    /// The old form.
    fn visit_map<A: MapAccess<'de>>(self, mut ports: A) -> Result<(), A::Error> {
        while let Some(name) = ports.next_key::<String>()? {
            let mut vlans = Vlans::default();
            let read = ports.next_value_seed(Entries(&mut vlans));
            match read {
                Ok(true) => self.0.file(&name, vlans),
                Ok(false) => self.0.bad(&name, "its VLANs are not an array"),
                Err(error) => {
                    self.0.file(&name, vlans);
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// One port of the array.
struct Port<'a>(&'a mut Reader);
any_value!(Port<'_>, ());

impl<'de> Visitor<'de> for Port<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bridge port")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut port: A) -> Result<(), A::Error> {
        let mut name: Option<String> = None;
        let mut vlans = Vlans::default();
        let mut listed = false;
        let mut empty = true;
        let mut read = || -> Result<(), A::Error> {
            while let Some(key) = port.next_key_seed(Key)? {
                empty = false;
                match key {
                    Word::Ifname => name = port.next_value_seed(Text)?,
                    Word::Vlans => listed |= port.next_value_seed(Entries(&mut vlans))?,
                    Word::Tunnels => {
                        self.0.strange = true;
                        port.next_value::<IgnoredAny>()?;
                    }
                    _ => drop(port.next_value::<IgnoredAny>()?),
                }
            }
            Ok(())
        };
        let read = read();
        self.0.strange |= vlans.global;
        match name {
            Some(name) if listed || read.is_err() => self.0.file(&name, vlans),
            Some(name) => self.0.bad(&name, "it has no array of VLANs"),
            None if empty => {}
            None if read.is_ok() => self.0.bad("ifname", "a port has no name"),
            None => {}
        }
        read
    }

    // A port that is none: the others are read.
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.bad(text, "it is not a bridge port");
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.0.bad(&number.to_string(), "it is not a bridge port");
        Ok(())
    }

    step_over!((); scalar, array);
}

/// What is gathered of one port.
#[derive(Default)]
struct Vlans {
    folding: Folding,
    /// Entries that could not be read, and why.
    bad: Vec<(String, &'static str)>,
    /// They are the bridge's options for its VLANs, not a port's VLANs.
    global: bool,
}

/// The array of VLANs of one port; `false`: it is none.
struct Entries<'a>(&'a mut Vlans);
any_value!(Entries<'_>, bool);

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of VLANs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<bool, A::Error> {
        while let Some(entry) = entries.next_element_seed(Entry)? {
            self.0.global |= entry.global;
            match entry.range() {
                Ok(range) => self.0.folding.add(range),
                // Enough of them to see what is wrong.
                Err(why) if self.0.bad.len() < crate::text::MAX_BAD_LINES => {
                    self.0.bad.push((entry.to_string(), why));
                }
                Err(_) => {}
            }
        }
        Ok(true)
    }

    step_over!(false; scalar, number, text, object);
}

/// One entry as it stands there.
#[derive(Default)]
struct Entry;

#[derive(Debug, Default)]
struct OneEntry {
    first: Number,
    last: Number,
    pvid: bool,
    untagged: bool,
    global: bool,
}

impl OneEntry {
    fn range(&self) -> Result<crate::fact::bridge::VlanRange, &'static str> {
        let Number::Is(first) = self.first else {
            return Err("its VLAN id is not a number");
        };
        let last = match self.last {
            Number::Missing => first,
            Number::Is(last) => last,
            Number::Bad => return Err("the end of its range is not a number"),
        };
        range(first, last, self.pvid, self.untagged)
    }
}

impl fmt::Display for OneEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"vlan\": {}, \"vlanEnd\": {}", self.first, self.last)
    }
}

any_value!(Entry, OneEntry);

impl<'de> Visitor<'de> for Entry {
    type Value = OneEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a VLAN")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<OneEntry, A::Error> {
        let mut entry = OneEntry::default();
        while let Some(key) = object.next_key_seed(Key)? {
            match key {
                Word::Vlan => entry.first = object.next_value_seed(Id)?,
                Word::VlanEnd => entry.last = object.next_value_seed(Id)?,
                Word::Flags => object.next_value_seed(Flags(&mut entry))?,
                Word::Global => {
                    entry.global = true;
                    object.next_value::<IgnoredAny>()?;
                }
                Word::Ifname | Word::Vlans | Word::Tunnels | Word::Other => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(entry)
    }

    step_over!(OneEntry { first: Number::Bad, ..OneEntry::default() }; scalar, number, text, array);
}

/// The flags of one entry.
struct Flags<'a>(&'a mut OneEntry);
any_value!(Flags<'_>, ());

impl<'de> Visitor<'de> for Flags<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("flags")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut flags: A) -> Result<(), A::Error> {
        while flags.next_element_seed(Flags(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, flag: &str) -> Result<(), E> {
        match flag.trim() {
            "PVID" => self.0.pvid = true,
            "Egress Untagged" => self.0.untagged = true,
            _ => {}
        }
        Ok(())
    }

    step_over!((); scalar, number, object);
}

/// The keys that are looked at.
enum Word {
    Ifname,
    Vlans,
    Tunnels,
    Vlan,
    VlanEnd,
    Flags,
    /// Only `bridge vlan global show` has it.
    Global,
    Other,
}

/// A key of an object, without a copy of it.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Word;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Word, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Word, E> {
        Ok(match key {
            "ifname" => Word::Ifname,
            "vlans" => Word::Vlans,
            "tunnels" => Word::Tunnels,
            // With `-s` it is `vid`.
            "vlan" | "vid" => Word::Vlan,
            "vlanEnd" | "vidEnd" => Word::VlanEnd,
            "flags" => Word::Flags,
            "mcast_snooping" => Word::Global,
            _ => Word::Other,
        })
    }
}

/// A string; `None` for anything else.
struct Text;
any_value!(Text, Option<String>);

impl<'de> Visitor<'de> for Text {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<String>, E> {
        Ok(Some(text.to_owned()))
    }

    step_over!(None; scalar, number, array, object);
}

/// A VLAN id, as far as it is a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Number {
    #[default]
    Missing,
    Is(u64),
    Bad,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("not there"),
            Self::Is(id) => id.fmt(f),
            Self::Bad => f.write_str("no number"),
        }
    }
}

struct Id;
any_value!(Id, Number);

impl<'de> Visitor<'de> for Id {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a VLAN id")
    }

    fn visit_u64<E>(self, id: u64) -> Result<Number, E> {
        Ok(Number::Is(id))
    }

    fn visit_str<E>(self, id: &str) -> Result<Number, E> {
        Ok(id.parse().map_or(Number::Bad, Number::Is))
    }

    step_over!(Number::Bad; scalar, array, object);
}
