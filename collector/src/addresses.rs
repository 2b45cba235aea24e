//! Where agents and operators reach the collector: what `init` or the configuration says, completed by the ports on
//! which it listens.

use std::net::Ipv6Addr;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address: HOST, HOST:PORT, or [IPV6]:PORT")]
pub struct BadAddress {
    text: String,
}

/// HOST, with a port or without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: Option<u16>,
}

impl Address {
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress {
            text: text.to_owned(),
        };
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((ip, rest)) => {
                ip.parse::<Ipv6Addr>().map_err(|_| bad())?;
                let port = match rest.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if rest.is_empty() => None,
                    None => return Err(bad()),
                };
                (format!("[{ip}]"), port)
            }
            None if text.parse::<Ipv6Addr>().is_ok() => (format!("[{text}]"), None),
            None => match text.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (text.to_owned(), None),
            },
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_host) {
            return Err(bad());
        }
        let port = port.map(str::parse).transpose().map_err(|_| bad())?;
        if port == Some(0) {
            return Err(bad());
        }
        Ok(Self { host, port })
    }

    fn with(&self, port: u16) -> String {
        format!("{}:{port}", self.host)
    }
}

/// What agents are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub fleet: Vec<String>,
    pub enrolment: Vec<String>,
}

impl Told {
    /// The ports are those on which the listeners are; an address that says its own is taken at its word for the
    /// fleet's.
    pub fn new(addresses: &[Address], fleet_port: u16, enrolment_port: u16) -> Self {
        let fleet = |address: &Address| address.with(address.port.unwrap_or(fleet_port));
        Self {
            fleet: addresses.iter().map(fleet).collect(),
            enrolment: addresses
                .iter()
                .map(|address| address.with(enrolment_port))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, fleet: &str, enrolment: &str) {
        let told = Told::new(&[Address::parse(text).unwrap()], 7460, 7461);
        assert_eq!(told.fleet, [fleet]);
        assert_eq!(told.enrolment, [enrolment]);
    }

    #[test]
    fn what_is_left_out_is_completed() {
        check("quorate.lan", "quorate.lan:7460", "quorate.lan:7461");
        check("192.0.2.1:9000", "192.0.2.1:9000", "192.0.2.1:7461");
        check("2001:db8::1", "[2001:db8::1]:7460", "[2001:db8::1]:7461");
        check("[2001:db8::1]:9", "[2001:db8::1]:9", "[2001:db8::1]:7461");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":1",
            "a:",
            "a:0",
            "a:70000",
            "a b",
            "[x]:1",
            "[::1]1",
            "https://a",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{text:?} is not")));
        }
    }
}
