//! The values that only the collector's configuration has: each is taken, or refused with what is allowed.

use std::net::SocketAddr;

use model::name::NodeName;
use settings::value::{refused, text, texts};
use settings::{Taken, Value};

use crate::addresses::Address;

pub(super) fn socket_address(value: &Value<'_>) -> Taken<SocketAddr> {
    const ALLOWED: &str = "IP:PORT in quotes, such as \"[::]:7460\" or \"192.0.2.1:7460\"";
    let address = text(value, ALLOWED)?;
    address
        .parse()
        .map_err(|_| refused(ALLOWED, format_args!("{address:?}")))
}

pub(super) fn addresses(value: &Value<'_>) -> Taken<Vec<String>> {
    const ALLOWED: &str = "a list of addresses in quotes, such as [\"quorate.example\"]";
    let mut addresses = Vec::new();
    for address in texts(value, ALLOWED)? {
        Address::parse(address).map_err(|bad| format!("must be {ALLOWED}: {bad}"))?;
        addresses.push(address.to_owned());
    }
    Ok(addresses)
}

pub(super) fn node(value: &Value<'_>) -> Taken<NodeName> {
    const ALLOWED: &str = "the name of a node in quotes";
    NodeName::new(text(value, ALLOWED)?).map_err(|bad| format!("must be {ALLOWED}: {bad}"))
}
