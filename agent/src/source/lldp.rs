//! See the fact.

use model::fact::lldp::Neighbour;
use model::reading::Reading;

use crate::host::{Command, Host};

pub(crate) const COMMANDS: &[Command] = &[];
pub(crate) const FILES: &[&str] = &[];

pub(crate) fn collect(_host: &Host) -> Reading<Vec<Neighbour>> {
    Reading::Absent
}
