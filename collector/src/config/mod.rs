//! The collector's configuration, `/etc/quorate/collector.toml`. It works without one; a file that says something
//! unknown or impossible is an error that names file, line, key and what is allowed, all of them at once.
//! `packaging/collector.toml` is the documented example, and is held against this table by a test.

mod value;

use std::fs::File;
use std::io::{self, Read as _};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::serve::Listen;
use value::{absolute, addresses, socket_address};

const DEFAULT_FILE: &str = "/etc/quorate/collector.toml";
const MAX_FILE_BYTES: u64 = 1 << 20;
pub(crate) const FLEET_PORT: u16 = 7460;
pub(crate) const ENROLMENT_PORT: u16 = 7461;

/// Makes of one table of keys the configuration, its defaults, the names of the keys, and how each is taken.
macro_rules! keys {
    ($($(#[$doc:meta])* $key:literal => $field:ident: $kind:ty = $default:expr, $read:path;)+) => {
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct Config {
            $($(#[$doc])* pub(crate) $field: $kind,)+
        }

        const KEYS: &[&str] = &[$($key),+];

        impl Default for Config {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl Config {
            /// Takes the value of a key; `None` if there is no such key, or why the value cannot be taken.
            fn take(&mut self, key: &str, value: &DeValue<'_>) -> Option<Result<(), String>> {
                match key {
                    $($key => Some($read(value).map(|value| self.$field = value)),)+
                    _ => None,
                }
            }
        }
    };
}

keys! {
    "state_dir" => state_dir: PathBuf = PathBuf::from("/var/lib/quorate/collector"), absolute;
    "listen" => listen: SocketAddr = everywhere(FLEET_PORT), socket_address;
    /// Empty: those that `init` was told.
    "addresses" => addresses: Vec<String> = Vec::new(), addresses;
    "enrolment.listen" => enrolment_listen: SocketAddr = everywhere(ENROLMENT_PORT), socket_address;
}

/// On Linux `[::]` takes IPv4 as well.
fn everywhere(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("the configuration {} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// One line each, with file and line number.
    #[error("{}", lines.join("\n"))]
    Wrong { lines: Vec<String> },
}

impl Config {
    pub(crate) fn listen(&self) -> Listen {
        Listen {
            fleet: self.listen,
            enrolment: self.enrolment_listen,
            addresses: self.addresses.clone(),
        }
    }

    /// Reads the file that `--config` names, which must be there, or else the default one, which need not.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        match text_of(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(source) => Err(ConfigError::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut wrong: Vec<(usize, String)> = Vec::new();
        match DeTable::parse(text) {
            Ok(table) => config.take_table("", table.get_ref(), &mut wrong),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                wrong.push((at, error.message().to_owned()));
            }
        }
        if wrong.is_empty() {
            return Ok(config);
        }
        wrong.sort();
        let path = path.display();
        let lines = wrong
            .into_iter()
            .map(|(at, why)| format!("{path}:{}: {why}", line_number(text, at)));
        Err(ConfigError::Wrong {
            lines: lines.collect(),
        })
    }

    fn take_table(&mut self, above: &str, table: &DeTable<'_>, wrong: &mut Vec<(usize, String)>) {
        for (name, value) in table {
            let key = format!("{above}{}", name.get_ref());
            let why = match (is_table(&key), value.get_ref()) {
                (true, DeValue::Table(table)) => {
                    self.take_table(&format!("{key}."), table, wrong);
                    continue;
                }
                (true, _) => format!("`{key}` is a table: write [{key}] and its keys below it"),
                (false, value) => match self.take(&key, value) {
                    Some(Ok(())) => continue,
                    Some(Err(why)) => format!("`{key}` {why}"),
                    None => unknown(&key),
                },
            };
            wrong.push((name.span().start, why));
        }
    }
}

fn is_table(key: &str) -> bool {
    KEYS.iter().any(|known| {
        known
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// A key can be misspelt, or stand in the wrong table: then its last word is a known one.
fn unknown(key: &str) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let distance = |known: &str| {
        let whole = strsim::osa_distance(key, known);
        // In the right table is better than in another.
        whole.min(strsim::osa_distance(&last(key), &last(known)) + usize::from(whole > 0))
    };
    let nearest = KEYS.iter().min_by_key(|known| distance(known));
    let nearest = nearest.map_or("", |known| known);
    format!(
        "unknown key `{key}`; the nearest known key is `{nearest}`, and all are: {}",
        KEYS.join(", ")
    )
}

fn line_number(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

fn text_of(path: &Path) -> io::Result<String> {
    // Opening a pipe would wait for somebody to write.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        let why = format!("it is larger than {} KiB", MAX_FILE_BYTES >> 10);
        return Err(io::Error::other(why));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
