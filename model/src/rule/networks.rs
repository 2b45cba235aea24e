//! Whether two addresses are in one network.

use core::net::IpAddr;

/// Whether the first `length` bits of both are the same; of no length they always are.
pub(super) fn same_network(one: IpAddr, other: IpAddr, length: u8) -> bool {
    let (differ, most) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits() ^ other.to_bits()) << 96, 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits(), 128),
        _ => return false,
    };
    length <= most && differ.leading_zeros() >= u32::from(length)
}
