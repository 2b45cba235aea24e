//! See the fact.

use model::fact::bridge::Bridge;
use model::reading::Reading;

use crate::host::{Command, Host};

pub(crate) const COMMANDS: &[Command] = &[];
pub(crate) const FILES: &[&str] = &[];

pub(crate) fn collect(_host: &Host) -> Reading<Vec<Bridge>> {
    Reading::Absent
}
