//! The values of the configuration: each is taken, or refused with what is allowed.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::de::DeValue;

use crate::addresses::Address;

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

pub(super) fn socket_address(value: &DeValue<'_>) -> Taken<SocketAddr> {
    const ALLOWED: &str = "IP:PORT in quotes, such as \"[::]:7460\" or \"192.0.2.1:7460\"";
    let address = text(value, ALLOWED)?;
    address
        .parse()
        .map_err(|_| format!("must be {ALLOWED}, and is {address:?}"))
}

pub(super) fn addresses(value: &DeValue<'_>) -> Taken<Vec<String>> {
    const ALLOWED: &str = "a list of addresses in quotes, such as [\"quorate.example\"]";
    let Some(list) = value.as_array() else {
        return Err(format!("must be {ALLOWED}, and is {}", kind(value)));
    };
    let mut addresses = Vec::new();
    for address in list.iter() {
        let address = text(address.get_ref(), ALLOWED)?;
        Address::parse(address).map_err(|bad| format!("must be {ALLOWED}: {bad}"))?;
        addresses.push(address.to_owned());
    }
    Ok(addresses)
}
