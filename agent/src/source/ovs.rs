//! Open vSwitch, where it is installed: its configuration database, as `ovs-vsctl show` prints it.

use model::fact::ovs::Ovs;
use model::parse::ovs_vsctl;
use model::reading::Reading;

use crate::host::{Command, Host};
use crate::source::gather::Gathering;

pub(crate) const COMMANDS: &[Command] = &[SHOW];

/// Its deadline is the host's: with `--timeout` a captured file would not be named as everybody names it.
const SHOW: Command = Command {
    path: "/usr/bin/ovs-vsctl",
    args: &["show"],
    words: &["show"],
};

/// Absent: Open vSwitch is not installed. Failed: it is, but its database does not answer.
pub(crate) fn collect(host: &Host) -> Reading<Ovs> {
    let mut gathering = Gathering::default();
    let mut ovs: Option<Ovs> = None;
    for text in gathering.ask(host, &SHOW) {
        // One node has one database; of several captures the one with more bridges is the whole one.
        let read = gathering.take(&text, ovs_vsctl::parse(&text.text));
        if let Some(read) = read
            && ovs
                .as_ref()
                .is_none_or(|ovs| ovs.bridges.len() < read.bridges.len())
        {
            ovs = Some(read);
        }
    }
    gathering.finish(ovs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_answer_is_found_and_an_error_is_no_empty_database() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::captured(dir.path()).unwrap();
        assert_eq!(collect(&host), Reading::Absent);
        let commands = dir.path().join("commands");
        std::fs::create_dir(&commands).unwrap();
        let file = commands.join("ovs-vsctl_show");
        std::fs::write(
            &file,
            "ovs-vsctl: unix:db.sock: database connection failed (x)\n",
        )
        .unwrap();
        assert!(matches!(collect(&host), Reading::Failed { .. }));
        std::fs::write(&file, "    Bridge br0\n        Port \"eth0\"\n").unwrap();
        assert_eq!(collect(&host).known().unwrap().bridges.len(), 1);
    }
}
