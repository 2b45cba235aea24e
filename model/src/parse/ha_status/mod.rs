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
use crate::parse::json::{Fields, object_of};
use crate::parse::lrm_status::{lrm_status, manager_status};
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines, sounds_like_an_error};

/// What stands between the lines and the JSON of `--verbose`.
const FULL: &str = "full cluster state:";

/// Reads the tool's answer. A text without one of its lines is none: the tool's error message, or something else.
pub fn parse(text: &str) -> Result<Parsed<HaStatus>, Unreadable> {
    let mut reader = Reader::default();
    let mut known = false;
    let mut physical = lines(text);
    while let Some(line) = physical.next() {
        let said = line.text.trim();
        if said.eq_ignore_ascii_case(FULL) {
            known = true;
            let json: Vec<&str> = physical.by_ref().map(|line| line.text).collect();
            reader.full(line, &json.join("\n"));
        } else if reader.line(line, said) {
            known = true;
        } else if sounds_like_an_error(said) {
            // Perl's warnings come out between the lines of the answer.
            reader.bad(line, "the tool complains");
        }
    }
    if known {
        return Ok(reader.bad_lines.with(reader.status));
    }
    Err(Unreadable::complaint_in(text, sounds_like_an_error))
}

#[derive(Default)]
struct Reader {
    status: HaStatus,
    bad_lines: BadLines,
}

impl Reader {
    fn bad(&mut self, line: Line<'_>, why: &str) {
        self.bad_lines.push(BadLine::new(line, why));
    }

    /// Reads one line; `false` if it is none of the tool's.
    fn line(&mut self, line: Line<'_>, said: &str) -> bool {
        let (kind, rest) = said.split_once(char::is_whitespace).unwrap_or((said, ""));
        let rest = rest.trim();
        match kind {
            "quorum" => self.quorum(line, rest),
            "master" => self.master(line, rest),
            "fencing" => self.fencing(line, rest),
            "lrm" => self.lrm(line, rest),
            "service" => self.service(line, rest),
            _ => return false,
        }
        true
    }

    fn quorum(&mut self, line: Line<'_>, rest: &str) {
        self.status.quorum = Some(rest.to_owned());
        self.status.quorate = match rest {
            "OK" => Some(true),
            _ if rest.starts_with("No quorum") => Some(false),
            _ => {
                self.bad(line, "it is neither OK nor no quorum");
                None
            }
        };
    }

    fn master(&mut self, line: Line<'_>, rest: &str) {
        let bracket = self.bracket(line, rest);
        if let Some(node) = self.node(line, bracket.head) {
            let (state, _, local_time) = self.manager_state(line, &bracket);
            self.status.master = Some(MasterLine {
                node,
                state,
                local_time,
                note: bracket.note,
            });
        }
    }

    fn fencing(&mut self, line: Line<'_>, rest: &str) {
        let bracket = self.bracket(line, rest);
        let (state, mode) = bracket.head.split_once(',').unwrap_or((bracket.head, ""));
        if state.trim().is_empty() {
            return self.bad(line, "the state is missing");
        }
        let watchdog = bracket
            .parts
            .iter()
            .find_map(|part| part.strip_prefix("CRM watchdog "));
        self.status.fencing = Some(FencingLine {
            state: FencingState::from_word(state.trim()),
            resource_mode: mode
                .trim()
                .strip_prefix("resource mode:")
                .map(|mode| mode.trim().to_owned()),
            crm_watchdog: watchdog.map(Watchdog::from_word),
        });
    }

    fn lrm(&mut self, line: Line<'_>, rest: &str) {
        let bracket = self.bracket(line, rest);
        if let Some(node) = self.node(line, bracket.head) {
            let (state, watchdog, local_time) = self.manager_state(line, &bracket);
            self.status.lrms.push(LrmLine {
                node,
                state,
                watchdog,
                local_time,
            });
        }
    }

    fn service(&mut self, line: Line<'_>, rest: &str) {
        let bracket = self.bracket(line, rest);
        if bracket.head.is_empty() {
            return self.bad(line, "the service is missing");
        }
        let mut parts = bracket.parts.iter();
        let node = match parts.next() {
            Some(&"---") | None => None,
            Some(name) => self.node(line, name),
        };
        let state = parts.next().map(|state| ServiceState::from_word(state));
        if state.is_none() {
            self.bad(line, "the state is missing");
        }
        let mut note: Vec<&str> = parts.copied().collect();
        note.extend(bracket.note.as_deref());
        self.status.services.push(ServiceLine {
            id: bracket.head.to_owned(),
            node,
            state,
            note: (!note.is_empty()).then(|| note.join(", ")),
        });
    }

    /// `active, watchdog active, Wed Nov 23 11:07:23 2016`
    fn manager_state(
        &mut self,
        line: Line<'_>,
        bracket: &Bracket<'_>,
    ) -> (Option<HaManagerState>, Option<Watchdog>, Option<DateTime>) {
        let mut parts = bracket.parts.iter().filter(|part| !part.is_empty());
        let state = parts.next().map(|state| HaManagerState::from_word(state));
        let (mut watchdog, mut time) = (None, None);
        for part in parts {
            if let Some(word) = part.strip_prefix("watchdog ") {
                watchdog = Some(Watchdog::from_word(word));
            } else {
                // The name of the day repeats what the date says: a wrong one is no reason to lose the time.
                let date = part.split_once(' ').map_or("", |(_, date)| date);
                match DateTime::strptime("%b %e %H:%M:%S %Y", date.trim_start()) {
                    Ok(read) => time = Some(read),
                    Err(_) => self.bad(line, "what stands behind the state is not a time"),
                }
            }
        }
        (state, watchdog, time)
    }

    fn node(&mut self, line: Line<'_>, name: &str) -> Option<NodeName> {
        match NodeName::new(name) {
            Ok(node) => Some(node),
            Err(bad) => {
                self.bad(line, &bad.to_string());
                None
            }
        }
    }

    /// `HEAD (PART, PART) - NOTE`. Of a bracket that is never closed the last part is cut off, and is not kept.
    fn bracket<'t>(&mut self, line: Line<'_>, rest: &'t str) -> Bracket<'t> {
        let Some((head, rest)) = rest.split_once('(') else {
            return Bracket {
                head: rest,
                parts: Vec::new(),
                note: None,
            };
        };
        let (inside, behind) = match rest.split_once(')') {
            Some((inside, behind)) => (Some(inside), behind),
            None => {
                self.bad(line, "the bracket is never closed");
                (rest.rsplit_once(',').map(|(whole, _)| whole), "")
            }
        };
        let parts = inside
            .into_iter()
            .flat_map(|inside| inside.split(',').map(str::trim));
        let note = behind.trim_start_matches([' ', '\t', '-']);
        Bracket {
            head: head.trim(),
            parts: parts.collect(),
            note: (!note.is_empty()).then(|| note.to_owned()),
        }
    }

    /// The JSON behind the lines. If it cannot be read, the lines still can.
    fn full(&mut self, heading: Line<'_>, json: &str) {
        let object = match object_of(json) {
            Ok(object) => object,
            Err(Unreadable::BadLine(mut bad_line)) => {
                bad_line.line_number = bad_line.line_number.saturating_add(heading.number);
                return self.bad_lines.push(bad_line);
            }
            Err(unreadable) => return self.bad(heading, &unreadable.to_string()),
        };
        let mut fields = Fields::new(object, &mut self.bad_lines);
        let mut full = FullStatus::default();
        if let Some(quorum) = fields.take("quorum")
            && let Some(mut quorum) = fields.inside("quorum", quorum)
        {
            full.node = quorum.node("node");
            full.quorate = quorum.yes_or_no("quorate");
        }
        if let Some(manager) = fields.take("manager_status") {
            let manager = fields.inside("manager_status", manager);
            full.manager = manager.map(manager_status);
        }
        for (name, value) in fields.members("lrm_status").unwrap_or_default() {
            if let Some(node) = fields.node_key(&name, &value)
                && let Some(lrm) = fields.inside(&name, value)
            {
                full.lrm.insert(node, lrm_status(lrm));
            }
        }
        self.status.full = Some(full);
    }
}

struct Bracket<'t> {
    head: &'t str,
    parts: Vec<&'t str>,
    note: Option<String>,
}
