//! The values that only the agent's configuration has: each is taken, or refused with what is allowed. "" stands for
//! nothing where nothing is allowed, so that every key can stand in the example.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use model::report::Family;
use settings::value::{absolute, refused, text, texts, whole_number};
use settings::{Taken, Value};

/// `sun_path` of unix(7), without the zero behind it.
const MAX_SOCKET_BYTES: usize = 107;
/// As journald takes it: it becomes part of the names of units and directories.
const MAX_NAMESPACE_BYTES: usize = 128;
/// The least that holds a few hours of a quiet node, and the most that nobody misses on its disk.
const SPOOL_MIB: RangeInclusive<u32> = 1..=1024;

pub(super) fn socket(value: &Value<'_>) -> Taken<PathBuf> {
    let path = absolute(value)?;
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_BYTES {
        return Err(format!(
            "must be a path of at most {MAX_SOCKET_BYTES} bytes, and has {length}"
        ));
    }
    Ok(path)
}

pub(super) fn word_or_none(value: &Value<'_>) -> Taken<Option<String>> {
    const ALLOWED: &str =
        "the name of a journal namespace (letters, digits and -_. of at most 128 bytes) or \"\"";
    let word = text(value, ALLOWED)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if word.len() > MAX_NAMESPACE_BYTES || !word.bytes().all(fits) || word.starts_with('.') {
        return Err(refused(ALLOWED, format_args!("{word:?}")));
    }
    Ok((!word.is_empty()).then(|| word.to_owned()))
}

pub(super) fn spool_mib(value: &Value<'_>) -> Taken<u32> {
    whole_number(value, "MiB", &SPOOL_MIB)
}

pub(super) fn families(value: &Value<'_>) -> Taken<Vec<Family>> {
    const ALLOWED: &str = "a list of sources in quotes, such as [\"ceph\", \"lldp\"]";
    let mut families = Vec::new();
    for name in texts(value, ALLOWED)? {
        let named = Family::ALL.iter().find(|family| family.key() == name);
        let family = named.ok_or_else(|| no_such_source(name))?;
        if !families.contains(family) {
            families.push(*family);
        }
    }
    Ok(families)
}

fn no_such_source(name: &str) -> String {
    let keys: Vec<&str> = Family::ALL.iter().map(|family| family.key()).collect();
    format!(
        "names {name:?}, which is no source; the nearest one is \"{}\", and all are: {}",
        settings::nearest(&keys, name),
        keys.join(", ")
    )
}
