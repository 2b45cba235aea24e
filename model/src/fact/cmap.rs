//! Keys of corosync's map (man cmap_keys(8)), as `corosync-cmapctl` prints them.

use std::collections::BTreeMap;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Every key of the map and of the statistics map, in order: `totem.cluster_name` -> `lab`.
///
/// In JSON one object: numbers as numbers, strings as strings, binary values that were not shown as `null`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cmap {
    pub keys: BTreeMap<String, CmapValue>,
}

impl Cmap {
    /// The text of a key of type `str`.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.keys.get(key)? {
            CmapValue::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key of any whole type; a negative one is no count of anything.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.keys.get(key)?.as_count()
    }

    /// The keys that begin with `prefix`, each with what follows it.
    pub fn below<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a CmapValue)> + use<'a> {
        self.keys
            .range(prefix.to_owned()..)
            .map_while(move |(key, value)| Some((key.strip_prefix(prefix)?, value)))
    }
}

/// A value with its type. Read back from JSON, the type is the widest that the number fits.
#[derive(Debug, Clone, PartialEq)]
pub enum CmapValue {
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    /// Held wider than corosync does, so that it is shown as it was printed. Always finite.
    Flt(f64),
    Dbl(f64),
    Str(String),
    /// `None` unless the tool was asked to show binary values; then as it escapes them: `\x00\x1F`.
    Bin(Option<String>),
    /// A type of a newer corosync.
    Other {
        kind: String,
        text: String,
    },
}

impl CmapValue {
    pub fn as_count(&self) -> Option<u64> {
        match *self {
            Self::I8(number) => u64::try_from(number).ok(),
            Self::I16(number) => u64::try_from(number).ok(),
            Self::I32(number) => u64::try_from(number).ok(),
            Self::I64(number) => u64::try_from(number).ok(),
            Self::U8(number) => Some(number.into()),
            Self::U16(number) => Some(number.into()),
            Self::U32(number) => Some(number.into()),
            Self::U64(number) => Some(number),
            Self::Flt(_) | Self::Dbl(_) | Self::Str(_) | Self::Bin(_) | Self::Other { .. } => None,
        }
    }
}

impl Serialize for CmapValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::I8(number) => serializer.serialize_i8(*number),
            Self::I16(number) => serializer.serialize_i16(*number),
            Self::I32(number) => serializer.serialize_i32(*number),
            Self::I64(number) => serializer.serialize_i64(*number),
            Self::U8(number) => serializer.serialize_u8(*number),
            Self::U16(number) => serializer.serialize_u16(*number),
            Self::U32(number) => serializer.serialize_u32(*number),
            Self::U64(number) => serializer.serialize_u64(*number),
            Self::Flt(number) | Self::Dbl(number) => serializer.serialize_f64(*number),
            Self::Str(text) | Self::Other { text, .. } => serializer.serialize_str(text),
            Self::Bin(shown) => shown.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for CmapValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl Visitor<'_> for AnyValue {
            type Value = CmapValue;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, a string or null")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<CmapValue, E> {
                Ok(CmapValue::I64(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<CmapValue, E> {
                Ok(CmapValue::U64(number))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<CmapValue, E> {
                Ok(CmapValue::Dbl(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<CmapValue, E> {
                Ok(CmapValue::Str(text.to_owned()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<CmapValue, E> {
                Ok(CmapValue::Bin(None))
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_one_plain_object_in_json() {
        let keys = [
            ("a.count", CmapValue::U64(u64::MAX)),
            ("a.delta", CmapValue::I64(-1)),
            ("b.load", CmapValue::Dbl(0.5)),
            ("c.name", CmapValue::Str("lab".into())),
            ("d.key", CmapValue::Bin(None)),
        ];
        let map = Cmap {
            keys: keys.map(|(key, value)| (key.to_owned(), value)).into(),
        };
        let json = r#"{"a.count":18446744073709551615,"a.delta":-1,"b.load":0.5,"c.name":"lab","d.key":null}"#;
        assert_eq!(serde_json::to_string(&map).unwrap(), json);
        assert_eq!(serde_json::from_str::<Cmap>(json).unwrap(), map);
        assert_eq!(map.count("a.delta"), None);
        let below: Vec<_> = map.below("a.").map(|(key, _)| key).collect();
        assert_eq!(below, ["count", "delta"]);
    }
}
