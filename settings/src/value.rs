//! Values that more than one program takes: each is taken, or refused with what is allowed.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// What stands behind a key.
pub use toml::de::DeValue as Value;

/// The value, or the end of a sentence that begins with its key.
pub type Taken<T> = Result<T, String>;

pub fn text<'a>(value: &'a Value<'_>, allowed: &str) -> Taken<&'a str> {
    value.as_str().ok_or_else(|| other_kind(value, allowed))
}

/// `allowed`: what the list is to be.
pub fn texts<'a>(value: &'a Value<'_>, allowed: &str) -> Taken<Vec<&'a str>> {
    let list = value.as_array().ok_or_else(|| other_kind(value, allowed))?;
    let texts = list.iter().map(|item| text(item.get_ref(), allowed));
    texts.collect()
}

pub fn absolute(value: &Value<'_>) -> Taken<PathBuf> {
    const ALLOWED: &str = "an absolute path in quotes";
    let path = text(value, ALLOWED)?;
    if !path.starts_with('/') || path.contains('\0') {
        return Err(refused(ALLOWED, format_args!("{path:?}")));
    }
    Ok(PathBuf::from(path))
}

/// "" stands for none, so that every key can stand in an example.
pub fn absolute_or_none(value: &Value<'_>) -> Taken<Option<PathBuf>> {
    match value.as_str() {
        Some("") => Ok(None),
        _ => absolute(value).map(Some),
    }
}

/// `unit`: of what so many are allowed.
pub fn whole_number(value: &Value<'_>, unit: &str, allowed: &RangeInclusive<u32>) -> Taken<u32> {
    let words = format!(
        "a whole number of {unit} from {} to {}",
        allowed.start(),
        allowed.end()
    );
    let Some(number) = value.as_integer() else {
        return Err(other_kind(value, &words));
    };
    u32::from_str_radix(number.as_str(), number.radix())
        .ok()
        .filter(|number| allowed.contains(number))
        .ok_or_else(|| refused(&words, number))
}

/// Why a value is not taken.
pub fn refused(allowed: &str, found: impl Display) -> String {
    format!("must be {allowed}, and is {found}")
}

fn other_kind(value: &Value<'_>, allowed: &str) -> String {
    let kind = match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    };
    refused(allowed, kind)
}
