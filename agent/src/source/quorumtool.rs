//! The tool's own view of corosync, slowly: `corosync-quorumtool -siH`, which is what `pvecm status` becomes. It goes
//! other ways than the agent (its own process, its own connection), so that it can contradict it; who compares the two
//! is whoever holds both.

use model::fact::corosync::Corosync;
use model::fact::quorumtool::{Quorumtool, disagreements};
use model::parse::quorumtool;
use model::reading::Reading;
use model::report::NodeReport;

use crate::host::{Command, Host};
use crate::source::gather::Gathering;

/// What of the text is kept: far more than the tool prints of the largest cluster that is supported.
const MAX_TEXT_BYTES: usize = 8 << 10;

const STATUS: Command = Command {
    path: "/usr/sbin/corosync-quorumtool",
    args: &["-siH"],
    words: &["-siH"],
};

/// Absent: the tool is not installed, or was not captured. Failed: it could not reach corosync, or its text is no
/// answer.
pub(crate) fn collect(host: &Host) -> Reading<Quorumtool> {
    let mut gathering = Gathering::default();
    let mut found = None;
    for text in gathering.ask(host, &STATUS) {
        let said = gathering.take(&text, quorumtool::parse(&text.text));
        found = found.or(said.map(|said| of_text(&text.text, said)));
    }
    gathering.finish(found)
}

/// Holds the tool's answer against what corosync's libraries said, both of which must be of the same moment.
pub(crate) fn compare(report: &mut NodeReport) {
    if let (Some(libraries), Reading::Known { value: tool, .. }) =
        (report.corosync.known(), &mut report.quorumtool)
    {
        tool.disagreements = Some(disagreements(libraries, &tool.said));
    }
}

fn of_text(text: &str, said: Corosync) -> Quorumtool {
    let kept = text.floor_char_boundary(MAX_TEXT_BYTES);
    Quorumtool {
        text: text.get(..kept).unwrap_or_default().to_owned(),
        is_cut: kept < text.len(),
        said,
        disagreements: None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn reading(text: &str) -> Reading<Quorumtool> {
        let dir = tempfile::tempdir().unwrap();
        let commands = dir.path().join("commands");
        fs::create_dir(&commands).unwrap();
        fs::write(commands.join("corosync-quorumtool_-siH"), text).unwrap();
        // Another answer of the same tool is not this one.
        fs::write(commands.join("corosync-quorumtool_-s"), "Quorate: No\n").unwrap();
        collect(&Host::captured(dir.path()).unwrap())
    }

    #[test]
    fn the_text_is_kept_as_it_was_printed_beside_what_it_says() {
        let text =
            include_str!("../../../model/fixtures/quorumtool/corosync-3.1.7-siH-4-nodes.txt");
        let reading = reading(text);
        let known = reading.known().unwrap();
        assert_eq!((known.text.as_str(), known.is_cut), (text, false));
        assert_eq!(known.said.total_votes, Some(4));
        assert_eq!(known.disagreements, None);
    }

    #[test]
    fn a_text_without_end_is_cut_and_said_to_be() {
        let text = format!("Quorate:          Yes\n{}", "ä".repeat(MAX_TEXT_BYTES));
        let reading = reading(&text);
        let known = reading.known().unwrap();
        assert!(known.is_cut && known.text.len() <= MAX_TEXT_BYTES);
        assert_eq!(known.said.quorate, Some(true));
    }

    #[test]
    fn a_tool_that_cannot_reach_corosync_has_failed() {
        assert!(matches!(
            reading("Cannot initialize CMAP service\n"),
            Reading::Failed { .. }
        ));
    }
}
