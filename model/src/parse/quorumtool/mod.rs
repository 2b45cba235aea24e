//! `corosync-quorumtool -s` and `-l` in all their variants, `pvecm status` and `pvecm nodes`, `pcs quorum status`:
//! they all print the same lines (corosync's tools/corosync-quorumtool.c, 1.4 to 3.1).
//!
//! Section titles are not relied upon, because no key means two things; only the membership is a table, in
//! [`table`]. `pvecm status` prints four lines of corosync.conf and then becomes `corosync-quorumtool -siH`: those
//! four say nothing of the daemon, so that a text with them and "Cannot initialize" is a failure all the same.

mod table;

use crate::fact::corosync::{Corosync, Member, Qdevice};
use crate::text::{BadLine, BadLines, Line, Parsed, Unreadable, lines, unended_line};

use table::{Row, Table};

/// How many nodes are kept, far over what corosync can hold (PROCESSOR_COUNT_MAX, 384).
pub const MAX_MEMBERS: usize = 1024;

/// Reads one answer. A tool that could not reach corosync has failed, whatever else stands in the text.
pub fn parse(text: &str) -> Result<Parsed<Corosync>, Unreadable> {
    let mut reader = Reader {
        unended: unended_line(text),
        ..Reader::default()
    };
    let mut bad_lines = BadLines::default();
    let mut complaint = None;
    for line in lines(text) {
        match complaint_of(line) {
            Some(Complaint::NotRunning) => return Err(Unreadable::tool_failed(line.text)),
            Some(Complaint::Other) => {
                complaint.get_or_insert(line);
                bad_lines.push(BadLine::new(line, "the tool says that it failed here"));
            }
            None => {
                bad_lines.keep(reader.line(line));
            }
        }
    }
    match complaint {
        _ if reader.known_lines > 0 => Ok(bad_lines.with(reader.finish())),
        Some(line) => Err(Unreadable::tool_failed(line.text)),
        None => Err(Unreadable::foreign(text)),
    }
}

/// Does the tool say that corosync does not run (or cannot be reached, which is the same to the tool)?
pub fn says_not_running(message: &str) -> bool {
    // Both spellings are in the tool: `initialize QUORUM service`, `initialise CFG service`.
    let message = message.trim_start();
    message.starts_with("Cannot initialize ") || message.starts_with("Cannot initialise ")
}

enum Complaint {
    NotRunning,
    Other,
}

fn complaint_of(line: Line<'_>) -> Option<Complaint> {
    let text = line.text.trim_start();
    if says_not_running(text) {
        return Some(Complaint::NotRunning);
    }
    let begins = [
        "Unable to ",
        "Cannot ",
        "Can't ",
        "Could not ",
        "Error:",
        "ERROR:",
        "Invalid ordering option",
        "corosync-quorumtool: ",
        "ipcc_send_rec",
        "cluster not ready",
        "Corosync is not running",
        "Permission denied",
    ];
    let holds = ["command not found", "No such file or directory"];
    let complains = begins.iter().any(|begin| text.starts_with(begin))
        || holds.iter().any(|held| text.contains(held));
    complains.then_some(Complaint::Other)
}

#[derive(Default)]
struct Reader {
    corosync: Corosync,
    table: Table,
    known_lines: usize,
    /// The last line, if the text may have been cut within it.
    unended: Option<usize>,
    /// The node of that line, if the mark of the local node may have stood behind it.
    unmarked: Option<u32>,
}

/// Why a value is not believed that stands at the very end of a text.
const CUT: &str = "the text ends within this line, so that more may have stood in it";

impl Reader {
    fn line(&mut self, line: Line<'_>) -> Result<(), BadLine> {
        if line.is_blank() {
            return Ok(());
        }
        let is_unended = self.unended == Some(line.number);
        if let Some(row) = self.table.line(line, is_unended) {
            // A title or a header alone is no fact: a table without a row is a text that was cut.
            self.known_lines += usize::from(!matches!(row, Ok(Row::Begin)));
            return self.row(line, row?);
        }
        let Some((key, value)) = line.key_value() else {
            return Ok(());
        };
        let before = is_unended.then(|| self.corosync.clone());
        let mut known = self.setting(line, key, value);
        // A `Yes` is whole, but of a number digits may be missing, and of flags the last.
        if let (Some(before), Ok(true)) = (before, &known)
            && key != "Quorate"
        {
            self.corosync = before;
            known = Err(BadLine::new(line, CUT));
        }
        if known.as_ref().copied().unwrap_or(true) {
            self.known_lines += 1;
            self.table.end();
        }
        known.map(|_| ())
    }

    fn setting(&mut self, line: Line<'_>, key: &str, value: &str) -> Result<bool, BadLine> {
        let corosync = &mut self.corosync;
        match key {
            "Name" | "Cluster Name" => corosync.cluster_name = Some(word(line, value)?),
            "Config Version" => corosync.config_version = Some(line.number(value, "the version")?),
            "Transport" => corosync.transport = Some(word(line, value)?),
            "Secure auth" => corosync.secure_auth = Some(word(line, value)?),
            "Date" => corosync.date = Some(word(line, value)?),
            "Quorum provider" | "Quorum type" => {
                corosync.quorum_provider = Some(word(line, value)?);
            }
            "Nodes" => corosync.node_count = Some(line.number(value, "the node count")?),
            "Node ID" => corosync.node_id = Some(table::node_id(line, value)?),
            "Ring ID" => corosync.ring_id = Some(word(line, value)?),
            "Quorate" => corosync.quorate = Some(yes_or_no(line, value)?),
            "Expected votes" => {
                corosync.expected_votes = Some(line.number(value, "the vote count")?);
            }
            "Highest expected" => {
                corosync.highest_expected = Some(line.number(value, "the vote count")?);
            }
            "Total votes" => corosync.total_votes = Some(line.number(value, "the vote count")?),
            "Quorum" => self.needed_votes(line, value)?,
            "Flags" => {
                corosync.flags = Some(value.split_whitespace().map(str::to_owned).collect());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `5` or `5 Activity blocked`.
    fn needed_votes(&mut self, line: Line<'_>, value: &str) -> Result<(), BadLine> {
        let (votes, words) = table::split_word(value);
        self.corosync.quorum = Some(line.number(votes, "the vote count")?);
        if words.is_empty() {
            self.corosync.activity_blocked = Some(false);
        } else if words.eq_ignore_ascii_case("Activity blocked") {
            self.corosync.activity_blocked = Some(true);
        } else {
            let why = "behind the votes stands something else than `Activity blocked`";
            return Err(BadLine::new(line, why));
        }
        Ok(())
    }

    fn row(&mut self, line: Line<'_>, row: Row) -> Result<(), BadLine> {
        match row {
            Row::Begin => {
                // Texts can hold several answers (`corosync-quorumtool -m`): the last one holds.
                self.corosync.members = None;
                self.corosync.not_members = None;
                self.corosync.qdevice = None;
                Ok(())
            }
            Row::Qdevice(qdevice, bad) => {
                self.corosync.qdevice = Some(qdevice);
                bad.map_or(Ok(()), Err)
            }
            Row::Member(mut member, bad) => {
                if self.unended == Some(line.number) && member.local == Some(false) {
                    member.local = None;
                    self.unmarked = Some(member.node_id);
                }
                let rows = if matches!(member.state.as_deref(), None | Some("M")) {
                    &mut self.corosync.members
                } else {
                    &mut self.corosync.not_members
                };
                let rows = rows.get_or_insert_default();
                if rows.len() >= MAX_MEMBERS {
                    let why = format!("more than {MAX_MEMBERS} nodes; this one is not kept");
                    return Err(BadLine::new(line, why));
                }
                if rows.iter().any(|row| row.node_id == member.node_id) {
                    return Err(BadLine::new(line, "the node has a row already"));
                }
                rows.push(member);
                bad.map_or(Ok(()), Err)
            }
        }
    }

    fn finish(self) -> Corosync {
        let mut corosync = self.corosync;
        let members = corosync.members.as_deref_mut().unwrap_or_default();
        // `(local)` and `Node ID:` are one fact printed twice.
        match corosync.node_id {
            None => {
                let local = members.iter().find(|member| member.local == Some(true));
                corosync.node_id = local.map(|member| member.node_id);
            }
            Some(id) => {
                for member in members.iter_mut().filter(|member| member.node_id == id) {
                    member.local = Some(true);
                }
            }
        }
        if let (Some(id), Some(unmarked)) = (corosync.node_id, self.unmarked) {
            let unmarked = members.iter_mut().find(|member| member.node_id == unmarked);
            if let Some(member) = unmarked {
                member.local = Some(member.node_id == id);
            }
        }
        // With rows still to come, the last one that is there was cut, and its name cannot be told from a part of it.
        let rows = u32::try_from(members.len()).unwrap_or(u32::MAX);
        if corosync.node_count.is_some_and(|count| count > rows)
            && let Some(unmarked) = self.unmarked
            && let Some(member) = members.iter_mut().find(|member| member.node_id == unmarked)
        {
            (member.name, member.addresses) = (None, None);
        }
        let of_local_node = members
            .iter()
            .find(|member| member.local == Some(true))
            .and_then(|member| member.qdevice_flags.clone());
        let is_flagged = corosync
            .flags
            .as_ref()
            .is_some_and(|flags| flags.iter().any(|flag| flag == "Qdevice"));
        if is_flagged {
            corosync.qdevice.get_or_insert_default();
        }
        if let Some(qdevice) = &mut corosync.qdevice {
            qdevice.flags = qdevice.flags.take().or(of_local_node);
        }
        corosync
    }
}

fn word(line: Line<'_>, value: &str) -> Result<String, BadLine> {
    match value {
        "" => Err(BadLine::new(line, "the value is missing")),
        word => Ok(word.to_owned()),
    }
}

fn yes_or_no(line: Line<'_>, value: &str) -> Result<bool, BadLine> {
    match value.to_ascii_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(BadLine::new(line, "it is neither Yes nor No")),
    }
}

#[cfg(test)]
mod tests;
