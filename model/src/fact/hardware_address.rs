//! A hardware address: 6 bytes for Ethernet, 20 for InfiniBand, 8 for some tunnels.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is no hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a hardware address: pairs of hexadecimal digits with ':' between them")]
pub struct BadHardwareAddress {
    text: String,
}

/// A hardware address of any length, always written in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HardwareAddress(Box<[u8]>);

/// The longest that the kernel knows (MAX_ADDR_LEN).
const MAX_BYTES: usize = 32;

impl HardwareAddress {
    /// As the kernel's messages carry it; `None` if it is too short or too long to be one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (2..=MAX_BYTES)
            .contains(&bytes.len())
            .then(|| Self(bytes.into()))
    }

    /// All zero: how the kernel writes "no LACP partner answered".
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }
}

impl FromStr for HardwareAddress {
    type Err = BadHardwareAddress;

    fn from_str(text: &str) -> Result<Self, BadHardwareAddress> {
        let bad = || BadHardwareAddress {
            text: text.chars().take(100).collect(),
        };
        let pair = |pair: &str| {
            let hex = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            if hex {
                u8::from_str_radix(pair, 16).map_err(|_| bad())
            } else {
                Err(bad())
            }
        };
        let bytes = text.split(':').map(pair).collect::<Result<Vec<u8>, _>>()?;
        Self::from_bytes(&bytes).ok_or_else(bad)
    }
}

impl fmt::Display for HardwareAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for HardwareAddress {
    type Error = BadHardwareAddress;

    fn try_from(text: String) -> Result<Self, BadHardwareAddress> {
        text.parse()
    }
}

impl From<HardwareAddress> for String {
    fn from(address: HardwareAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ethernet_and_infiniband_addresses_are_read_and_written_in_lower_case() {
        let infiniband = "80:00:02:08:fe:80:00:00:00:00:00:00:e4:1d:2d:03:00:1d:67:f1";
        for (text, written) in [
            ("08:00:27:A2:8d:f5", "08:00:27:a2:8d:f5"),
            (infiniband, infiniband),
        ] {
            assert_eq!(
                text.parse::<HardwareAddress>().unwrap().to_string(),
                written
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "00",
            "00:0g",
            "0:1:2",
            "00:11:",
            "+1:22",
            &"00:".repeat(40),
        ] {
            assert!(text.parse::<HardwareAddress>().is_err(), "{text}");
        }
    }
}
