//! Network interfaces: on a live node as the kernel tells over rtnetlink, in a captured tree as `ip` shows them; and what
//! only `/sys/class/net` knows: speed, duplex and driver.
//!
//! On a live node no process is run. Only NICs and bonds are asked for speed and duplex: what a veth or a bridge says there
//! is made up.

use std::cmp::Reverse;
use std::collections::HashSet;

use jiff::Timestamp;
use model::fact::bond::BondMode;
use model::fact::link::Link;
use model::name::IfaceName;
use model::parse::{ip, net_class};
use model::reading::Reading;
use model::text::{Parsed, Unreadable};

use crate::host::{Command, Host, HostError, Text, said};
use crate::netlink;
use crate::privilege;
use crate::source::gather::Gathering;

const SYSFS: &str = "sys/class/net";
pub(crate) const FILES: &[&str] = &[
    "sys/class/net/*/speed",
    "sys/class/net/*/duplex",
    "sys/class/net/*/device/uevent",
];
/// How many interfaces that are missing in the kernel's answer are named.
const MAX_MISSING: usize = 10;
const SOURCE: &str = "rtnetlink";

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

/// Absent: the output of `ip` was not captured. A capture can hold several outputs of `ip`: they are merged, and where two
/// of them speak of the same thing the one that tells most (the longest) holds.
pub(crate) fn collect(host: &Host) -> Reading<Vec<Link>> {
    let mut gathering = Gathering::default();
    let mut links = listed(host, &mut gathering);
    let sysfs_is_ours = host.is_captured() || check(host, &mut links, &mut gathering);
    if sysfs_is_ours {
        for link in links.iter_mut().flatten() {
            add_sysfs(host, link, &mut gathering);
        }
    }
    gathering.finish(links)
}

/// The links without what only sysfs knows.
pub(crate) fn listed(host: &Host, gathering: &mut Gathering) -> Option<Vec<Link>> {
    if host.is_captured() {
        captured(host, gathering)
    } else {
        live(gathering)
    }
}

const HIDDEN: &str = "LACP's system priority and system MAC of this bond are not shown to a reader without \
                      CAP_NET_ADMIN, which quorate-agent does not have here";

fn live(gathering: &mut Gathering) -> Option<Vec<Link>> {
    match netlink::links() {
        Ok(answer) => {
            for why in answer.problems {
                gathering.remark(SOURCE, why);
            }
            let sees_lacp = privilege::may_see_lacp();
            for link in answer
                .value
                .iter()
                .filter(|link| !sees_lacp && speaks_lacp(link))
            {
                gathering.remark(&format!("{SOURCE}, {}", link.name), HIDDEN);
            }
            gathering.value(Timestamp::now(), answer.value)
        }
        Err(error) => {
            gathering.remark(SOURCE, said(&error));
            None
        }
    }
}

fn speaks_lacp(link: &Link) -> bool {
    let mode = link.bond.as_ref().and_then(|bond| bond.mode.as_ref());
    mode == Some(&BondMode::Ieee8023ad)
}

fn captured(host: &Host, gathering: &mut Gathering) -> Option<Vec<Link>> {
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
    links
}

/// Holds the kernel's list against `/sys/class/net`: an interface that is there but not in the list, nor in the next one, is
/// said to be missing. `false`: `/sys` shows another network namespace than the one that was asked.
fn check(host: &Host, links: &mut Option<Vec<Link>>, gathering: &mut Gathering) -> bool {
    let Some(first) = links else {
        return false;
    };
    let in_sysfs = || -> Result<Vec<String>, HostError> {
        let names = host.list(SYSFS)?.unwrap_or_default();
        // The bonding driver keeps a file among the interfaces.
        Ok(names
            .into_iter()
            .filter(|name| name != "bonding_masters")
            .collect())
    };
    let named = match in_sysfs() {
        Ok(named) => named,
        Err(error) => {
            gathering.remark(SYSFS, said(&error));
            return true;
        }
    };
    let mut missing = missing_in(&named, first);
    if missing.is_empty() {
        return true;
    }
    // It may have been made, or renamed, between the two looks.
    let (Ok(again), Ok(named)) = (netlink::links(), in_sysfs()) else {
        return true;
    };
    missing = missing_in(&named, &again.value);
    let unknown_to_sysfs = again
        .value
        .iter()
        .any(|link| !named.iter().any(|name| name == link.name.as_str()));
    *links = Some(again.value);
    if !missing.is_empty() && unknown_to_sysfs {
        let why = "it shows another network namespace: speed, duplex and driver are not known";
        gathering.remark(SYSFS, why);
        return false;
    }
    for name in missing.iter().take(MAX_MISSING) {
        gathering.remark(
            SYSFS,
            format!("{name} is there, but the kernel did not list it"),
        );
    }
    if let Some(more @ 1..) = missing.len().checked_sub(MAX_MISSING) {
        gathering.remark(
            SYSFS,
            format!("and {more} more that the kernel did not list"),
        );
    }
    true
}

fn missing_in(named: &[String], links: &[Link]) -> Vec<String> {
    let listed: HashSet<&str> = links.iter().map(|link| link.name.as_str()).collect();
    let missing = named.iter().filter(|name| !listed.contains(name.as_str()));
    missing.cloned().collect()
}

/// Adds what only sysfs knows, of NICs and bonds.
fn add_sysfs(host: &Host, link: &mut Link, gathering: &mut Gathering) {
    let is_nic = link.kind.is_none() && link.link_type.as_deref() != Some("loopback");
    if !is_nic && link.kind.as_deref() != Some("bond") {
        return;
    }
    let mut sysfs = Sysfs {
        host,
        name: &link.name,
        gathering,
    };
    link.speed_mbps = sysfs.value("speed", net_class::speed);
    link.duplex = sysfs.value("duplex", net_class::duplex);
    if is_nic {
        link.driver = sysfs.value("device/uevent", net_class::driver);
    }
}

struct Sysfs<'a> {
    host: &'a Host,
    name: &'a IfaceName,
    gathering: &'a mut Gathering,
}

impl Sysfs<'_> {
    fn value<T>(
        &mut self,
        attribute: &str,
        parse: impl FnOnce(&str) -> Result<Parsed<Option<T>>, Unreadable>,
    ) -> Option<T> {
        let path = format!("{SYSFS}/{}/{attribute}", self.name);
        let text: Text = match self.host.read(&path) {
            Ok(text) => text?,
            Err(error) if is_unknown_now(&error) => return None,
            Err(error) => {
                self.gathering.remark(&path, said(&error));
                return None;
            }
        };
        match parse(&text.text) {
            Ok(parsed) => parsed.value,
            Err(unreadable) => {
                self.gathering.remark(&path, unreadable.to_string());
                None
            }
        }
    }
}

/// The kernel answers so while the interface is down, and where its driver knows no speed; or it has gone meanwhile.
fn is_unknown_now(error: &HostError) -> bool {
    const EINVAL: i32 = 22;
    const ENODEV: i32 = 19;
    const EOPNOTSUPP: i32 = 95;
    let HostError::Read { source, .. } = error else {
        return false;
    };
    [EINVAL, ENODEV, EOPNOTSUPP]
        .map(Some)
        .contains(&source.raw_os_error())
}

#[cfg(test)]
mod tests {
    use model::fact::bond::Duplex;

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
    fn a_captured_tree_gives_the_speed_of_nics_and_bonds_only() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let json = r#"[{"ifname":"eno1"},{"ifname":"eno2"},{"ifname":"bond0","linkinfo":{"info_kind":"bond"}},
            {"ifname":"veth0","linkinfo":{"info_kind":"veth"}}]"#;
        write("commands/ip_-j_-d_-s_addr", json);
        for (name, speed) in [
            ("eno1", "25000\n"),
            ("eno2", "-1\n"),
            ("bond0", "50000\n"),
            ("veth0", "10000\n"),
        ] {
            write(&format!("{SYSFS}/{name}/speed"), speed);
        }
        write(&format!("{SYSFS}/eno1/duplex"), "full\n");
        write(&format!("{SYSFS}/eno2/duplex"), "a b\n");
        write(&format!("{SYSFS}/eno1/device/uevent"), "DRIVER=ixgbe\n");
        let reading = collect(&Host::captured(dir.path()).unwrap());
        let links = reading.known().unwrap();
        let speeds: Vec<_> = links.iter().map(|link| link.speed_mbps).collect();
        assert_eq!(speeds, [Some(25_000), None, Some(50_000), None]);
        let first = &links[0];
        assert_eq!(
            (&first.duplex, first.driver.as_deref()),
            (&Some(Duplex::Full), Some("ixgbe"))
        );
        let Reading::Known { problems, .. } = &reading else {
            panic!("{reading:?}");
        };
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].source, "sys/class/net/eno2/duplex");
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
