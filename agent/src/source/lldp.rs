//! LLDP neighbours, from lldpd where it runs. Its socket is open only to root and the group `_lldpd`.

use model::fact::lldp::Neighbour;
use model::parse::lldpcli;
use model::reading::Reading;

use crate::host::{Command, Host};
use crate::source::gather::Gathering;

pub(crate) const COMMANDS: &[Command] = &[NEIGHBOURS];

const NEIGHBOURS: Command = Command {
    path: "/usr/sbin/lldpcli",
    args: &["-f", "json", "show", "neighbors", "details"],
    words: &[],
};

pub(crate) const SOCKET: &str = "run/lldpd.socket";

/// Absent: no lldpd runs here. An empty list: it runs and hears nobody.
pub(crate) fn collect(host: &Host) -> Reading<Vec<Neighbour>> {
    let mut gathering = Gathering::default();
    // Without it lldpcli would only be started in vain, again and again.
    if !host.is_captured() && !host.is_there(SOCKET) {
        return gathering.finish(None);
    }
    let mut best: Option<Vec<Neighbour>> = None;
    for text in gathering.ask(host, &NEIGHBOURS) {
        // Several captures are the same list with and without details: the one that says most is taken.
        let neighbours = gathering.take(&text, lldpcli::parse(&text.text));
        if let Some(neighbours) = neighbours
            && best
                .as_ref()
                .is_none_or(|best| said(best) < said(&neighbours))
        {
            best = Some(neighbours);
        }
    }
    gathering.finish(best)
}

/// How much a list says: the number of neighbours first, then what only `details` shows.
fn said(neighbours: &[Neighbour]) -> (usize, usize) {
    let details = |neighbour: &Neighbour| {
        let port = &neighbour.port;
        neighbour.vlans.len()
            + usize::from(port.max_frame_bytes.is_some())
            + usize::from(port.aggregation_id.is_some())
            + port.other.len()
    };
    (neighbours.len(), neighbours.iter().map(details).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reading(captures: &[(&str, &str)]) -> Reading<Vec<Neighbour>> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("commands")).unwrap();
        for (name, text) in captures {
            std::fs::write(dir.path().join("commands").join(name), text).unwrap();
        }
        collect(&Host::captured(dir.path()).unwrap())
    }

    const ONE: &str = r#"{"lldp":{"interface":{"eno1":{"via":"LLDP","chassis":{"sw1":{}}}}}}"#;
    const DETAILED: &str = r#"{"lldp":{"interface":{"eno1":{"via":"LLDP","chassis":{"sw1":{}},
        "vlan":{"vlan-id":"30","pvid":true}}}}}"#;

    #[test]
    fn without_lldpd_there_is_nothing_and_with_it_there_can_be_nobody() {
        assert_eq!(reading(&[]), Reading::Absent);
        let nobody = reading(&[("lldpcli_-f_json_show_neighbors", r#"{"lldp":{}}"#)]);
        assert_eq!(nobody.known(), Some(&Vec::new()));
    }

    #[test]
    fn an_error_of_the_tool_is_never_an_empty_list() {
        let said = "2026-01-01T00:00:00 [WARN/control] unable to connect to socket \
                    /run/lldpd.socket: No such file or directory\n";
        let Reading::Failed { why } = reading(&[("lldpcli_-f_json_show_neighbors_details", said)])
        else {
            panic!("it has not failed");
        };
        assert!(why.contains("unable to connect"), "{why}");
    }

    #[test]
    fn the_answer_with_details_is_taken_whatever_its_name() {
        for names in [["lldpcli_a", "lldpcli_b"], ["lldpcli_b", "lldpcli_a"]] {
            let reading = reading(&[(names[0], ONE), (names[1], DETAILED)]);
            let neighbours = reading.known().unwrap();
            assert_eq!(neighbours.len(), 1);
            assert_eq!(neighbours[0].pvid.unwrap().get(), 30);
        }
    }
}
