//! Bonds, as the kernel prints them in `/proc/net/bonding/<bond>`.
//! The ports' LACP partners are printed only to a reader with CAP_NET_ADMIN.

use model::fact::bond::Bond;
use model::name::IfaceName;
use model::parse::bonding;
use model::reading::Reading;
use model::text::{BadLine, Line, Unreadable};

use crate::host::{Host, Text};
use crate::source::gather::Gathering;

const DIR: &str = "proc/net/bonding";
pub(crate) const FILES: &[&str] = &["proc/net/bonding/"];

/// Absent: no bonding driver here, or no bond. One bond that cannot be read does not lose the others.
pub(crate) fn collect(host: &Host) -> Reading<Vec<Bond>> {
    let mut gathering = Gathering::default();
    let mut bonds = Vec::new();
    for name in gathering.found(DIR, host.list(DIR)).unwrap_or_default() {
        let path = format!("{DIR}/{name}");
        if let Some(text) = gathering.found(&path, host.read(&path)) {
            bonds.extend(gathering.take(&text, parse(name, &text)));
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
