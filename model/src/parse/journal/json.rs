//! `journalctl -o json`: one object a line, every value a string. A field that is longer than 4 kB is null, one that
//! is no text is an array of byte numbers, and one that is there several times an array of its values
//! (systemd: src/shared/logs-show.c; man journalctl).

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::fact::journal::JournalTime;
use crate::parse::journal::entry::Entry;

/// How many bytes of an array are read as text.
const MAX_ARRAY_BYTES: usize = 4 << 10;

/// Reads one object; fields that are not needed are passed over without being taken apart.
pub(super) fn read(text: &str) -> Result<Entry<'_>, serde_json::Error> {
    serde_json::from_str::<Object<'_>>(text).map(|object| object.0)
}

/// Microseconds since 1970 as text.
pub(super) fn exact(microseconds: &str) -> Option<JournalTime> {
    let microseconds = microseconds.trim().parse().ok()?;
    Timestamp::from_microsecond(microseconds)
        .ok()
        .map(JournalTime::Exact)
}

/// A cursor holds the time too, in hexadecimal: `s=…;i=…;b=…;m=…;t=643f8b3e6c1a0;x=…`.
pub(super) fn in_cursor(cursor: &str) -> Option<JournalTime> {
    let stamp = cursor.split(';').find_map(|part| part.strip_prefix("t="))?;
    let microseconds = i64::from_str_radix(stamp, 16).ok()?;
    Timestamp::from_microsecond(microseconds)
        .ok()
        .map(JournalTime::Exact)
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Key {
    #[serde(rename = "__CURSOR")]
    Cursor,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    Realtime,
    #[serde(rename = "_BOOT_ID")]
    BootId,
    #[serde(rename = "_HOSTNAME")]
    Hostname,
    #[serde(rename = "_TRANSPORT")]
    Transport,
    #[serde(rename = "SYSLOG_IDENTIFIER")]
    Identifier,
    #[serde(rename = "_SYSTEMD_UNIT")]
    Unit,
    #[serde(rename = "_COMM")]
    Comm,
    #[serde(rename = "UNIT")]
    About,
    #[serde(rename = "_PID")]
    Pid,
    #[serde(rename = "SYSLOG_PID")]
    ClaimedPid,
    #[serde(rename = "PRIORITY")]
    Priority,
    #[serde(rename = "MESSAGE")]
    Message,
    #[serde(other)]
    NotNeeded,
}

struct Object<'a>(Entry<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnObject)
    }
}

/// Written by hand, because a derived reader refuses a key that stands there twice.
struct AnObject;

impl<'de> Visitor<'de> for AnObject {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a journal entry")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut entry = Entry::default();
        let (mut realtime, mut claimed_pid) = (None, None);
        while let Some(key) = map.next_key()? {
            let place = match key {
                Key::Cursor => &mut entry.cursor,
                Key::Realtime => &mut realtime,
                Key::BootId => &mut entry.boot_id,
                Key::Hostname => &mut entry.hostname,
                Key::Transport => &mut entry.transport,
                Key::Identifier => &mut entry.identifier,
                Key::Unit => &mut entry.unit,
                Key::Comm => &mut entry.comm,
                Key::About => &mut entry.about,
                Key::Pid => &mut entry.pid,
                Key::ClaimedPid => &mut claimed_pid,
                Key::Priority => &mut entry.priority,
                Key::Message => &mut entry.message,
                Key::NotNeeded => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let Field(value) = map.next_value()?;
            if place.is_none() {
                *place = value;
            }
        }
        let stamp = realtime.as_deref().and_then(exact);
        entry.time = stamp.or_else(|| in_cursor(entry.cursor.as_deref()?));
        // What the sender says of its process id is a claim; what the journal says is known.
        entry.pid = entry.pid.or(claimed_pid);
        Ok(Object(entry))
    }
}

/// A value of whatever shape. What is no text and cannot be one is missing, and never loses the entry.
#[derive(Default)]
struct Field<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyShape).map(Self)
    }
}

struct AnyShape;

impl<'de> Visitor<'de> for AnyShape {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a journal field")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// Numbers are the bytes of one value; anything else is several values, of which the first counts.
    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut bytes = Vec::new();
        let mut first = None;
        while let Some(element) = array.next_element()? {
            match element {
                Element::Byte(byte) if bytes.len() < MAX_ARRAY_BYTES => bytes.push(byte),
                Element::Text(text) if first.is_none() => first = Some(text),
                Element::Byte(_) | Element::Text(_) | Element::Else => {}
            }
        }
        if bytes.is_empty() {
            return Ok(first);
        }
        Ok(Some(Cow::Owned(
            String::from_utf8_lossy(&bytes).into_owned(),
        )))
    }
}

/// One element of an array.
enum Element<'a> {
    Byte(u8),
    Text(Cow<'a, str>),
    Else,
}

impl<'de> Deserialize<'de> for Element<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyElement)
    }
}

struct AnyElement;

impl<'de> Visitor<'de> for AnyElement {
    type Value = Element<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte, or one of several values")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(u8::try_from(number).map_or(Element::Else, Element::Byte))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Element::Else)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Element::Else)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Element::Else)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Element::Else)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Element::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Element::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        AnyShape.visit_map(map).map(|_| Element::Else)
    }

    /// A value that is bytes, among several values.
    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut bytes = Vec::new();
        while let Some(element) = array.next_element()? {
            match element {
                Element::Byte(byte) if bytes.len() < MAX_ARRAY_BYTES => bytes.push(byte),
                Element::Byte(_) | Element::Text(_) | Element::Else => {}
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Element::Text(Cow::Owned(text)))
    }
}
