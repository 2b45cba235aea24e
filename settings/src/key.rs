//! The table of keys, and what is said of a key that is not in it.

use toml::de::{DeTable, DeValue};

use crate::file::{Reading, Wrong};
use crate::value::{Taken, Value};

/// The configuration of one program, or one table of it; [`keys!`](crate::keys) makes one from a table.
pub trait Settings: Default {
    /// With a dot between a table and its key.
    const KEYS: &'static [&'static str];

    /// Tables with settings of their own: `[name]`, or `[[name]]` for each row of a list.
    const TABLES: &'static [Table] = &[];

    /// Takes the value of a key; `None` if there is no such key, or why the value cannot be taken.
    fn take(&mut self, key: &str, value: &Value<'_>) -> Option<Taken<()>>;

    /// Takes one of [`Self::TABLES`], or one row of it.
    fn take_table(&mut self, _name: &str, _inner: Inner<'_, '_>) {}

    /// What each key alone is right about, and all together are not.
    fn contradictions(&self) -> Vec<Contradiction> {
        Vec::new()
    }
}

/// A table with settings of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// It is written `[[name]]`, any number of times.
    pub is_list: bool,
    pub keys: &'static [&'static str],
}

/// A key that does not go with another one, or that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// It is this one's line that is named, or that of its table where it is missing.
    pub key: &'static str,
    /// Of a key in a list: in which row, from 0.
    pub row: Option<usize>,
    pub why: String,
}

impl Contradiction {
    pub fn new(key: &'static str, why: impl Into<String>) -> Self {
        Self {
            key,
            row: None,
            why: why.into(),
        }
    }

    #[must_use]
    pub fn in_row(self, row: usize) -> Self {
        Self {
            row: Some(row),
            ..self
        }
    }
}

/// A table that is to be read into settings of its own.
#[derive(Debug)]
pub struct Inner<'a, 'de> {
    pub(crate) above: &'a str,
    pub(crate) row: Option<usize>,
    pub(crate) at: usize,
    pub(crate) table: &'a DeTable<'de>,
    pub(crate) places: &'a mut crate::file::Places,
    pub(crate) wrong: &'a mut Vec<Wrong>,
}

impl Inner<'_, '_> {
    pub fn read<S: Settings>(self) -> S {
        let mut reading = Reading::new(self.above, self.row, self.at);
        reading.take("", self.table);
        let (settings, places, wrong) = reading.end();
        self.places.extend(places);
        self.wrong.extend(wrong);
        settings
    }
}

/// Makes of one table of keys the configuration, its defaults, the names of the keys, and how each is taken.
///
/// `struct NAME;` gives it another name than `Config`. `check FUNCTION;` gives the [`Contradiction`]s. Behind the keys
/// `table NAME => FIELD: TYPE;` and `list NAME => FIELD: TYPE;` are tables that are [`Settings`] themselves.
#[macro_export]
macro_rules! keys {
    (struct $name:ident; $($rest:tt)+) => {
        $crate::keys!(@of $name; $($rest)+);
    };
    (@of $config:ident;
     $(check $check:path;)?
     $($(#[$doc:meta])* $key:literal => $field:ident: $kind:ty = $default:expr, $read:path;)+
     $(table $($(#[$table_doc:meta])* $table:literal => $table_field:ident: $table_kind:ty;)+)?
     $(list $($(#[$list_doc:meta])* $list:literal => $list_field:ident: $row:ty;)+)?) => {
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct $config {
            $($(#[$doc])* pub(crate) $field: $kind,)+
            $($($(#[$table_doc])* pub(crate) $table_field: $table_kind,)+)?
            $($($(#[$list_doc])* pub(crate) $list_field: Vec<$row>,)+)?
        }

        impl Default for $config {
            fn default() -> Self {
                Self {
                    $($field: $default,)+
                    $($($table_field: Default::default(),)+)?
                    $($($list_field: Vec::new(),)+)?
                }
            }
        }

        impl $crate::Settings for $config {
            const KEYS: &'static [&'static str] = &[$($key),+];

            const TABLES: &'static [$crate::Table] = &[
                $($($crate::Table {
                    name: $table,
                    is_list: false,
                    keys: <$table_kind as $crate::Settings>::KEYS,
                },)+)?
                $($($crate::Table {
                    name: $list,
                    is_list: true,
                    keys: <$row as $crate::Settings>::KEYS,
                },)+)?
            ];

            fn take(&mut self, key: &str, value: &$crate::Value<'_>) -> Option<$crate::Taken<()>> {
                match key {
                    $($key => Some($read(value).map(|value| self.$field = value)),)+
                    _ => None,
                }
            }

            fn take_table(&mut self, name: &str, inner: $crate::Inner<'_, '_>) {
                match name {
                    $($($table => self.$table_field = inner.read(),)+)?
                    $($($list => self.$list_field.push(inner.read()),)+)?
                    // Only the names of TABLES are asked for.
                    _ => {
                        let _ = inner;
                    }
                }
            }

            $(fn contradictions(&self) -> Vec<$crate::Contradiction> {
                $check(self)
            })?
        }
    };
    ($($rest:tt)+) => {
        $crate::keys!(@of Config; $($rest)+);
    };
}

/// Whether keys or tables stand below it: `[fleetlock]`, or the first part of `[[receiver.mail]]`.
pub(crate) fn is_table<S: Settings>(key: &str) -> bool {
    let tables = S::TABLES.iter().map(|table| table.name);
    S::KEYS.iter().copied().chain(tables).any(|known| {
        known
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// A key can be misspelt, or stand in the wrong table: then its last word is a known one. `above` is the table that it
/// stands in, with its dot.
pub(crate) fn unknown<S: Settings>(above: &str, key: &str) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let distance = |known: &str| {
        let whole = strsim::osa_distance(key, known);
        // In the right table is better than in another.
        whole.min(strsim::osa_distance(&last(key), &last(known)) + usize::from(whole > 0))
    };
    let tables = S::TABLES.iter();
    let tables = tables.map(|table| {
        if table.is_list {
            format!("[[{}]]", table.name)
        } else {
            format!("[{}]", table.name)
        }
    });
    let own = S::KEYS.iter().map(|key| (*key).to_owned());
    let all: Vec<String> = own.chain(tables).collect();
    let keys = S::KEYS.iter().map(|known| (distance(known), *known));
    let names = S::TABLES
        .iter()
        .map(|table| (distance(table.name), table.name));
    let nearest = keys.chain(names).min_by_key(|(distance, _)| *distance);
    let nearest = nearest.map_or("", |(_, known)| known);
    format!(
        "unknown key `{above}{key}`; the nearest known key is `{above}{nearest}`, and all are: {}",
        all.join(", ")
    )
}

/// The word that somebody most likely meant; "" of none.
pub fn nearest<'a>(words: &[&'a str], word: &str) -> &'a str {
    let nearest = words
        .iter()
        .min_by_key(|known| strsim::osa_distance(word, known));
    nearest.map_or("", |known| known)
}

/// The keys that a text sets, sorted, for the test that holds an example against the table. A text that is no TOML sets
/// none.
pub fn in_text(text: &str) -> Vec<String> {
    fn leaves(above: &str, table: &DeTable<'_>, found: &mut Vec<String>) {
        for (name, value) in table {
            let key = format!("{above}{}", name.get_ref());
            match value.get_ref() {
                DeValue::Table(table) => leaves(&format!("{key}."), table, found),
                DeValue::Array(rows) if rows.iter().any(|row| row.get_ref().is_table()) => {
                    let tables = rows.iter().filter_map(|row| row.get_ref().as_table());
                    tables.for_each(|table| leaves(&format!("{key}."), table, found));
                }
                _ => found.push(key),
            }
        }
    }
    let mut found = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        leaves("", table.get_ref(), &mut found);
    }
    found.sort();
    found.dedup();
    found
}
