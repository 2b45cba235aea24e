//! The table of keys, and what is said of a key that is not in it.

use toml::de::{DeTable, DeValue};

use crate::value::{Taken, Value};

/// The configuration of one program; [`keys!`](crate::keys) makes one from a table.
pub trait Settings: Default {
    /// With a dot between a table and its key.
    const KEYS: &'static [&'static str];

    /// Takes the value of a key; `None` if there is no such key, or why the value cannot be taken.
    fn take(&mut self, key: &str, value: &Value<'_>) -> Option<Taken<()>>;

    /// What each key alone is right about, and all together are not.
    fn contradictions(&self) -> Vec<Contradiction> {
        Vec::new()
    }
}

/// A key that does not go with another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// It is this one's line that is named.
    pub key: &'static str,
    pub why: String,
}

/// Makes of one table of keys the configuration, its defaults, the names of the keys, and how each is taken.
///
/// `check FUNCTION;` before them gives the [`Contradiction`]s.
#[macro_export]
macro_rules! keys {
    ($(check $check:path;)?
     $($(#[$doc:meta])* $key:literal => $field:ident: $kind:ty = $default:expr, $read:path;)+) => {
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct Config {
            $($(#[$doc])* pub(crate) $field: $kind,)+
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $crate::Settings for Config {
            const KEYS: &'static [&'static str] = &[$($key),+];

            fn take(&mut self, key: &str, value: &$crate::Value<'_>) -> Option<$crate::Taken<()>> {
                match key {
                    $($key => Some($read(value).map(|value| self.$field = value)),)+
                    _ => None,
                }
            }

            $(fn contradictions(&self) -> Vec<$crate::Contradiction> {
                $check(self)
            })?
        }
    };
}

pub(crate) fn is_table(keys: &[&str], key: &str) -> bool {
    keys.iter().any(|known| {
        known
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// A key can be misspelt, or stand in the wrong table: then its last word is a known one.
pub(crate) fn unknown(keys: &[&str], key: &str) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let distance = |known: &str| {
        let whole = strsim::osa_distance(key, known);
        // In the right table is better than in another.
        whole.min(strsim::osa_distance(&last(key), &last(known)) + usize::from(whole > 0))
    };
    let nearest = keys.iter().min_by_key(|known| distance(known));
    let nearest = nearest.map_or("", |known| known);
    format!(
        "unknown key `{key}`; the nearest known key is `{nearest}`, and all are: {}",
        keys.join(", ")
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
                _ => found.push(key),
            }
        }
    }
    let mut found = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        leaves("", table.get_ref(), &mut found);
    }
    found.sort();
    found
}
