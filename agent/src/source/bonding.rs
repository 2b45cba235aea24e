//! Bonds, as the kernel prints them in `/proc/net/bonding/<bond>`.
//! LACP's partners are printed only to a reader with CAP_NET_ADMIN: what another one cannot see is said.

use model::fact::bond::{Bond, BondMode};
use model::name::IfaceName;
use model::parse::bonding;
use model::reading::Reading;
use model::text::{BadLine, Line, Unreadable};

use crate::host::{Host, Text};
use crate::privilege;
use crate::source::gather::Gathering;

const DIR: &str = "proc/net/bonding";
pub(crate) const FILES: &[&str] = &["proc/net/bonding/"];

const HIDDEN: &str = "the LACP partners of this bond and of each of its ports are not shown to a reader without \
                      CAP_NET_ADMIN, which quorate-agent does not have here";

/// Absent: no bonding driver here, or no bond. One bond that cannot be read does not lose the others.
pub(crate) fn collect(host: &Host) -> Reading<Vec<Bond>> {
    let mut gathering = Gathering::default();
    let mut bonds = Vec::new();
    let sees_lacp = host.is_captured() || privilege::may_see_lacp();
    for name in gathering.found(DIR, host.list(DIR)).unwrap_or_default() {
        let path = format!("{DIR}/{name}");
        if let Some(text) = gathering.found(&path, host.read(&path)) {
            let bond = gathering.take(&text, parse(name, &text));
            if !sees_lacp && bond.as_ref().is_some_and(speaks_lacp) {
                gathering.remark(&path, HIDDEN);
            }
            bonds.extend(bond);
        }
    }
    let value = (!bonds.is_empty()).then_some(bonds);
    gathering.finish(value)
}

fn parse(name: String, text: &Text) -> Result<model::text::Parsed<Bond>, Unreadable> {
    let line = Line {
        number: 1,
        text: &text.source,
    };
    let name = IfaceName::new(name).map_err(|bad| BadLine::new(line, bad.to_string()))?;
    bonding::parse(name, &text.text)
}

fn speaks_lacp(bond: &Bond) -> bool {
    bond.mode == Some(BondMode::Ieee8023ad)
}
