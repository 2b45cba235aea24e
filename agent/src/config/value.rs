//! The values of the configuration: each is taken, or refused with what is allowed. "" stands for nothing where
//! nothing is allowed, so that every key can stand in the example.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use model::report::Family;
use toml::de::DeValue;

/// `sun_path` of unix(7), without the zero behind it.
const MAX_SOCKET_BYTES: usize = 107;
/// As journald takes it: it becomes part of the names of units and directories.
const MAX_NAMESPACE_BYTES: usize = 128;
/// The least that holds a few hours of a quiet node, and the most that nobody misses on its disk.
const SPOOL_MIB: RangeInclusive<u32> = 1..=1024;

type Taken<T> = Result<T, String>;

fn text<'a>(value: &'a DeValue<'_>, allowed: &str) -> Taken<&'a str> {
    value
        .as_str()
        .ok_or_else(|| format!("must be {allowed}, and is {}", kind(value)))
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn absolute(value: &DeValue<'_>) -> Taken<PathBuf> {
    const ALLOWED: &str = "an absolute path in quotes";
    let path = text(value, ALLOWED)?;
    if !path.starts_with('/') || path.contains('\0') {
        return Err(format!("must be {ALLOWED}, and is {path:?}"));
    }
    Ok(PathBuf::from(path))
}

pub(super) fn absolute_or_none(value: &DeValue<'_>) -> Taken<Option<PathBuf>> {
    match value.as_str() {
        Some("") => Ok(None),
        _ => absolute(value).map(Some),
    }
}

pub(super) fn socket(value: &DeValue<'_>) -> Taken<PathBuf> {
    let path = absolute(value)?;
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_BYTES {
        return Err(format!(
            "must be a path of at most {MAX_SOCKET_BYTES} bytes, and has {length}"
        ));
    }
    Ok(path)
}

pub(super) fn word_or_none(value: &DeValue<'_>) -> Taken<Option<String>> {
    const ALLOWED: &str =
        "the name of a journal namespace (letters, digits and -_. of at most 128 bytes) or \"\"";
    let word = text(value, ALLOWED)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if word.len() > MAX_NAMESPACE_BYTES || !word.bytes().all(fits) || word.starts_with('.') {
        return Err(format!("must be {ALLOWED}, and is {word:?}"));
    }
    Ok((!word.is_empty()).then(|| word.to_owned()))
}

pub(super) fn spool_mib(value: &DeValue<'_>) -> Taken<u32> {
    let (least, most) = (SPOOL_MIB.start(), SPOOL_MIB.end());
    let allowed = format!("a whole number of MiB from {least} to {most}");
    let Some(number) = value.as_integer() else {
        return Err(format!("must be {allowed}, and is {}", kind(value)));
    };
    u32::from_str_radix(number.as_str(), number.radix())
        .ok()
        .filter(|mib| SPOOL_MIB.contains(mib))
        .ok_or_else(|| format!("must be {allowed}, and is {number}"))
}

pub(super) fn families(value: &DeValue<'_>) -> Taken<Vec<Family>> {
    const ALLOWED: &str = "a list of sources in quotes, such as [\"ceph\", \"lldp\"]";
    let Some(names) = value.as_array() else {
        return Err(format!("must be {ALLOWED}, and is {}", kind(value)));
    };
    let mut families = Vec::new();
    for name in names.iter() {
        let name = text(name.get_ref(), ALLOWED)?;
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
    let nearest = keys
        .iter()
        .min_by_key(|key| strsim::osa_distance(name, key));
    format!(
        "names {name:?}, which is no source; the nearest one is \"{}\", and all are: {}",
        nearest.map_or("", |key| key),
        keys.join(", ")
    )
}
