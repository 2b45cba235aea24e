//! Network interfaces, as `ip` shows them.

use std::cmp::Reverse;

use model::fact::link::Link;
use model::parse::ip;
use model::reading::Reading;

use crate::host::{Command, Host};
use crate::source::gather::Gathering;

/// `ip addr` with details knows all that `ip link` knows, and the addresses.
const IP: Command = Command {
    path: "/usr/sbin/ip",
    args: &["-j", "-d", "-s", "addr"],
    words: &[
        "addr",
        "address",
        "addresses",
        "a",
        "ad",
        "link",
        "links",
        "l",
        "li",
    ],
};
pub(crate) const COMMANDS: &[Command] = &[IP];

/// Absent: `ip` is not installed, or its output was not captured. A capture can hold several outputs of `ip`: they are
/// merged, and where two of them speak of the same thing the one that tells most (the longest) holds.
pub(crate) fn collect(host: &Host) -> Reading<Vec<Link>> {
    let mut gathering = Gathering::default();
    let mut texts = gathering.ask(host, &IP);
    texts.sort_by_key(|text| Reverse(text.text.len()));
    let mut links: Option<Vec<Link>> = None;
    for text in &texts {
        if let Some(more) = gathering.take(text, ip::parse(&text.text)) {
            ip::merge(links.get_or_insert_default(), more);
        }
    }
    if let Some(links) = &mut links {
        // Indices are in the order in which interfaces were made, and so is every output of `ip`.
        links.sort_by_key(|link| link.ifindex.unwrap_or(u32::MAX));
    }
    gathering.finish(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn collected(captured: &[(&str, &str)]) -> Reading<Vec<Link>> {
        let dir = tempfile::tempdir().unwrap();
        let commands = dir.path().join("commands");
        std::fs::create_dir(&commands).unwrap();
        for (name, text) in captured {
            std::fs::write(commands.join(name), text).unwrap();
        }
        collect(&Host::captured(dir.path()).unwrap())
    }

    #[test]
    fn several_outputs_describe_the_same_interfaces() {
        let json = r#"[{"ifindex":2,"ifname":"eno1","addr_info":[{"family":"inet","local":"10.0.0.5","prefixlen":24}]}]"#;
        let text = "1: lo: <LOOPBACK,UP> mtu 65536\n2: eno1: <UP,LOWER_UP> mtu 9000 state UP\n";
        let reading = collected(&[("ip_-j_addr", json), ("ip_-d_link_show", text)]);
        let links = reading.known().unwrap();
        let names: Vec<_> = links.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["lo", "eno1"]);
        assert_eq!(links[1].mtu_bytes, Some(9000));
        assert_eq!(links[1].addresses.as_ref().unwrap().len(), 1);
    }

    #[test]
    fn an_error_of_the_tool_is_a_failure_and_nothing_at_all_is_absent() {
        let error = "Cannot open netlink socket: Permission denied\n";
        assert!(matches!(
            collected(&[("ip_addr", error)]),
            Reading::Failed { .. }
        ));
        assert_eq!(collected(&[]), Reading::Absent);
    }
}
