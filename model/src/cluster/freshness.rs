//! How old a reading may be until it says nothing of now.
//!
//! An agent looks anew at each family at the latest after the interval of its source, and a heartbeat says that it did.
//! The limit is that interval, two times missed, and a minute for the source to answer in.

use crate::report::Family;

/// The oldest age at which a reading of this family still tells of now.
pub const fn limit_ms(family: Family) -> u64 {
    const SECOND: u64 = 1_000;
    match family {
        Family::Bonds => 66 * SECOND,
        Family::Links | Family::Corosync | Family::Cmap | Family::Members | Family::Ha => {
            150 * SECOND
        }
        Family::Bridges
        | Family::Quorumtool
        | Family::Lldp
        | Family::Ovs
        | Family::Ceph
        | Family::Journal
        | Family::Power
        | Family::Host
        | Family::Agent => 240 * SECOND,
        Family::Time => 420 * SECOND,
        Family::Interfaces
        | Family::CorosyncConf
        | Family::Guests
        | Family::Tasks
        | Family::Storage
        | Family::Boot => 960 * SECOND,
        Family::Certificates | Family::Packages => 10_860 * SECOND,
    }
}
