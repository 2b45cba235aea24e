//! Corosync as it runs.

use model::fact::cmap::Cmap;
use model::fact::corosync::Corosync;
use model::reading::Reading;

use crate::host::{Command, Host};

pub(crate) const COMMANDS: &[Command] = &[];

pub(crate) fn collect(_host: &Host) -> Reading<Corosync> {
    Reading::Absent
}

pub(crate) fn cmap(_host: &Host) -> Reading<Cmap> {
    Reading::Absent
}
