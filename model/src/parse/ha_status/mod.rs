//! `ha-manager status`, as its command line prints it (pve-ha-manager, PVE/CLI/ha_manager.pm and
//! PVE/API2/HA/Status.pm of PVE 4 to 9): one line each for quorum, master, fencing (since HA manager 5.2), LRM and
//! service, and with `--verbose` the full state as JSON behind them.

#[cfg(test)]
mod tests;

use jiff::civil::DateTime;

use crate::fact::ha::{
    FencingLine, FencingState, FullStatus, HaManagerState, HaStatus, LrmLine, MasterLine,
    ServiceLine, ServiceState, Watchdog,
};
use crate::name::NodeName;
use crate::parse::lrm_status::fields::{Fields, object_of};
use crate::parse::lrm_status::{lrm_status, manager_status};
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines};

/// What stands between the lines and the JSON of `--verbose`.
const FULL: &str = "full cluster state:";

/// Reads the tool's answer. A text without one of its lines is none: the tool's own error message, or something else.
pub fn parse(text: &str) -> Result<Parsed<HaStatus>, Unreadable> {
    let mut status = HaStatus::default();
    let mut bad_lines = BadLines::default();
    let mut known = false;
    let mut physical = lines(text);
    for line in physical.by_ref() {
        let said = line.text.trim();
        if said.eq_ignore_ascii_case(FULL) {
            known = true;
            let json: String = physical.map(|line| format!("{}\n", line.text)).collect();
            full(&mut status, line, &json, &mut bad_lines);
            break;
        }
        known |= status_line(&mut status, line, said, &mut bad_lines);
    }
    if known {
        return Ok(bad_lines.with(status));
    }
    Err(match error_of(text) {
        Some(message) => Unreadable::ToolFailed { message },
        None => Unreadable::foreign(text),
    })
}

/// Reads one line; `false` if it is none of the tool's.
fn status_line(
    status: &mut HaStatus,
    line: Line<'_>,
    said: &str,
    bad_lines: &mut BadLines,
) -> bool {
    let Some((kind, rest)) = said.split_once(char::is_whitespace) else {
        return false;
    };
    let rest = rest.trim();
    match kind {
        "quorum" => {
            status.quorate = bad_lines.keep(quorate(line, rest));
            status.quorum = Some(rest.to_owned());
        }
        "master" => status.master = bad_lines.keep(master(line, rest, status.master.take())),
        "fencing" => status.fencing = Some(fencing(rest)),
        "lrm" => {
            let (lrm, complaint) = match lrm(line, rest) {
                Ok(read) => read,
                Err(bad_line) => (None, Some(bad_line)),
            };
            status.lrms.extend(lrm);
            complaint.into_iter().for_each(|bad_line| bad_lines.push(bad_line));
        }
        "service" => {
            let (service, complaint) = service(line, rest);
            status.services.push(service);
            complaint.into_iter().for_each(|bad_line| bad_lines.push(bad_line));
        }
        _ => return false,
    }
    true
}
